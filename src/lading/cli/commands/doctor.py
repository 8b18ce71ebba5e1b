"""``lading doctor``: what this computer can and cannot do."""

from __future__ import annotations

import argparse

from lading.cli.commands import Command, console, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none of its own."""


def run(arguments: argparse.Namespace) -> int:
    """1 where something is in the way, else 0."""
    from lading.base.notices import Notices, gathered
    from lading.cli import terminal
    from lading.job import doctor

    with gathered(Notices()):
        checks = doctor.examine()
    if arguments.json:
        print_json([{"name": c.name, "state": c.state, "text": c.text} for c in checks])
    else:
        terminal.doctor(console(), checks)
    return 1 if any(check.state == "trouble" for check in checks) else 0


COMMAND = Command(
    "what this computer can and cannot do",
    ("lading doctor", "lading doctor --json"),
    arguments,
    run,
    rank=90,
)
