"""Metrics against numbers worked out by hand, and against the textbook."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lading.proof import metrics

NAN, INF = math.nan, math.inf
PAIR = [metrics.psnr, metrics.relative_l2, metrics.max_abs, metrics.label_agreement]
VALUES = st.floats(-1e6, 1e6, width=32)
SHAPES = hnp.array_shapes(max_dims=4, max_side=5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    shape = draw(SHAPES)
    one = hnp.arrays(np.float32, shape, elements=VALUES)
    return draw(one), draw(one)


# -------------------------------------------------------------------------------------------- psnr
@pytest.mark.parametrize(
    ("reference", "value", "expected"),
    [
        ([0, 10], [1, 10], 20 * math.log10(10 / math.sqrt(0.5))),
        ([0, 10], [0.01, 9.99], 60.0),
        ([-8, 4], [-8, 4.5], 20 * math.log10(8 / math.sqrt(0.125))),
        ([3, 3], [3, 3], INF),
        ([0, 0], [0, 0], INF),
        ([0, 0], [0, 1], -INF),
        ([1, 2], [1, INF], -INF),
        ([1, INF], [1, 2], -INF),
    ],
)
def test_psnr_by_hand(reference: Any, value: Any, expected: float) -> None:
    got = metrics.psnr(np.array(reference, float), np.array(value, float))
    assert got == pytest.approx(expected, rel=1e-12)


@given(pairs())
def test_psnr_is_the_textbook_formula(pair: tuple[Any, Any]) -> None:
    reference, value = (one.astype(np.float64) for one in pair)
    mean_square = np.square(reference - value).mean()
    peak = np.abs(reference).max()
    assume(mean_square > 1e-280)
    assume(peak > 1e-140)
    expected = 10 * math.log10(peak**2 / mean_square)
    # Two logarithms of float64 sums: a few units in the last place of numbers up to some hundreds.
    assert metrics.psnr(*pair) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_psnr_runs_over_every_element_where_another_does_not() -> None:
    """coremltools 9.0 `compute_snr_and_psnr` sums over all and divides by the first dimension."""
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((1, 3, 64, 64))
    value = reference + 1e-3 * generator.standard_normal(reference.shape)
    from coremltools.converters.mil.testing_utils import compute_snr_and_psnr

    _, theirs = compute_snr_and_psnr(reference, value)
    ours = metrics.psnr(reference, value)
    assert ours == pytest.approx(20 * math.log10(np.abs(reference).max() / 1e-3), abs=0.1)
    assert theirs < ours - 30


def test_a_difference_too_small_to_square_is_still_one() -> None:
    assert metrics.psnr(np.array([1e-5]), np.array([1e-5 + 1e-21])) < INF
    assert metrics.psnr(np.array([1e-200]), np.array([2e-200])) == pytest.approx(0.0)


def test_half_precision_is_compared_in_double() -> None:
    reference = np.array([60000.0, -60000.0], np.float16)
    assert metrics.psnr(reference, -reference) == pytest.approx(20 * math.log10(0.5))


# --------------------------------------------------------------------------------- other distances
@pytest.mark.parametrize(
    ("reference", "value", "expected"),
    [
        ([3, 4], [3, 4], 0.0),
        ([3, 4], [0, 0], 1.0),
        ([3, 4], [3, 5], 0.2),
        ([0, 0], [0, 0], 0.0),
        ([0, 0], [1, 0], INF),
        ([1, 2], [INF, 2], INF),
    ],
)
def test_relative_l2_by_hand(reference: Any, value: Any, expected: float) -> None:
    got = metrics.relative_l2(np.array(reference, float), np.array(value, float))
    assert got == pytest.approx(expected)


@given(pairs())
def test_relative_l2_does_not_know_the_unit(pair: tuple[Any, Any]) -> None:
    reference, value = (one.astype(np.float64) for one in pair)
    assume(np.linalg.norm(reference) > 1e-30)
    once, scaled = (metrics.relative_l2(s * reference, s * value) for s in (1.0, 1024.0))
    assert scaled == pytest.approx(once, rel=1e-12)


@given(pairs())
def test_max_abs_is_the_largest(pair: tuple[Any, Any]) -> None:
    flat = zip(*(one.astype(np.float64).ravel().tolist() for one in pair), strict=True)
    assert metrics.max_abs(*pair) == max(abs(a - b) for a, b in flat)


def test_agreement_by_hand() -> None:
    a, b = np.array([[0, 1], [2, 2]]), np.array([[0, 1], [1, 2]])
    assert metrics.label_agreement(a, b) == 0.75
    assert metrics.label_agreement(a, a) == 1.0
    assert metrics.label_agreement(a, a + 1) == 0.0


@pytest.mark.parametrize(
    ("label", "expected"), [(0, 2 / 3), (1, 0.5), (2, 0.0), (3, None)]
)  # 0: {0, 1} and {0}; 1: {2} and {1, 2, 3}; 2: {3} and none
def test_dice_by_hand(label: int, expected: float | None) -> None:
    a, b = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    assert metrics.dice(a, b, label) == expected


@given(hnp.arrays(np.int32, 12, elements=st.integers(0, 2)), st.permutations(range(12)))
def test_dice_counts_sets(labels: Any, order: list[int]) -> None:
    other = labels[list(order)]
    for label in range(3):
        a, b = (set(np.flatnonzero(one == label)) for one in (labels, other))
        got = metrics.dice(labels, other, label)
        assert got == (2 * len(a & b) / (len(a) + len(b)) if a or b else None)


# ------------------------------------------------------------------------------------- NaN, shapes
@pytest.mark.parametrize("function", PAIR)
@pytest.mark.parametrize("side", [0, 1, 2])
@given(SHAPES, st.randoms(use_true_random=False))
def test_nan_anywhere_is_nan(function: Any, side: int, shape: tuple[int, ...], random: Any) -> None:
    one, two = np.ones(shape, np.float32), np.ones(shape, np.float32)
    for array in ([one], [two], [one, two])[side]:
        array.flat[random.randrange(array.size)] = NAN
    assert math.isnan(function(one, two))


@pytest.mark.parametrize("function", [metrics.psnr, metrics.relative_l2, metrics.max_abs])
def test_infinities_that_both_have_are_a_mask(function: Callable[..., float]) -> None:
    masked, other = np.array([2.0, -INF]), np.array([1.0, -INF])
    assert function(masked, masked) == function(masked[:1], masked[:1])
    assert function(masked, other) == function(masked[:1], other[:1])
    for wrong in (np.array([2.0, INF]), np.array([2.0, -1e30])):
        with np.errstate(invalid="ignore"):
            assert not np.isfinite(function(masked, wrong))


@pytest.mark.parametrize("function", [*PAIR, lambda a, b: metrics.dice(a, b, 0)])
@pytest.mark.parametrize("shapes", [((2, 3), (3, 2)), ((3,), (1, 3)), ((3,), ()), ((0,), (0,))])
def test_other_shapes_and_nothing_are_refused(function: Any, shapes: Any) -> None:
    with pytest.raises(ValueError, match="cannot compare shapes"):
        function(*(np.zeros(shape) for shape in shapes))


@given(pairs())
def test_only_equal_arrays_are_equal(pair: tuple[Any, Any]) -> None:
    equal = bool((pair[0] == pair[1]).all())
    assert (metrics.psnr(*pair) == INF) is equal
    assert (metrics.relative_l2(*pair) == 0.0) is equal
    assert (metrics.max_abs(*pair) == 0.0) is equal
    assert (metrics.label_agreement(*pair) == 1.0) is equal
