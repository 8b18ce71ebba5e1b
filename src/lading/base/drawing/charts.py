"""Charts of a comparison over a user's table, drawn from its records alone."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from PIL import Image, ImageDraw, ImageFont

from lading.record import DatasetRecord, Picture

INK, FAINT, PAPER, LINE = (20, 22, 26), (96, 102, 112), (255, 255, 255), (222, 226, 232)
BLUE, RED, BAR = (40, 90, 200), (200, 20, 40), (70, 110, 190)
MARGIN = 16
#: More classes than this are drawn without words and numbers.
WORDED = 20


def of_datasets(records: Sequence[DatasetRecord]) -> tuple[Picture, ...]:
    """A confusion matrix of each record, and the errors of all of them; all of one table."""
    if not records:
        return ()
    made = []
    for one in records:
        title = f"{one.data}: {_artifact(one)} in {one.runtime}"
        right = f"{one.right_artifact:,} of {one.samples:,} right"
        alt = f"Confusion matrix of {_artifact(one)} in {one.runtime}: {right}"
        made.append(_picture(f"confusion-{one.runtime}", title, alt, confusion(one)))
    largest = ", ".join(f"{one.runtime} {_top(one)}" for one in records)
    made.append(
        _picture(
            "probability-errors",
            f"{records[0].data}: differences of probabilities",
            f"Histogram of the largest difference of any probability, sample by sample; {largest}",
            errors(records),
        )
    )
    return tuple(made)


def confusion(one: DatasetRecord) -> Image.Image:
    """Rows: the label; columns: the class that the artifact gives. Darker is a larger share of the
    row, on a scale of roots; in brackets the difference from the original's count."""
    count = len(one.labels)
    worded = count <= WORDED
    cell = (84, 40) if worded else (max(4, 900 // count),) * 2
    small = ImageFont.load_default(12)
    left = MARGIN + (max(_width(label, small) for label in one.labels) + 12 if worded else 0)
    top = MARGIN + 44 + (22 if worded else 0)
    size = (max(left + cell[0] * count, 480) + MARGIN, top + cell[1] * count + MARGIN)
    page, pen = _page(
        size,
        f"{_artifact(one)} in {one.runtime}: {one.right_artifact:,} of {one.samples:,} right",
        f"{one.data}; the original: {one.right_original:,} right; rows: label, columns: answer",
    )
    got = {(a, b): n for a, b, n in one.confusion}
    was = {(a, b): n for a, b, n in one.confusion_original}
    sums = Counter[int]()
    for (row, _), here in got.items():
        sums[row] += here
    if worded:
        for place, label in enumerate(one.labels):
            pen.text((MARGIN, top + cell[1] * place + 12), label, INK, small)
            pen.text((left + cell[0] * place + 6, top - 20), label, INK, small)
    for row, column in sorted({*got, *was}):
        here, before = got.get((row, column), 0), was.get((row, column), 0)
        shade = (here / sums[row]) ** 0.5 if here else 0.0
        hue = BLUE if row == column else RED
        fill = tuple(int(255 - (255 - part) * shade) for part in hue)
        x, y = left + cell[0] * column, top + cell[1] * row
        gap = 2 if worded else 0
        pen.rectangle((x, y, x + cell[0] - 1 - gap, y + cell[1] - 1 - gap), fill)
        if worded:
            text = f"{here:,}" + (f" ({here - before:+,})" if here != before else "")
            pen.text((x + 6, y + 12), text, PAPER if shade > 0.6 else INK, small)
    return page


def errors(records: Sequence[DatasetRecord]) -> Image.Image:
    """A histogram a record: samples by the largest difference of any of their probabilities. Both
    axes are logarithmic; the count stands above its bar."""
    small = ImageFont.load_default(12)
    bars = len(records[0].edges) + 1
    step, high, left = 44, 130, MARGIN
    panel = high + 62
    size = (left + step * bars + MARGIN, MARGIN + 44 + panel * len(records) + MARGIN)
    page, pen = _page(
        size,
        f"{records[0].data}: how far probabilities are from the original's",
        "samples by their largest difference of any probability; bars on a logarithmic scale",
    )
    for number, one in enumerate(records):
        base = MARGIN + 44 + panel * number + 22 + high
        words = f"{_artifact(one)} in {one.runtime}; largest bin {_top(one)}"
        pen.text((left, base - high - 20), words, INK, small)
        pen.line((left, base, left + step * bars, base), LINE)
        most = math.log10(max(*one.errors, 1) + 1)
        for place, count in enumerate(one.errors):
            x = left + step * place
            if count:
                y = base - (high - 24) * math.log10(count + 1) / most
                pen.rectangle((x + 3, y, x + step - 4, base), BAR)
                pen.text((x + 3, y - 15), f"{count:,}", FAINT, small)
            if place < len(one.edges) and place % 2 == 0:
                pen.text((x + step - 16, base + 3), f"{one.edges[place]:.0e}", FAINT, small)
        after = (
            next((p for p, edge in enumerate(one.edges) if edge >= one.gate * 0.999), bars - 1) + 1
        )
        x = left + step * after
        pen.line((x, base - high + 12, x, base + 2), RED)
        pen.text((x + 4, base - high + 6), f"gate {one.gate:g}", RED, small)
    return page


def _page(size: tuple[int, int], title: str, below: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    fonts = ImageFont.load_default(15), ImageFont.load_default(12)
    wide = max(
        size[0], *(MARGIN * 2 + _width(t, f) for t, f in zip((title, below), fonts, strict=True))
    )
    page = Image.new("RGB", (wide, size[1]), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN), title, INK, fonts[0])
    pen.text((MARGIN, MARGIN + 22), below, FAINT, fonts[1])
    return page, pen


def _width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return math.ceil(font.getlength(text))


def _artifact(one: DatasetRecord) -> str:
    return PurePath(one.artifact).name


def _top(one: DatasetRecord) -> str:
    """The edge below which every error lies."""
    last = max((place for place, count in enumerate(one.errors) if count), default=-1)
    if last < 0:
        return "none measured"
    return f"up to {one.edges[last]:.1e}" if last < len(one.edges) else "not a number"


def _picture(name: str, title: str, alt: str, image: Image.Image) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return Picture(name, title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))
