"""Where points lie: recomputed by hand, and never off the chart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.page import charts
from lading.record import Station, Walk
from tests import bills


def walk(errors: list[float]) -> Walk:
    stations = tuple(
        Station(f"v{i}", "op", f"a.b{i}", "", "value", error, -error, error)
        for i, error in enumerate(errors)
    )
    return Walk("a.onnx", "mil", "declared", len(stations), len(stations), stations, "v0")


def test_a_decade_is_a_decade() -> None:
    chart = charts.error(walk([1e-4, 1e-3, 1e-2]))
    assert chart is not None
    low, middle, high = (dot.y for dot in chart.dots)
    assert (low, high) == (chart.bottom, chart.top)
    assert middle == pytest.approx((low + high) / 2, abs=0.1)
    assert [dot.state for dot in chart.dots] == ["first", "", ""]
    xs = [dot.x for dot in chart.dots]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert [tick.label for tick in chart.ticks] == ["10⁻⁴", "10⁻³", "0.01"]


def test_what_leaves_fp16_is_above_its_line() -> None:
    chart = charts.ranges(bills.walk())
    assert chart is not None
    limit = chart.limits[0].at
    beyond = [dot for dot in chart.dots if dot.state == "beyond"]
    assert len(beyond) == 1
    assert beyond[0].y < limit
    assert all(dot.y > limit for dot in chart.dots if not dot.state)
    assert "1 places lie beyond" in chart.alt


@given(st.lists(st.floats(min_value=0), min_size=1, max_size=60))
def test_no_point_leaves_the_chart(errors: list[float]) -> None:
    for chart in (charts.error(walk(errors)), charts.ranges(walk(errors))):
        assert chart is not None
        for pair in chart.line.split():
            x, y = map(float, pair.split(","))
            assert chart.left <= x <= chart.right
            assert chart.top <= y <= chart.bottom


def test_not_a_number_is_drawn_at_the_top_and_told() -> None:
    chart = charts.error(walk([1e-3, math.nan]))
    assert chart is not None
    assert chart.dots[1].y == chart.top
    assert "the largest is nan at a.b1" in chart.alt


def test_nothing_walked_is_no_chart() -> None:
    assert charts.error(replace(bills.walk(), stations=())) is None
    assert charts.ranges(replace(bills.walk(), stations=())) is None


def test_many_stations_are_a_line_with_the_marked_ones() -> None:
    chart = charts.error(walk([1e-3] * (charts.DOTS + 1)))
    assert chart is not None
    assert len(chart.dots) == 1
    assert len(chart.line.split()) == charts.DOTS + 1
