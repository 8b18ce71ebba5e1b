"""A chart is well-formed whatever it is told, and says the same in a page and in a file."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.base.drawing.chart import BOTTOM, STYLE, TOP, Chart, Drawing, Scale, decades

finite = st.floats(-1e6, 1e6)


@given(st.tuples(finite, finite).filter(lambda ends: ends[0] < ends[1]), st.floats(allow_nan=True))
def test_every_value_lies_within_the_frame(ends: tuple[float, float], value: float) -> None:
    scale = Scale(*ends, lost=ends[0])
    assert TOP <= scale.at(value) <= BOTTOM
    assert (scale.at(ends[0]), scale.at(ends[1])) == (BOTTOM, TOP)
    assert scale.at(math.nan) == BOTTOM


@given(st.lists(st.floats(allow_nan=False)))
def test_decades_hold_every_value(values: list[float]) -> None:
    scale = decades(values, 1e-9, 1e30)
    for value in values:
        if 1e-9 <= value <= 1e30:
            assert scale.low <= value * (1 + 1e-9)
            assert value * (1 - 1e-9) <= scale.high
    assert 2 <= len(scale.ticks()) <= 18


@given(st.text(), st.text())
def test_text_of_strangers_is_shown_and_not_obeyed(title: str, words: str) -> None:
    chart = Chart(title, words, "unit", Scale(0, 1), 3, Scale(0, 1).ticks(0.5))
    chart.curve([0.0, 1.0, 0.5], [words] * 3, ["", "first", ""])
    chart.mark(1, words)
    chart.legend(0, words, "series-1")
    for text in (chart.file().decode(), str(chart.inline("label"))):
        root = ElementTree.fromstring(text)
        kinds = {mark.tag.rpartition("}")[2] for mark in root.iter()}
        assert kinds <= {"svg", "title", "style", "rect", "line", "text", "polyline", "circle"}


def test_a_file_brings_its_colours() -> None:
    drawing = Drawing(100, 50, "What it is", "What it shows")
    drawing.rect("bar", 1, 2.04, 3, 4)
    text = drawing.file().decode()
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "What it is" in text
    assert "<title>What it shows</title>" in text
    assert '<rect class="bar" x="1" y="2" width="3" height="4"></rect>' in text
    assert "var(" in STYLE
    assert "var(" not in text


@pytest.mark.parametrize("label", ["a", "b-1"])
def test_a_page_labels_it(label: str) -> None:
    inline = Drawing(100, 50, "What it is", "What it shows").inline(label)
    assert f'aria-labelledby="{label}"' in inline
    assert f'<title id="{label}">What it shows</title>' in inline
    assert "<style" not in inline
