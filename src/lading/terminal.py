"""What a person reads in the terminal, drawn from records. 80 columns; no colour when piped."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lading.doctor import Check
from lading.errors import LadingError
from lading.evidence import (
    ArtifactRecord,
    Bill,
    CheckpointRecord,
    Comparison,
    LedgerLine,
    LedgerSummary,
    Port,
    Recognition,
)
from lading.reading import show

STYLE = {"pass": "bold green", "fail": "bold red", "not run": "yellow"}
DOCTOR_STYLE = {"ok": "green", "absent": "yellow", "trouble": "bold red"}
WORDS = {
    "pass": "equal: the same goods arrive",
    "fail": "NOT equal: do not ship this",
    "not run": "not run: nothing is proved",
}


class Stages:
    """Prints each stage on standard error as it begins, and how long the one before took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = self.last = time.monotonic()
        self.current = ""

    def __call__(self, stage: str, detail: str) -> None:
        self.finish()
        self.current = f"{stage:<10} {detail}"
        self.last = time.monotonic()
        if self.console.is_terminal:
            self.console.print(f"[dim]… {escape(self.current)}[/dim]", end="\r", highlight=False)

    def finish(self) -> None:
        """Ends the line of the stage that runs."""
        if self.current:
            took = time.monotonic() - self.last
            line = Text(f"{took:6.1f} s  {self.current}", style="dim")
            line.truncate(self.console.width, overflow="ellipsis")
            self.console.print(line, highlight=False)
        self.current = ""


def failure(console: Console, error: LadingError) -> None:
    """An error: subject, found, expected, remedy."""
    console.print(Text("lading: ", style="bold red") + Text(error.subject, style="bold"))
    for name in ("found", "expected", "remedy"):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=10)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"  {name}", style="dim"), Text(str(getattr(error, name))))
        console.print(grid)


def bill(console: Console, one: Bill, out: Path | None) -> None:
    """A voyage: the verdict first, then what was carried and how well."""
    console.print(
        Text(one.verdict.upper(), style=STYLE[one.verdict]) + Text(f"  {WORDS[one.verdict]}")
    )
    console.print()
    for artifact in one.artifacts:
        path = out / artifact.path if out else Path(artifact.path)
        console.print(
            Text(f"  {path}", style="bold") + Text(f"  {megabytes(artifact.bytes)}"),
            soft_wrap=True,
        )
        console.print(f"    {artifact.precision}; {_interface(artifact)}", highlight=False)
    console.print()
    summary = one.ledger_summary
    console.print(
        f"  {summary.names} names, {summary.tensors} tensors: {summary.loaded} loaded, "
        f"{summary.aliases} second names, {summary.unused} unused,\n"
        f"  {summary.unexplained} unexplained; {summary.parameters:,} parameters",
        highlight=False,
    )
    console.print()
    comparisons(console, one.comparisons)
    for comparison in one.comparisons:
        if comparison.verdict == "fail":
            console.print(Text(f"  {comparison.runtime}: {comparison.reason}", style="red"))
    if one.capture:
        for attempt in one.capture.attempts:
            console.print(Text(f"  note: {attempt}", style="yellow"))
    for notice in one.notices:
        console.print(Text(f"  notice: {notice}", style="dim"))


def comparisons(console: Console, many: Sequence[Comparison]) -> None:
    """One line per gated number, the gate beside it."""
    table = Table(box=None, padding=(0, 1), pad_edge=True, header_style="dim")
    for name in ("runtime", "measured", "worst", "gate", "probes", "verdict"):
        table.add_column(name, justify="right" if name in ("worst", "gate", "probes") else "left")
    for one in sorted(many, key=lambda one: one.verdict == "not run"):
        verdict = Text(one.verdict, style=STYLE[one.verdict])
        gated = [metric for metric in one.metrics if metric.gate is not None]
        if not gated:
            table.add_row(one.runtime, Text(one.reason, overflow="fold"), "", "", "", verdict)
        for index, metric in enumerate(gated):
            sign = "≥" if metric.better == "higher" else "≤"
            table.add_row(
                one.runtime if index == 0 else "",
                metric.name,
                number(metric.name, metric.value),
                f"{sign} {number(metric.name, metric.gate or 0.0)}",
                str(one.probes) if index == 0 else "",
                verdict if index == 0 else Text(""),
            )
    console.print(table)


def number(name: str, value: float) -> str:
    """A metric's value with its unit.

    >>> number("logits psnr", 71.234), number("logits label_agreement", 0.9991)
    ('71.2 dB', '99.910 %')
    """
    if name.endswith("psnr"):
        return "bit-equal" if value == math.inf else f"{value:.1f} dB"
    if name.endswith("label_agreement"):
        return f"{100 * value:.3f} %"
    return f"{value:.4g}"


def megabytes(count: int) -> str:
    """A size for people.

    >>> megabytes(67_100_000), megabytes(12_300)
    ('67.1 MB', '12.3 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def inspection(
    console: Console,
    record: CheckpointRecord,
    recognition: Recognition,
    summary: LedgerSummary | None,
    shapes: Mapping[str, tuple[int, ...]],
    aliases: Mapping[str, str],
    refused: str = "",
) -> None:
    """A checkpoint: what it is, its hyper-parameters with evidence, its tensors as a tree."""
    console.print(Text(recognition.title, style="bold") + Text(f"  {record.path}"), soft_wrap=True)
    console.print(f"  {record.container}, {megabytes(record.bytes)}", highlight=False)
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for step in record.steps:
        console.print(f"  {escape(step)}", highlight=False)
    if summary:
        console.print(
            f"  {summary.names} names, {summary.tensors} tensors, "
            f"{summary.parameters:,} parameters; {summary.unexplained} unexplained",
            highlight=False,
        )
    console.print()
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("hyper-parameter", "value", "evidence", "source"):
        table.add_column(name, overflow="fold")
    for one in recognition.hyperparameters:
        style = "yellow" if one.evidence == "assumed" else ""
        source = one.source
        if one.alternatives:
            source += "; or " + ", ".join(one.alternatives)
        table.add_row(one.name, show(one.value), Text(one.evidence, style=style), source)
    console.print(table)
    for conflict in recognition.conflicts:
        state = f"settled: {conflict.settled}" if conflict.settled else "NOT settled"
        console.print(Text(f"conflict on {conflict.name}, {state}", style="bold red"))
        for claim in conflict.claims:
            console.print(f"  {claim.evidence}: {show(claim.value)} ({claim.source})")
    console.print()
    console.print(tensor_tree(shapes, aliases))
    if refused:
        console.print(Text("\nit cannot be converted as it is: ", style="bold red") + Text(refused))


def tensor_tree(shapes: Mapping[str, tuple[int, ...]], aliases: Mapping[str, str]) -> Tree:
    """Tensor names as a tree; second names are only counted, under what they repeat."""
    tree = Tree(f"{len(shapes)} names over {len(shapes) - len(aliases)} tensors")
    branches: dict[str, Tree] = {"": tree}
    for name, shape in shapes.items():
        if name in aliases:
            continue
        *path, leaf = name.split(".")
        at = ""
        for part in path:
            parent, at = at, f"{at}.{part}" if at else part
            if at not in branches:
                branches[at] = branches[parent].add(escape(part))
        branches[at].add(f"{escape(leaf)} [dim]{'×'.join(map(str, shape)) or 'scalar'}[/dim]")
    if aliases:
        tree.add(f"[dim]and {len(aliases)} second names of these[/dim]")
    return tree


def artifact(console: Console, record: ArtifactRecord) -> None:
    """A converted file: ports, precision, metadata."""
    console.print(Text(record.path, style="bold"), soft_wrap=True)
    console.print(
        f"  {record.format} {record.precision}, {megabytes(record.bytes)}", highlight=False
    )
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for kind, ports in (("takes", record.inputs), ("gives", record.outputs)):
        for port in ports:
            console.print(f"  {kind} {_port(port)}", highlight=False)
    for key, value in record.details.items():
        line = Text(f"  {key}: {value}", style="dim")
        line.truncate(console.width, overflow="ellipsis")
        console.print(line)


def doctor(console: Console, checks: Sequence[Check]) -> None:
    """One line per thing looked at."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for check in checks:
        table.add_row(Text(check.state, style=DOCTOR_STYLE[check.state]), check.name, check.text)
    console.print(table)


def ledger_line(line: LedgerLine) -> str:
    """A ledger line as text.

    >>> ledger_line(LedgerLine("a.weight", (2, 3), "float32", "loaded", "", ""))
    'a.weight  2×3 float32  loaded'
    """
    text = f"{line.name}  {'×'.join(map(str, line.shape))} {line.dtype}  {line.fate}"
    return f"{text}: {line.reason}" if line.reason else text


def _interface(record: ArtifactRecord) -> str:
    """``image float32 1×1×256×256 → logits float32 1×3×256×256``"""
    sides = (record.inputs, record.outputs)
    return " → ".join(", ".join(_port(port) for port in side) for side in sides)


def _port(port: Port) -> str:
    kind = f"{port.color} image" if port.kind == "image" else port.dtype
    return f"{port.name} {kind} {'×'.join(map(str, port.shape))}"
