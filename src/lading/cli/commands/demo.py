"""``lading demo``: carry an embedded checkpoint and draw the result."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, console, finish, with_stages


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("name", nargs="?", default="segmentation", metavar="NAME", help=_names())
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: lading-demo")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")


def run(arguments: argparse.Namespace) -> int:
    """0 where every artifact is equal to the original, else 1."""
    from lading import page as report
    from lading.cli import demos as demo

    chosen = demo.demo(arguments.name)
    out = arguments.out or Path(demo.folder(arguments.name))
    made = with_stages(arguments, lambda stages: chosen.run(out, stages))
    status = finish(arguments, made.bill, made.out)
    if not (arguments.json or arguments.quiet):
        shown = console()
        for line in made.lines:
            shown.print(line, markup=False, soft_wrap=True)
        shown.print("Where to look:")
        for path, text in made.look.items():
            shown.print(f"  {path}   {text}", markup=False, soft_wrap=True)
        page = made.out / report.PAGE
        shown.print(f"  {page}   the page: all of it, drawn", markup=False, soft_wrap=True)
    if arguments.open:
        report.show(made.out / report.PAGE)
    return status


def _names() -> str:
    from pkgutil import iter_modules

    from lading.cli import demos

    return ", ".join(sorted(one.name for one in iter_modules(demos.__path__)))


COMMAND = Command(
    "carry an embedded checkpoint and draw the result",
    ("lading demo", "lading demo segmentation -o somewhere"),
    arguments,
    run,
    rank=80,
)
