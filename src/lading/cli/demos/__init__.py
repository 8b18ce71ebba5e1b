"""The contract of a demonstration: an embedded checkpoint, carried whole, and what to look at.

Each lives in one file of `demos/`, found by being there: the module holds one object ``DEMO``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lading.base import shelf
from lading.base.progress import Progress
from lading.errors import RequestError
from lading.record import Bill

#: Where the embedded checkpoints lie.
DATA = Path(__file__).parents[2] / "data"


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
        """Carries the embedded checkpoint into the folder `out`.

        Raises:
            LadingError: any stage refused.
        """
        ...


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


def folder(name: str) -> str:
    """The folder that ``lading demo NAME`` writes when none is named."""
    return "lading-demo" if name == "segmentation" else f"lading-demo-{name}"
