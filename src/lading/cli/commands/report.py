"""``lading report``: draw the page of a bill again, on any computer."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Report


def run(request: Report, display: Display) -> int:
    """0: the page is drawn, whatever the bill's verdict."""
    from lading.job.report import report

    drawn = report(request)
    if display.json:
        print_json({"page": str(drawn.path), "bytes": drawn.size, "verdict": drawn.bill.verdict})
    elif not display.quiet:
        console().print(f"{drawn.path}  {drawn.size / 1e3:.0f} kB", soft_wrap=True)
    return 0


COMMAND = Command(
    "draw the page of a bill again",
    ("lading report lading.json", "lading report lading.json -o page.html --json"),
    Report,
    run,
    rank=60,
)
