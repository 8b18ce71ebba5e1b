"""``lading demo``: convert a checkpoint of ours and draw the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lading.base import shelf
from lading.cli.commands import Command, Display, console, finish, with_stages
from lading.job.options import FLAG, PATH, Request, StrPath, one_of, option

KNOWN = one_of(*shelf.names("lading.cli.demos"))


@dataclass(frozen=True)
class Demo(Request):
    """What is asked of a demonstration."""

    name: str = option("segmentation", KNOWN, ", ".join(KNOWN.words), metavar="NAME", argument=True)
    out: StrPath | None = option(None, PATH, "default: lading-demo", metavar="DIR", short="o")
    open: bool = option(False, FLAG, "show the page in the browser")


def run(request: Demo, display: Display) -> int:
    """0 where every artifact is equal to the original, else 1."""
    from lading import page as report
    from lading.base import storage
    from lading.cli import demos as demo

    chosen = demo.demo(request.name)
    out = Path(request.out or demo.folder(request.name))
    made = with_stages(display, request, lambda asked: chosen.run(out, asked.progress))
    status = finish(display, made.bill, made.out)
    if not display.silent:
        shown = console()
        for line in made.lines:
            shown.print(line, soft_wrap=True)
        shown.print("Where to look:")
        for path, text in made.look.items():
            shown.print(f"  {path}   {text}", soft_wrap=True)
        page = made.out / storage.PAGE
        shown.print(f"  {page}   the page: all of it, drawn", soft_wrap=True)
    if request.open:
        report.show(made.out / storage.PAGE)
    return status


COMMAND = Command(
    "convert a checkpoint of ours and draw the result",
    ("lading demo", "lading demo segmentation -o somewhere"),
    Demo,
    run,
    rank=80,
)
