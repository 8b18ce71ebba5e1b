"""A bill: the verdict first, then how it was measured; and golden vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lading.base import storage
from lading.cli.terminal import findings
from lading.cli.terminal.inspection import settling
from lading.cli.terminal.text import STYLE, Table, first_line, interface, words
from lading.record import ArtifactRecord, Bill, Comparison, DatasetRecord
from lading.record.wording import (
    covered,
    gate,
    left_open,
    megabytes,
    number,
    subject,
    where,
    worst,
)

if TYPE_CHECKING:
    from lading.proof.golden import Replay


def bill(console: Console, one: Bill, out: Path | None, page: Path | None = None) -> None:
    """A bill: verdict, paths, sizes and worst errors first, then how each was measured.

    Args:
        console: to print on.
        one: the bill.
        out: the folder that its paths are relative to, or None.
        page: the folder where the page lies, or None where there is none.
    """
    measured = (one.comparisons, one.provenance, one.trajectories, one.refused)
    first_line(console, one.verdict, *measured)
    console.print()
    for artifact in one.artifacts:
        path = out / artifact.path if out else Path(artifact.path)
        _artifact(console, path, artifact, one.comparisons)
    if page:
        console.print(words(f"  {page / storage.PAGE}", style="bold"), soft_wrap=True)
    console.print()
    summary = one.ledger_summary
    console.print(
        f"  {summary.names} names, {summary.tensors} tensors: {summary.loaded} loaded, "
        f"{summary.aliases} second names, {summary.unused} unused,",
        highlight=False,
    )
    console.print(
        f"  {summary.unexplained} unexplained; {summary.parameters:,} parameters", highlight=False
    )
    for each in one.settlings:
        settling(console, each)
    console.print()
    comparisons(console, one.comparisons)
    datasets(console, one.datasets)
    for comparison in one.comparisons:
        if comparison.verdict == "fail":
            text = f"  {where(comparison.artifact, comparison.runtime)}: {comparison.reason}"
            console.print(words(text, style="red"), soft_wrap=True)
    findings.besides(console, one)
    for refusal in one.refused:
        for reason in refusal.reasons:
            console.print(words(f"  not written: {reason}", style="red"))
    if one.capture:
        for attempt in one.capture.attempts:
            console.print(words(f"  note: {attempt}", style="yellow"))
    for notice in one.notices:
        console.print(words(f"  notice: {notice}", style="dim"))


def replay(console: Console, one: Replay) -> None:
    """An artifact on golden vectors."""
    first_line(console, one.verdict, one.comparisons)
    console.print()
    _artifact(console, Path(one.artifact.path), one.artifact, one.comparisons)
    console.print(words(f"  {one.vectors} vectors of {one.golden}"), soft_wrap=True)
    console.print()
    comparisons(console, one.comparisons)
    for comparison in one.comparisons:
        if comparison.verdict == "fail":
            text = f"  {where(comparison.artifact, comparison.runtime)}: {comparison.reason}"
            console.print(words(text, style="red"), soft_wrap=True)
    for text in left_open(one.comparisons):
        console.print(words(f"  note: {text}", style="dim"), soft_wrap=True)


def _artifact(
    console: Console, path: Path, artifact: ArtifactRecord, many: Sequence[Comparison]
) -> None:
    """Path and size, what it takes and gives, and the number nearest to its gate."""
    console.print(
        words(f"  {path}", style="bold") + words(f"  {megabytes(artifact.bytes)}"), soft_wrap=True
    )
    console.print(words(f"    {artifact.precision}; {interface(artifact)}"))
    found = worst([one for one in many if one.artifact == artifact.path])
    if found:
        one, m = found
        text = f"    worst: {subject(m)} {number(m.kind, m.value)}, gate {gate(m)} ({one.runtime})"
        console.print(words(text, style="" if m.passed else "bold red"), soft_wrap=True)


def comparisons(console: Console, many: Sequence[Comparison]) -> None:
    """One line per gated number, the gate beside it."""
    table = Table("runtime", "measured", ">worst", ">gate", ">probes", "verdict")
    files = list(dict.fromkeys(one.artifact for one in many))
    known = sorted(many, key=lambda one: (files.index(one.artifact), one.verdict == "not run"))
    for before, one in zip([None, *known], known, strict=False):
        if len(files) > 1 and (before is None or before.artifact != one.artifact):
            table.line(words(f" {one.artifact}", style="bold"))
        verdict = words(one.verdict, style=STYLE[one.verdict])
        place = f"{one.runtime} on {one.device}" if one.device else one.runtime
        if not one.gated:
            table.row(place, one.reason, "", "", "", verdict)
        for index, m in enumerate(one.gated):
            table.row(
                place if index == 0 else "",
                subject(m),
                number(m.kind, m.value),
                gate(m),
                str(one.probes) if index == 0 else "",
                verdict if index == 0 else words(""),
            )
    table.show(console)
    for one in many:
        if text := covered(one):
            line = f"  {where(one.artifact, one.runtime)}: compared on {text}"
            console.print(words(line, style="dim"), soft_wrap=True)
    for one in many:
        for m in one.measurements:
            if not m.steady:
                there = f"{where(one.artifact, one.runtime)} at {m.probe}"
                line = f"  {there}: {number(m.kind, m.value)}, not gated"
                note = words(f"{line}: the original is not steady there", style="dim")
                console.print(note, soft_wrap=True)


def datasets(console: Console, many: Sequence[DatasetRecord]) -> None:
    """What each runtime made of the user's table."""
    for one in many:
        text = f"  {one.data}, {where(one.artifact, one.runtime)}: {one.samples:,} samples"
        console.print(words(text), soft_wrap=True)
        for who, right in (("original", one.right_original), ("artifact", one.right_artifact)):
            share = 100 * right / one.samples
            console.print(words(f"    {who} right {right:,} ({share:.2f} %)", style="dim"))
        console.print(words(f"    classes that changed: {one.changed:,}", style="dim"))
        for text in one.notes:
            console.print(words(f"    note: {text}", style="dim"))
