"""What is drawn of a table is what was counted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lading import page
from lading.page import tables
from lading.record import DatasetRecord
from tests import bills
from tests.page.drawn import Seen

EDGES = (1e-6, 1e-4, 1e-2, 1.0)
RECORD = DatasetRecord(
    data="set.csv", sha256="", artifact="out/a.onnx", runtime="onnxruntime", samples=30,
    labels=("ru", "en", "he"), right_original=27, right_artifact=26,
    confusion=((0, 0, 10), (1, 1, 10), (2, 2, 6), (2, 0, 4)),
    confusion_original=((0, 0, 10), (1, 1, 10), (2, 2, 7), (2, 0, 3)),
    edges=EDGES, errors=(20, 9, 0, 1, 0), gate=1e-2, changed=1,
)  # fmt: skip


def test_a_full_row_is_the_full_colour_and_mistakes_are_red() -> None:
    seen = Seen(tables.confusion(RECORD))
    assert [cell.get("fill-opacity") for cell in seen("rect", "right")][:2] == ["1.000", "1.000"]
    (wrong,) = seen("rect", "wrong")
    assert float(wrong.get("fill-opacity", "")) == pytest.approx(math.sqrt(0.4), abs=1e-3)
    assert "4 (+1)" in seen.words()
    assert "6 (-1)" in seen.words()


def test_without_mistakes_nothing_is_red() -> None:
    right = ((0, 0, 10), (1, 1, 10), (2, 2, 10))
    seen = Seen(tables.confusion(replace(RECORD, confusion=right, confusion_original=right)))
    assert not seen("rect", "wrong")


def test_many_classes_still_make_a_picture() -> None:
    labels = tuple(f"class {n}" for n in range(1000))
    many = tuple((n, n, 1) for n in range(1000))
    drawing = tables.confusion(replace(RECORD, labels=labels, confusion=many))
    assert drawing.width < 5000
    assert len(Seen(drawing)("rect", "right")) == 1000


def test_the_gate_stands_right_of_what_passes() -> None:
    seen = Seen(tables.differences([RECORD]))
    bars = [float(bar.get("x", "")) for bar in seen("rect", "bar")]
    (gate,) = seen("line", "limit")
    at = float(gate.get("x1", ""))
    assert [bar < at for bar in bars] == [True, True, False]  # of 1e-6, 1e-4 and 1
    heights = [float(bar.get("height", "")) for bar in seen("rect", "bar")]
    assert heights[0] == tables.HIGH
    assert heights[1] / heights[0] == pytest.approx(math.log10(10) / math.log10(21), abs=1e-2)


@pytest.mark.parametrize("errors", [(0, 0, 0, 0, 0), (0, 0, 0, 0, 3)])
def test_nothing_measured_and_no_numbers_are_drawn(errors: tuple[int, ...]) -> None:
    drawing = tables.differences([replace(RECORD, errors=errors)])
    assert ("not a number" if any(errors) else "none measured") in drawing.alt


def test_one_matrix_a_record_and_one_histogram() -> None:
    drawn = tables.charts([RECORD, replace(RECORD, runtime="mil")])
    assert [one.name for one in drawn] == [
        "confusion-onnxruntime", "confusion-mil", "probability-errors",
    ]  # fmt: skip
    assert "a.onnx in ONNX Runtime: 26 of 30 right" in drawn[0].alt
    assert tables.charts([]) == ()


def test_they_stand_on_the_page_and_a_strangers_counts_do_no_harm() -> None:
    strange = replace(
        RECORD, labels=(*RECORD.labels[:2], "<b>\u202e"), errors=(-3, 5), gate=math.nan,
        confusion=((0,), (9, 9, 1), (-1, 0, 2), (0, 0, -4), (2, 1, 7)),
    )  # fmt: skip
    bare = replace(RECORD, labels=(), edges=())
    html = page.render(replace(bills.full(), datasets=(RECORD, strange, bare)))
    assert html.count('id="table-') == 3
    assert "<b>⟨" not in html
    assert "&lt;b&gt;⟨U+202E⟩" in html
