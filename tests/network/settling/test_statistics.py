"""Races whose winner is known, and races that have none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lading.network.settling.statistics import RISK, Floats, interval, quantile, race


@pytest.mark.parametrize("freedom", [3, 7, 15, 63])
@pytest.mark.parametrize("share", [0.75, 0.99, 1 - 1e-4, 1 - 1e-5])
def test_quantiles_are_student_s(share: float, freedom: int) -> None:
    # the grid has 200,000 angles: far in the tail of 3 degrees of freedom it is 4 digits good
    assert quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-3)


def drawn(offsets: list[float], spread: float, seed: int) -> dict[int, Floats]:
    """Errors [64, 2] of candidates 0, 1, ... that share what a sample is like."""
    generator = np.random.default_rng(seed)
    shared = generator.gamma(4.0, 0.25, (64, 2))
    return {
        place: shared * (1 + offset) + spread * generator.standard_normal((64, 2)) ** 2
        for place, offset in enumerate(offsets)
    }


def test_a_small_constant_difference_is_found_under_large_shared_ones() -> None:
    errors = drawn([0.0, 0.05, 0.1], 0.001, 0)
    standing = race([2, 0, 1], lambda one, start, stop: errors[one][start:stop], 16)
    assert [one.candidate for one in standing] == [0, 1, 2]
    assert standing[0].low == standing[0].high == 0
    assert all(one.low > 0 for one in standing[1:])
    assert standing[1].low < 0.05 < standing[1].high


def test_equals_are_not_told_apart() -> None:
    wrong = 0
    for seed in range(300):
        errors = drawn([0.0] * 6, 0.2, seed)
        standing = race(list(errors), lambda one, a, b, e=errors: e[one][a:b], 16)
        wrong += any(one.low > 0 for one in standing)
    # Candidates are compared with the best of them, which is drawn low: up to all six comparisons
    # at three looks, each with its share of the risk, on both sides.
    assert wrong <= 300 * 2 * RISK + 3 * (300 * 2 * RISK) ** 0.5


def test_the_truth_is_not_dropped() -> None:
    lost = 0
    for seed in range(300):
        errors = drawn([0.0, 0.01, 0.01, 0.02, 0.05], 0.2, seed)
        standing = race(list(errors), lambda one, a, b, e=errors: e[one][a:b], 16)
        lost += next(one for one in standing if one.candidate == 0).low > 0
    assert lost <= 3


def test_many_draws_on_few_pictures_are_no_more_than_the_pictures() -> None:
    generator = np.random.default_rng(5)
    by_picture = np.tile([0.5, -0.2, 0.4, 0.3], 250)
    middle, low, _ = interval(by_picture + 0.01 * generator.standard_normal(1000), 4, 0.01)
    assert middle == pytest.approx(0.25, abs=0.01)
    assert low < 0
    alone = interval(by_picture, 1000, 0.01)
    assert alone[1] > 0


def test_a_race_ends_when_one_is_left() -> None:
    asked: list[tuple[int, int, int]] = []
    errors = drawn([0.0, 1.0], 0.001, 1)

    def run(one: int, start: int, stop: int) -> Floats:
        asked.append((one, start, stop))
        return errors[one][start:stop]

    race([0, 1], run, 8)
    assert asked == [(0, 0, 16), (1, 0, 16)]


def test_the_worse_take_no_further_part() -> None:
    asked: list[tuple[int, int]] = []
    errors = drawn([0.0, 0.0, 1.0], 0.2, 2)

    def run(one: int, start: int, stop: int) -> Floats:
        asked.append((one, stop))
        return errors[one][start:stop]

    standing = race([0, 1, 2], run, 16)
    assert (2, 32) not in asked
    assert (0, 64) in asked
    assert [one.samples for one in standing] == [64, 64, 16]
