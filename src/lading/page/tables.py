"""What is drawn of a comparison over a user's table: confusion matrices and differences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lading.base.drawing.chart import LETTER, Drawing
from lading.record import DatasetRecord
from lading.record.wording import where

MARGIN = 16
#: More classes than this are drawn without words and numbers.
WORDED = 20
#: A bar's width, the highest bar, and a panel's height.
STEP, HIGH, PANEL = 44, 106, 192


def charts(records: Sequence[DatasetRecord]) -> tuple[Drawing, ...]:
    """A confusion matrix of each record, and the differences of all of them."""
    worth = [record for record in records if record.labels and record.edges]
    return (*map(confusion, worth), *([differences(worth)] if worth else []))


def confusion(record: DatasetRecord) -> Drawing:
    """Rows: the label; columns: the class that the artifact gives. Darker is a larger share of the
    row, on a scale of roots; in brackets the difference from the original's count."""
    count = len(record.labels)
    worded = count <= WORDED
    wide, high = (84, 40) if worded else (max(4, 900 // count),) * 2
    left = MARGIN + (LETTER * max(map(len, record.labels)) + 12 if worded else 0)
    top = MARGIN + (22 if worded else 0)
    place = where(record.artifact, record.runtime)
    right = f"{record.right_artifact:,} of {record.samples:,} right"
    drawing = Drawing(
        left + wide * count + MARGIN,
        top + high * count + MARGIN,
        f"{record.data}, {place}: {right}",
        f"Confusion matrix of {place}: {right}, the original {record.right_original:,}; "
        "rows: label, columns: answer",
        f"confusion-{record.runtime}",
    )
    for number, label in enumerate(record.labels if worded else ()):
        drawing.text("legend", MARGIN, top + high * number + 24, label)
        drawing.text("legend", left + wide * number + 6, top - 8, label)
    got, was = _cells(record.confusion, count), _cells(record.confusion_original, count)
    sums = Counter[int]()
    for (row, _), here in got.items():
        sums[row] += here
    for row, column in sorted({*got, *was}):
        here, before = got.get((row, column), 0), was.get((row, column), 0)
        shade = math.sqrt(here / sums[row]) if here else 0.0
        x, y, gap = left + wide * column, top + high * row, 2 * worded
        kind = "right" if row == column else "wrong"
        drawing.rect(kind, x, y, wide - gap, high - gap, fill_opacity=f"{shade:.3f}")
        if worded:
            text = f"{here:,}" + (f" ({here - before:+,})" if here != before else "")
            drawing.text("on" if shade > 0.6 else "legend", x + 6, y + 24, text)
    return drawing


def differences(records: Sequence[DatasetRecord]) -> Drawing:
    """A histogram a record: samples by the largest difference of any of their probabilities. Both
    axes are logarithmic; the count stands above its bar."""
    bars = 1 + max(len(record.edges) for record in records)
    bins = [f"{where(one.artifact, one.runtime)}: {_top(one)}" for one in records]
    drawing = Drawing(
        max(2 * MARGIN + STEP * bars, 480),
        PANEL * len(records),
        f"{records[0].data}: differences of probabilities from the original's",
        f"Samples by their largest difference of any probability, bars on a logarithmic scale; "
        f"largest: {'; '.join(bins)}",
        "probability-errors",
    )
    for number, record in enumerate(records):
        foot = PANEL * (number + 1) - 32
        drawing.text("legend", MARGIN, foot - HIGH - 36, bins[number])
        drawing.line("frame", MARGIN, foot, MARGIN + STEP * bars, foot)
        most = math.log10(max(*record.errors, 1) + 1)
        for place, count in enumerate(record.errors):
            x = MARGIN + STEP * place
            if count > 0:
                high = HIGH * math.log10(count + 1) / most
                drawing.rect("bar", x + 3, foot - high, STEP - 7, high)
                drawing.text("tick", x + 3, foot - high - 4, f"{count:,}")
            if place < len(record.edges) and place % 2 == 0:
                drawing.text("tick", x + STEP, foot + 15, f"{record.edges[place]:.0e}", "middle")
        passing = sum(edge < record.gate * 0.999 for edge in record.edges) + 1
        x = MARGIN + STEP * passing
        drawing.line("limit", x, foot - HIGH - 12, x, foot + 2)
        drawing.text("limit-label", x + 4, foot - HIGH - 12, f"gate {record.gate:g}")
    return drawing


def _cells(triples: Sequence[Sequence[int]], count: int) -> dict[tuple[int, int], int]:
    """Samples by row and column, as far as there is such a cell."""
    return {
        (cell[0], cell[1]): cell[2]
        for cell in triples
        if len(cell) == 3 and all(0 <= place < count for place in cell[:2]) and cell[2] > 0
    }


def _top(record: DatasetRecord) -> str:
    """The edge below which every difference lies."""
    last = max((place for place, count in enumerate(record.errors) if count), default=-1)
    if last < 0:
        return "none measured"
    return f"up to {record.edges[last]:.1e}" if last < len(record.edges) else "not a number"
