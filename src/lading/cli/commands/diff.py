"""``lading diff``: what changed between two bills."""

from __future__ import annotations

from pathlib import Path

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Diff


def run(request: Diff, display: Display) -> int:
    """0 where nothing changed, 1 where something did."""
    from lading.cli import terminal
    from lading.job.diff import diff
    from lading.page.diff import as_dict

    found = diff(request)
    if display.json:
        print_json(as_dict(found))
    elif not display.quiet:
        terminal.difference(console(), found, Path(request.out) if request.out else None)
    return 0 if found.equal else 1


COMMAND = Command(
    "what changed between two bills",
    (
        "lading diff before/lading.json after/lading.json",
        "lading diff before after -o diff.html",
        "lading diff before after -o diff.md --quiet",
    ),
    Diff,
    run,
    rank=65,
)
