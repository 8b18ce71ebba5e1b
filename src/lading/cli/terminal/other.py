"""Errors, differences between two bills, and what the doctor found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid

from lading.cli.terminal.text import STYLE, Table, words
from lading.errors import LadingError
from lading.record.diagnosis import Obstacle

if TYPE_CHECKING:
    from lading.job.doctor import Check
    from lading.page.diff import Difference

DOCTOR_STYLE = {"ok": "green", "absent": "yellow", "trouble": "bold red"}


def obstacles(console: Console, network: str, found: Sequence[Obstacle]) -> None:
    """What stands in a network's way: the line, what it does, why that matters, what to do."""
    stops = sum(one.stops for one in found)
    count = f"{len(found)} found, {stops} of them stop it" if found else "nothing found"
    console.print(words(network, style="bold") + words(f"  {count}"), soft_wrap=True)
    for one in found:
        style = "bold red" if one.stops else "yellow"
        console.print()
        console.print(words(one.kind, style) + words(f"  {one.where}"), soft_wrap=True)
        for text in (one.code, one.what, one.why, f"to do: {one.remedy}"):
            if text:
                console.print(words(f"  {text}"), soft_wrap=True)


def failure(console: Console, error: LadingError) -> None:
    """An error: subject, found, expected, remedy."""
    subject = error.subject.removeprefix("lading ")  # of what was typed: it is not said twice
    console.print(
        words("lading: ", style="bold red") + words(subject, style="bold"), soft_wrap=True
    )
    for name in ("found", "expected", "remedy"):
        grid = Grid.grid(padding=(0, 2))
        grid.add_column(width=10)
        grid.add_column(overflow="fold")
        grid.add_row(words(f"  {name}", style="dim"), words(str(getattr(error, name))))
        console.print(grid)


def difference(console: Console, one: Difference, page: Path | None, rows: int = 12) -> None:
    """What changed between two bills: the sections that differ, then what is the same."""
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
        console.print(words(f"{section.title}: {head}") + words(f"; {section.note}", "dim"))
        if not section.changes:
            continue
        table = Table("what", "A", "B", "how")
        for change in section.changes[:rows]:
            how = change.note or change.kind
            table.row(change.what, change.a, change.b, how)
        table.show(console)
        if len(section.changes) > rows:
            console.print(words(f"  and {len(section.changes) - rows} more: --json or -o", "dim"))


def doctor(console: Console, checks: Sequence[Check]) -> None:
    """One line per thing looked at."""
    table = Table("", "", "")
    for check in checks:
        table.row(words(check.state, DOCTOR_STYLE[check.state]), check.name, check.text)
    table.show(console)
