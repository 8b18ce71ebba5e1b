"""Where points lie: recomputed by hand, and never off the chart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.base.drawing.chart import BOTTOM, DOTS, LEFT, RIGHT, TOP
from lading.page import charts
from lading.record import Station, Walk
from tests import bills
from tests.page.drawn import Seen


def walk(errors: list[float]) -> Walk:
    stations = tuple(
        Station(f"v{i}", "op", f"a.b{i}", "", "value", error, -error, error)
        for i, error in enumerate(errors)
    )
    return Walk("a.onnx", "mil", "declared", len(stations), len(stations), stations, "v0")


def test_a_decade_is_a_decade() -> None:
    seen = Seen(charts.error(walk([1e-4, 1e-3, 1e-2])))
    (x0, low), (x1, middle), (x2, high) = seen.points("line")
    assert (low, high) == (BOTTOM, TOP)
    assert middle == pytest.approx((low + high) / 2, abs=0.1)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert seen.heights("first") == [low]
    assert len(seen.heights()) == 3
    assert seen.words("tick")[:3] == ["10⁻⁴", "10⁻³", "0.01"]


def test_what_leaves_fp16_is_above_its_line() -> None:
    chart = charts.ranges(bills.walk())
    seen = Seen(chart)
    limit = float(seen("line", "limit")[0].get("y1", ""))
    (beyond,) = seen.heights("beyond")
    assert beyond < limit
    assert sum(y < limit for y in seen.heights()) == 1
    assert chart is not None
    assert "1 places lie beyond" in chart.alt


@given(st.lists(st.floats(min_value=0), min_size=1, max_size=60))
def test_no_point_leaves_the_chart(errors: list[float]) -> None:
    for chart in (charts.error(walk(errors)), charts.ranges(walk(errors))):
        for x, y in Seen(chart).points("line"):
            assert LEFT <= x <= RIGHT
            assert TOP <= y <= BOTTOM


def test_not_a_number_is_drawn_at_the_top_and_told() -> None:
    chart = charts.error(walk([1e-3, math.nan]))
    assert Seen(chart).heights()[1] == TOP
    assert chart is not None
    assert "the largest is nan at a.b1" in chart.alt


def test_nothing_walked_is_no_chart() -> None:
    assert charts.error(replace(bills.walk(), stations=())) is None
    assert charts.ranges(replace(bills.walk(), stations=())) is None


def test_many_stations_are_a_line_with_the_marked_ones() -> None:
    seen = Seen(charts.error(walk([1e-3] * (DOTS + 1))))
    assert len(seen.heights()) == 1
    assert len(seen.points("line")) == DOTS + 1


def test_modules_stand_below_their_stations() -> None:
    seen = Seen(charts.error(walk([1e-3] * 3)))
    assert [word for word in seen.words("tick") if word.startswith("a")] == ["a.b0", "a.b1", "a.b2"]
    assert len(seen("rect", "stripe")) == 2
