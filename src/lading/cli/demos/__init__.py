"""The contract of a demonstration: a checkpoint of ours, converted, and what to look at.

Each lives in one file of `demos/`, found by being there: the module holds one object ``DEMO``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lading.base import progress, shelf
from lading.base.progress import Progress
from lading.errors import RequestError
from lading.record import Bill

#: Where the checkpoint lies that is part of the package.
DATA = Path(__file__).parents[2] / "data"
#: Where the repository's recipes lie: beside the source tree, or in the current folder.
RECIPES = (Path(__file__).parents[4] / "recipes", Path("recipes"))


@dataclass(frozen=True)
class Made:
    """What a demonstration left: the bill, its folder, what to look at, each with a line, and what
    to print besides."""

    bill: Bill
    out: Path
    look: Mapping[Path, str]
    lines: tuple[str, ...] = ()


class Demo(Protocol):
    """A demonstration."""

    def run(self, out: Path, progress: Progress) -> Made:
        """Converts the checkpoint into the folder `out`.

        Raises:
            LadingError: any stage refused.
        """
        ...


def checkpoint(recipe: str) -> Path:
    """The checkpoint that a recipe of the repository made; it is too large for the
    package.

    Raises:
        RequestError: there is no checkout of the repository here.
    """
    name = f"{recipe}/{recipe}.pth"
    for folder in RECIPES:
        if (folder / name).is_file():
            return folder / name
    raise RequestError(
        "this demonstration",
        found="no checkpoint: the package holds the segmentation demo's alone",
        expected=f"recipes/{name}, which lies in lading's repository",
        remedy="run it in a checkout of that; "
        f"`python -m recipes.{recipe}.train --work DIR` there trains it again",
    )


def demos() -> dict[str, Demo]:
    """Every demonstration, by name."""
    return shelf.read("lading.cli.demos", "DEMO")


def demo(name: str) -> Demo:
    """The demonstration called `name`.

    Raises:
        RequestError: there is none of that name.
    """
    known = demos()
    if name not in known:
        raise RequestError(
            f"lading demo {name}",
            found=repr(name),
            expected=" or ".join(known),
            remedy="leave the name out for the segmentation demo",
        )
    return known[name]


def run(name: str = "segmentation", out: str | os.PathLike[str] | None = None) -> Bill:
    """What ``lading demo NAME`` does; its bill.

    Raises:
        LadingError: there is no such demonstration, or a stage refused.
    """
    stages = progress.here()
    try:
        return demo(name).run(Path(out or folder(name)), stages or progress.silent).bill
    finally:
        if stages:
            stages.finish()


def folder(name: str) -> str:
    """The folder that ``lading demo NAME`` writes when none is named."""
    return "lading-demo" if name == "segmentation" else f"lading-demo-{name}"
