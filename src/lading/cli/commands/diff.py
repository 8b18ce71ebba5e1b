"""``lading diff``: what changed between two voyages."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, console, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("a", type=Path, metavar="BILL_A", help="a lading.json, or its folder")
    parser.add_argument("b", type=Path, metavar="BILL_B", help="another")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="a page, .html")


def run(arguments: argparse.Namespace) -> int:
    """0 where nothing changed, 1 where something did."""
    from lading import page as report
    from lading.base import storage
    from lading.cli import terminal
    from lading.page import diff

    names = (str(arguments.a), str(arguments.b))
    found = diff.compare(report.read(arguments.a), report.read(arguments.b), names)
    if arguments.out:
        storage.write_file(arguments.out, diff.render(found).encode("utf-8"))
    if arguments.json:
        print_json(diff.as_dict(found))
    elif not arguments.quiet:
        terminal.difference(console(), found, arguments.out)
    return 0 if found.equal else 1


COMMAND = Command(
    "what changed between two voyages",
    ("lading diff before/lading.json after/lading.json", "lading diff before after -o diff.html"),
    arguments,
    run,
    rank=65,
)
