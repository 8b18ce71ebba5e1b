"""Whose turn it is, and what turns come to."""

from __future__ import annotations

import gc
import math

import pytest

from lading.job.timing import turns
from lading.job.timing.turns import Series, Turn


def test_a_turn_is_one_call_at_least_after_one_that_does_not_count() -> None:
    calls: list[bool] = []
    done = turns.turn(lambda: calls.append(gc.isenabled()), 0.0)
    assert calls == [True, False]  # nothing is collected while it is timed
    assert gc.isenabled()
    assert len(done.seconds) == 1
    assert done.seconds[0] >= 0
    assert done.cpu >= 0


def test_a_turn_lasts_and_ends() -> None:
    assert sum(turns.turn(lambda: None, 0.01).seconds) <= 60
    short = turns.MOST
    assert len(turns.turn(lambda: None, 600.0).seconds) == short


def test_an_error_within_a_turn_leaves_the_collector_on() -> None:
    counted: list[int] = []

    def call() -> None:
        counted.append(1)
        if len(counted) > 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        turns.turn(call, 0.0)
    assert gc.isenabled()


def test_the_order_alternates() -> None:
    seen = [turns.order([1, 2, 3], number) for number in range(4)]
    assert seen == [[1, 2, 3], [3, 2, 1], [1, 2, 3], [3, 2, 1]]


def test_the_figures_are_of_all_rounds() -> None:
    series = Series([Turn([1.0, 2.0], 3.0), Turn([3.0, 4.0, 5.0], 12.0)])
    figures = series.figures()
    assert figures == {
        "median": 3.0, "p95": pytest.approx(4.8), "mean": 3.0, "fastest": 1.0, "calls": 5,
        "per_second": pytest.approx(5 / 15), "cpu": 3.0,
    }  # fmt: skip
    assert series.medians == [1.5, 4.0]


def test_ratios_are_of_one_round() -> None:
    slow = Series([Turn([2.0], 0.0), Turn([8.0], 0.0)])
    fast = Series([Turn([1.0], 0.0), Turn([2.0], 0.0)])
    assert turns.ratios({"a": slow, "b": fast}, "a") == {"a": (1.0, 1.0), "b": (0.5, 0.25)}
    assert all(math.isfinite(one) for one in turns.ratios({"b": fast}, "b")["b"])
