"""What a person reads in the terminal, drawn from records. 80 columns; no colour when piped."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lading import findings
from lading.errors import LadingError
from lading.evidence import (
    ArtifactRecord,
    Bill,
    CheckpointRecord,
    Comparison,
    DatasetRecord,
    LedgerLine,
    LedgerSummary,
    Port,
    Recognition,
    Settling,
)
from lading.reading import show
from lading.report import PAGE
from lading.wording import (
    UNSTEADY,
    WORDS,
    above,
    gate,
    megabytes,
    number,
    outcome,
    settled,
    worst,
)

if TYPE_CHECKING:
    from lading.diff import Difference
    from lading.doctor import Check
    from lading.golden import Replay

STYLE = {"pass": "bold green", "fail": "bold red", "not run": "yellow"}
DOCTOR_STYLE = {"ok": "green", "absent": "yellow", "trouble": "bold red"}
#: Control characters, which a terminal would obey: names and values come from strangers' files.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def words(text: str, style: str = "") -> Text:
    """`text` to be shown as it is: neither markup nor control characters act.

    >>> str(words("[bold]a\\x1b[31mb"))
    '[bold]a\N{REPLACEMENT CHARACTER}[31mb'
    """
    return Text(_CONTROL.sub("\ufffd", text), style=style)


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
            self.console.print(words(f"… {self.current}", style="dim"), end="\r", highlight=False)

    def finish(self) -> None:
        """Ends the line of the stage that runs."""
        if self.current:
            took = time.monotonic() - self.last
            line = words(f"{took:6.1f} s  {self.current}", style="dim")
            line.truncate(self.console.width, overflow="ellipsis")
            self.console.print(line, highlight=False)
        self.current = ""


class Bar:
    """How far a walk through a file is, and the time that is left, on one line; where the console
    is no terminal, a line every half minute."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, whole: int, samples: int) -> None:
        """Shows it.

        Args:
            done: bytes read.
            whole: bytes in all.
            samples: as many are through.
        """
        now = time.monotonic()
        if self.first is None:  # an earlier run's share took no time of this one
            self.began, self.first, self.last = now, done, now - 60.0
        pause = 0.2 if self.console.is_terminal else 30.0
        if now - self.last < pause and done < whole:
            return
        self.last = now
        line = words(f"  {bar(done / whole, 30)} {samples:,} samples{self._left(now, done, whole)}")
        end = "\r" if self.console.is_terminal and done < whole else "\n"
        self.console.print(line, end=end, highlight=False, style="dim")

    def _left(self, now: float, done: int, whole: int) -> str:
        fresh = done - (self.first or 0)
        if fresh <= 0 or done >= whole:
            return "        "
        seconds = round((now - self.began) * (whole - done) / fresh)
        return f", {seconds // 60}:{seconds % 60:02d} left "


def bar(share: float, width: int) -> str:
    """A bar and its per cent.

    >>> bar(0.5, 8)
    '████░░░░  50 %'
    """
    full = int(share * width)
    return "█" * full + "░" * (width - full) + f" {int(100 * share):3d} %"


def failure(console: Console, error: LadingError) -> None:
    """An error: subject, found, expected, remedy."""
    console.print(
        words("lading: ", style="bold red") + words(error.subject, style="bold"), soft_wrap=True
    )
    for name in ("found", "expected", "remedy"):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=10)
        grid.add_column(overflow="fold")
        grid.add_row(words(f"  {name}", style="dim"), words(str(getattr(error, name))))
        console.print(grid)


def bill(console: Console, one: Bill, out: Path | None, page: Path | None = None) -> None:
    """A voyage: verdict, paths, sizes and worst errors first, then how each was measured.

    Args:
        console: to print on.
        one: the bill.
        out: the folder that its paths are relative to, or None.
        page: the folder where the page lies, or None where there is none.
    """
    _verdict(console, one.verdict)
    for artifact in one.artifacts:
        path = out / artifact.path if out else Path(artifact.path)
        _carried(console, path, artifact, one.comparisons)
    if page:
        console.print(words(f"  {page / PAGE}", style="bold"), soft_wrap=True)
    console.print()
    summary = one.ledger_summary
    console.print(
        f"  {summary.names} names, {summary.tensors} tensors: {summary.loaded} loaded, "
        f"{summary.aliases} second names, {summary.unused} unused,\n"
        f"  {summary.unexplained} unexplained; {summary.parameters:,} parameters",
        highlight=False,
    )
    for each in one.settlings:
        settling(console, each)
    console.print()
    comparisons(console, one.comparisons)
    datasets(console, one.datasets)
    for comparison in one.comparisons:
        if comparison.verdict == "fail":
            console.print(words(f"  {comparison.runtime}: {comparison.reason}", style="red"))
    findings.besides(console, one)
    if one.capture:
        for attempt in one.capture.attempts:
            console.print(words(f"  note: {attempt}", style="yellow"))
    for notice in one.notices:
        console.print(words(f"  notice: {notice}", style="dim"))


def difference(console: Console, one: Difference, page: Path | None, rows: int = 12) -> None:
    """What changed between two voyages: the sections that differ, then what is the same."""
    console.print(words("SAME" if one.equal else "CHANGED", style="bold"))
    for label, name, verdict in zip("AB", (one.a, one.b), one.verdicts, strict=True):
        console.print(
            words(f"  {label}  {name}  ") + words(verdict, STYLE[verdict]), soft_wrap=True
        )
    if page:
        console.print(words(f"  {page}", style="bold"), soft_wrap=True)
    for section in one.sections:
        console.print()
        head = f"{len(section.changes)} changed" if section.changes else "no change"
        console.print(words(f"{section.title}: {head}") + words(f"; {section.told}", "dim"))
        if not section.changes:
            continue
        table = Table(box=None, padding=(0, 1), header_style="dim")
        for name in ("what", "A", "B", "how"):
            table.add_column(name, overflow="fold")
        for change in section.changes[:rows]:
            how = change.note or change.kind
            table.add_row(words(change.what), words(change.a), words(change.b), words(how))
        console.print(table)
        if len(section.changes) > rows:
            console.print(words(f"  and {len(section.changes) - rows} more: --json or -o", "dim"))


def replay(console: Console, one: Replay) -> None:
    """An artifact on golden vectors."""
    _verdict(console, one.verdict)
    _carried(console, Path(one.artifact.path), one.artifact, one.comparisons)
    console.print(words(f"  {one.vectors} vectors of {one.golden}"), soft_wrap=True)
    console.print()
    comparisons(console, one.comparisons)
    for comparison in one.comparisons:
        if comparison.verdict == "fail":
            console.print(words(f"  {comparison.runtime}: {comparison.reason}", style="red"))


def _verdict(console: Console, verdict: str) -> None:
    console.print(words(verdict.upper(), style=STYLE[verdict]) + words(f"  {WORDS[verdict]}"))
    console.print()


def _carried(
    console: Console, path: Path, artifact: ArtifactRecord, many: Sequence[Comparison]
) -> None:
    """Path and size, what it takes and gives, and the number nearest to its gate."""
    console.print(
        words(f"  {path}", style="bold") + words(f"  {megabytes(artifact.bytes)}"), soft_wrap=True
    )
    console.print(words(f"    {artifact.precision}; {_interface(artifact)}"))
    found = worst(tuple(one for one in many if one.artifact == artifact.path))
    if found:
        one, metric = found
        told = f"{metric.name} {number(metric.name, metric.value)}, gate {gate(metric)}"
        style = "" if metric.passed else "bold red"
        console.print(words(f"    worst: {told} ({one.runtime})", style=style))


def comparisons(console: Console, many: Sequence[Comparison]) -> None:
    """One line per gated number, the gate beside it."""
    table = Table(box=None, padding=(0, 1), pad_edge=True, header_style="dim")
    for name in ("runtime", "measured", "worst", "gate", "probes", "verdict"):
        table.add_column(name, justify="right" if name in ("worst", "gate", "probes") else "left")
    for one in sorted(many, key=lambda one: one.verdict == "not run"):
        verdict = words(one.verdict, style=STYLE[one.verdict])
        gated = [metric for metric in one.metrics if metric.gate is not None]
        if not gated:
            table.add_row(one.runtime, words(one.reason), "", "", "", verdict)
        for index, metric in enumerate(gated):
            table.add_row(
                one.runtime if index == 0 else "",
                words(metric.name),
                number(metric.name, metric.value),
                gate(metric),
                str(one.probes) if index == 0 else "",
                verdict if index == 0 else words(""),
            )
    console.print(table)
    for one in many:
        for metric in one.metrics:
            if metric.name.endswith(UNSTEADY):
                shown = number(metric.name.removesuffix(UNSTEADY), metric.value)
                line = f"  {one.runtime} at {metric.worst_probe}: {shown}, not gated"
                console.print(words(f"{line}: the original is not steady there", style="dim"))


def datasets(console: Console, many: Sequence[DatasetRecord]) -> None:
    """What each runtime made of the user's table."""
    for one in many:
        console.print(words(f"  {one.data} in {one.runtime}: {one.samples:,} samples"))
        for who, right in (("original", one.right_original), ("artifact", one.right_artifact)):
            share = 100 * right / one.samples
            console.print(words(f"    {who} right {right:,} ({share:.2f} %)", style="dim"))
        console.print(words(f"    classes that changed: {one.changed:,}", style="dim"))
        for text in one.notes:
            console.print(words(f"    note: {text}", style="dim"))


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
    console.print(
        words(recognition.title, style="bold") + words(f"  {record.path}"), soft_wrap=True
    )
    console.print(words(f"  {record.container}, {megabytes(record.bytes)}"))
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for step in record.steps:
        console.print(words(f"  {step}"))
    if summary:
        console.print(
            f"  {summary.names} names, {summary.tensors} tensors, "
            f"{summary.parameters:,} parameters; {summary.unexplained} unexplained",
            highlight=False,
        )
    console.print()
    table = Table(box=None, padding=(0, 1), header_style="dim")
    longest = max((len(one.name) for one in recognition.hyperparameters), default=15)
    for heading, width in (
        ("hyper-parameter", longest),
        ("value", 20),
        ("evidence", 9),
        ("source", max(12, console.width - longest - 20 - 9 - 8)),
    ):
        table.add_column(heading, width=width, overflow="fold")
    for one in recognition.hyperparameters:
        style = "yellow" if one.evidence == "assumed" else ""
        source = f"or {', '.join(one.alternatives)}; " if one.alternatives else ""
        place = words(source + one.source)
        place.truncate(max(12, console.width - longest - 20 - 9 - 8), overflow="ellipsis")
        table.add_row(words(one.name), words(show(one.value)), words(one.evidence, style), place)
    console.print(table)
    for conflict in recognition.conflicts:
        state = f"settled: {conflict.settled}" if conflict.settled else "NOT settled"
        console.print(words(f"conflict on {conflict.name}, {state}", style="bold red"))
        for claim in conflict.claims:
            console.print(words(f"  {claim.evidence}: {show(claim.value)} ({claim.source})"))
    for table_ in recognition.settlings:
        settling(console, table_)
    console.print()
    console.print(tensor_tree(shapes, aliases))
    if refused:
        console.print(
            words("\nit cannot be converted as it is: ", style="bold red") + words(refused)
        )


def settling(console: Console, record: Settling) -> None:
    """The candidates for what a checkpoint does not say, best first, and what that settles."""
    title = f"\nsettled by noise prediction: {record.kind}, on {record.pictures} pictures"
    console.print(words(title, style="bold"))
    for told in settled(record):
        console.print(words(f"  {told}"))
    table = Table(box=None, padding=(0, 1), pad_edge=True, header_style="dim")
    for name in ("candidate", "error", "above", "interval", "samples", "outcome"):
        left = name in ("candidate", "outcome")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for one in record.candidates:
        values = ", ".join(f"{name} {value or 'none'}" for name, value in one.values.items())
        table.add_row(
            words(values, style="" if one.plausible else "dim"),
            f"{one.error:.4g}",
            *above(record, one),
            str(one.samples),
            words(outcome(record, one), style="" if one.plausible else "dim"),
        )
    console.print(table)


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
                branches[at] = branches[parent].add(words(part))
        size = words("×".join(map(str, shape)) or "scalar", style="dim")
        branches[at].add(words(f"{leaf} ") + size)
    if aliases:
        tree.add(f"[dim]and {len(aliases)} second names of these[/dim]")
    return tree


def artifact(console: Console, record: ArtifactRecord) -> None:
    """A converted file: ports, precision, metadata."""
    console.print(words(record.path, style="bold"), soft_wrap=True)
    console.print(
        f"  {record.format} {record.precision}, {megabytes(record.bytes)}", highlight=False
    )
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for kind, ports in (("takes", record.inputs), ("gives", record.outputs)):
        for port in ports:
            console.print(words(f"  {kind} {_port(port)}"))
    for key, value in record.details.items():
        line = words(f"  {key}: {value}", style="dim")
        line.truncate(console.width, overflow="ellipsis")
        console.print(line)


def doctor(console: Console, checks: Sequence[Check]) -> None:
    """One line per thing looked at."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for check in checks:
        table.add_row(
            words(check.state, DOCTOR_STYLE[check.state]), words(check.name), words(check.text)
        )
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
