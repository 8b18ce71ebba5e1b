"""``lading report``: draw the page of a bill again, on any computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, console, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("bill", type=Path, metavar="BILL", help="a lading.json, or its folder")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="default: report.html beside the bill"
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(arguments: argparse.Namespace) -> int:
    """0: the page is drawn, whatever the bill's verdict."""
    from lading import page as report
    from lading.base import storage

    bill = report.read(arguments.bill)
    folder = arguments.bill if arguments.bill.is_dir() else arguments.bill.parent
    out = arguments.out or folder / report.PAGE
    page = report.render(bill).encode("utf-8")
    storage.write_file(out, page)
    if arguments.json:
        print_json({"page": str(out), "bytes": len(page), "verdict": bill.verdict})
    elif not arguments.quiet:
        console().print(f"{out}  {len(page) / 1e3:.0f} kB", markup=False, soft_wrap=True)
    if arguments.open:
        report.show(out)
    return 0


COMMAND = Command(
    "draw the page of a bill again",
    ("lading report lading.json", "lading report lading.json -o page.html --json"),
    arguments,
    run,
    rank=60,
)
