"""Charts from records: what is drawn is what was counted."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import pytest
from PIL import Image

from lading.base.drawing import charts
from lading.record import DatasetRecord

EDGES = (1e-6, 1e-4, 1e-2, 1.0)
RECORD = DatasetRecord(
    data="set.csv", sha256="", artifact="out/a.onnx", runtime="onnxruntime", samples=30,
    labels=("ru", "en", "he"), right_original=27, right_artifact=26,
    confusion=((0, 0, 10), (1, 1, 10), (2, 2, 6), (2, 0, 4)),
    confusion_original=((0, 0, 10), (1, 1, 10), (2, 2, 7), (2, 0, 3)),
    edges=EDGES, errors=(20, 9, 0, 1, 0), gate=1e-2, changed=1,
)  # fmt: skip


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    found = image.convert("RGB").getcolors(1 << 22)
    assert found is not None
    return {colour for _, colour in found}  # type: ignore[misc]


def test_a_full_row_is_the_full_colour_and_mistakes_are_red() -> None:
    seen = colours(charts.confusion(RECORD))
    assert charts.BLUE in seen
    share = 0.4**0.5
    assert tuple(int(255 - (255 - part) * share) for part in charts.RED) in seen


def test_without_mistakes_nothing_is_red() -> None:
    right = replace(RECORD, confusion=((0, 0, 10), (1, 1, 10), (2, 2, 10)))
    reds = {c for c in colours(charts.confusion(right)) if c[0] > c[2] + 20}
    assert not reds


def test_many_classes_still_make_a_picture() -> None:
    labels = tuple(f"class {n}" for n in range(1000))
    many = tuple((n, n, 1) for n in range(1000))
    page = charts.confusion(replace(RECORD, labels=labels, confusion=many))
    assert page.width < 5000
    assert charts.BLUE in colours(page)


def test_the_gate_stands_right_of_what_passes() -> None:
    page = charts.errors([RECORD])
    red = [x for x in range(page.width) if page.getpixel((x, 100)) == charts.RED]
    base = page.height - charts.MARGIN - 40 - 2
    bars = [x for x in range(page.width) if page.getpixel((x, base)) == charts.BAR]
    assert red
    assert min(bars) < red[0]
    assert max(bars) > red[-1]


@pytest.mark.parametrize("errors", [(0, 0, 0, 0, 0), (0, 0, 0, 0, 3)])
def test_nothing_measured_and_no_numbers_are_drawn(errors: tuple[int, ...]) -> None:
    record = replace(RECORD, errors=errors)
    (_, picture) = charts.of_datasets([record])
    assert ("not a number" if any(errors) else "none measured") in picture.alt


def test_pictures_travel_as_text() -> None:
    pictures = charts.of_datasets([RECORD, replace(RECORD, runtime="mil")])
    assert [one.name for one in pictures] == [
        "confusion-onnxruntime", "confusion-mil", "probability-errors",
    ]  # fmt: skip
    for one in pictures:
        with Image.open(io.BytesIO(base64.b64decode(one.png))) as image:
            assert image.format == "PNG"
            assert image.width > 300
    assert "26 of 30 right" in pictures[0].alt
    assert charts.of_datasets([]) == ()
