"""What `lading report` does: the page of a bill, drawn again from records alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lading import page
from lading.base import storage
from lading.job.request import Report
from lading.record import Bill


@dataclass(frozen=True)
class Drawn:
    """The page at `path`, of `size` bytes, and the bill that it was drawn from."""

    path: Path
    size: int
    bill: Bill


def report(request: Report) -> Drawn:
    """Draws it.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """
    place = Path(request.bill)
    bill = page.read(place)
    out = Path(request.out or (place if place.is_dir() else place.parent) / storage.PAGE)
    drawn = page.render(bill).encode("utf-8")
    storage.write_file(out, drawn)
    if request.open:
        page.show(out)
    return Drawn(out, len(drawn), bill)
