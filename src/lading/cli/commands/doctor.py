"""``lading doctor``: what this computer can and cannot do."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Doctor


def run(request: Doctor, display: Display) -> int:
    """1 where something is in the way, else 0."""
    from lading.cli import terminal
    from lading.job.doctor import doctor

    checks = doctor(request)
    if display.json:
        print_json([{"name": c.name, "state": c.state, "text": c.text} for c in checks])
    elif not display.quiet:
        terminal.doctor(console(), checks)
    return 1 if any(check.state == "trouble" for check in checks) else 0


COMMAND = Command(
    "what this computer can and cannot do",
    ("lading doctor", "lading doctor --json"),
    Doctor,
    run,
    rank=90,
)
