"""A checkpoint or an artifact, looked at."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from rich.console import Console
from rich.tree import Tree

from lading.cli.terminal.text import Table, lines, words
from lading.record import (
    ArtifactRecord,
    CheckpointRecord,
    LedgerLine,
    LedgerSummary,
    Recognition,
    Settling,
)
from lading.record.text import DEEPEST
from lading.record.values import show
from lading.record.wording import above, kept, megabytes, mentioned, outcome, port, settled


def inspection(
    console: Console,
    record: CheckpointRecord,
    recognition: Recognition,
    summary: LedgerSummary | None,
    shapes: Mapping[str, tuple[int, ...]],
    aliases: Mapping[str, str],
    refused: str = "",
    advice: str = "",
    *,
    tensors: bool = False,
) -> None:
    """A checkpoint: what it is, its hyper-parameters with evidence, `tensors` as a tree, and last
    whether it can be converted."""
    console.print(
        words(recognition.title, style="bold") + words(f"  {record.path}"), soft_wrap=True
    )
    console.print(words(f"  {record.container}, {megabytes(record.bytes)}"))
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for step in record.steps:
        console.print(words(f"  {step}"))
    for sentence in mentioned(record):
        console.print(words(f"  {sentence}", style="yellow"))
    if summary:
        console.print(
            f"  {summary.names} names, {summary.tensors} tensors, "
            f"{summary.parameters:,} parameters; {summary.unexplained} unexplained",
            highlight=False,
        )
    console.print()
    if recognition.hyperparameters:
        _hyperparameters(console, recognition)
    for conflict in recognition.conflicts:
        state = f"settled: {conflict.settled}" if conflict.settled else "NOT settled"
        console.print(words(f"conflict on {conflict.name}, {state}", style="bold red"))
        for claim in conflict.claims:
            console.print(words(f"  {claim.evidence}: {show(claim.value)} ({claim.source})"))
    for table_ in recognition.settlings:
        settling(console, table_)
    console.print()
    if tensors:
        console.print(tensor_tree(shapes, aliases))
        console.print()
    if refused:
        console.print(lines("it cannot be converted as it is: ", "bold red") + lines(refused))
        return
    more = "" if tensors else "; --tensors lists them"
    if advice:
        console.print(words(f"{len(shapes):,} tensors{more}"), soft_wrap=True)
        console.print(words(f"to convert it: {advice}"), soft_wrap=True)
        return
    unsettled = [one.name for one in recognition.conflicts if not one.settled]
    if unsettled:
        text = words(f"not settled: {', '.join(unsettled)}", style="bold red")
        console.print(text + words("; say which: --set NAME=VALUE"), soft_wrap=True)
        return
    text = words("every tensor is accounted for", style="bold green")
    console.print(
        text + words(f"{more}; next: lading convert {shlex.quote(record.path)}"), soft_wrap=True
    )


def _hyperparameters(console: Console, recognition: Recognition) -> None:
    table = Table("!hyper-parameter", "value", "evidence", "source")
    for one in recognition.hyperparameters:
        style = "yellow" if one.evidence == "assumed" else ""
        source = f"or {', '.join(one.alternatives)}; " if one.alternatives else ""
        table.row(one.name, show(one.value), words(one.evidence, style), source + one.source)
    table.show(console)


def settling(console: Console, record: Settling) -> None:
    """The candidates for what a checkpoint does not say, best first, and what that settles."""
    title = f"settled by noise prediction: {record.kind}, on {record.pictures} pictures"
    console.print()
    console.print(words(title, style="bold"))
    for sentence in settled(record):
        console.print(words(f"  {sentence}"))
    table = Table("candidate", ">error", ">above", ">interval", ">samples", "outcome")
    for one in record.candidates:
        values = ", ".join(f"{name} {value or 'none'}" for name, value in one.values.items())
        table.row(
            words(values, style="" if one.plausible else "dim"),
            f"{one.error:.4g}",
            *above(record, one),
            str(one.samples),
            words(outcome(record, one), style="" if one.plausible else "dim"),
        )
    table.show(console)


def tensor_tree(shapes: Mapping[str, tuple[int, ...]], aliases: Mapping[str, str]) -> Tree:
    """Tensor names as a tree; second names are only counted, under what they repeat."""
    tree = Tree(f"{len(shapes)} names over {len(shapes) - len(aliases)} tensors")
    branches: dict[str, Tree] = {"": tree}
    for name, shape in shapes.items():
        if name in aliases:
            continue
        *path, leaf = name.split(".", DEEPEST)
        at = ""
        for part in path:
            parent, at = at, f"{at}.{part}" if at else part
            if at not in branches:
                branches[at] = branches[parent].add(words(part))
        size = words("×".join(map(str, shape)) or "scalar", style="dim")
        branches[at].add(words(f"{leaf} ") + size)
    if aliases:
        tree.add(words(f"and {len(aliases)} second names of these", "dim"))
    return tree


def artifact(console: Console, record: ArtifactRecord, obstacle: str = "") -> None:
    """A converted file: ports, precision, metadata, and why it cannot be run here."""
    console.print(words(record.path, style="bold"), soft_wrap=True)
    what = f"{record.format_title} {record.precision}".rstrip()
    console.print(words(f"  {what}, {megabytes(record.bytes)}"))
    if obstacle:
        console.print(words(f"  cannot be run here: {obstacle}", style="yellow"), soft_wrap=True)
    console.print(f"  sha256 {record.sha256}", highlight=False, soft_wrap=True)
    for kind, ports in (("takes", record.inputs), ("gives", record.outputs)):
        for one in ports:
            console.print(words(f"  {kind} {port(one)}"))
    for state in record.states:
        console.print(words(f"  keeps {kept(state)}"))
    for key, value in record.details.items():
        line = words(f"  {key}: {value}", style="dim")
        line.truncate(console.width, overflow="ellipsis")
        console.print(line)


def ledger_line(line: LedgerLine) -> str:
    """A ledger line as text.

    >>> ledger_line(LedgerLine("a.weight", (2, 3), "float32", "loaded", "", ""))
    'a.weight  2×3 float32  loaded'
    """
    text = f"{line.name}  {'×'.join(map(str, line.shape))} {line.dtype}  {line.fate}"
    return f"{text}: {line.reason}" if line.reason else text
