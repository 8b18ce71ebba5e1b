"""Pre- and post-processing against their formulas in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from lading.task.pictures import normalise
from lading.task.processing import Affine, Labels, Probabilities, ZScore
from tests.toys import noise

SCORES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(2, 5), st.integers(1, 4), st.integers(1, 4)),
    # No closer to 0 than float32's sigmoid can tell from one half.
    elements=st.one_of(
        st.floats(-8, -(2**-9), width=32), st.floats(2**-9, 8, width=32), st.just(0.0)
    ),
)


def run(module: nn.Module, values: Any) -> Any:
    with torch.inference_mode():
        return module(torch.from_numpy(values)).numpy()


# ----------------------------------------------------------------------------------------- z-score
def zscore(x: Any) -> Any:
    """The formula, in double precision, image by image and channel by channel."""
    wide = x.astype(np.float64)
    axes = tuple(range(2, x.ndim))
    spread = np.maximum(wide.std(axis=axes, keepdims=True), 1e-8)
    return (wide - wide.mean(axis=axes, keepdims=True)) / spread


@pytest.mark.parametrize("shape", [(1, 1, 32, 48), (2, 3, 17, 33), (1, 2, 9, 10, 11), (3, 1, 40)])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1000, 3000), (0, 1e-3)])
def test_zscore_is_the_formula(shape: tuple[int, ...], low: float, high: float) -> None:
    x = np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)
    # float32 sums of some thousand values around 1: a few times 2^-24 each.
    np.testing.assert_allclose(run(ZScore(len(shape) - 2), x), zscore(x), rtol=0, atol=2e-5)
    np.testing.assert_allclose(normalise(x[0]), zscore(x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 77.0, 200.7, -1024.3, 1e4])
@pytest.mark.parametrize("size", [(256, 256), (33, 47), (1, 1)])
def test_a_constant_image_becomes_zeros(value: float, size: tuple[int, int]) -> None:
    x = np.full((1, 1, *size), value, np.float32)
    assert not run(ZScore(2), x).any()


def test_a_nearly_constant_image_is_divided_by_the_floor() -> None:
    x = np.zeros((1, 1, 2, 2), np.float32)
    x[0, 0, 0, 0] = 4e-9  # mean 1e-9, deviation 1.7e-9: under the floor of 1e-8
    expected = np.array([[0.3, -0.1], [-0.1, -0.1]])
    np.testing.assert_allclose(run(ZScore(2), x)[0, 0], expected, rtol=1e-6)


def test_zscore_knows_each_image_and_channel_by_itself() -> None:
    x = noise((2, 2, 8, 8))
    x[1, 0] = 1000 * x[1, 0] + 5000
    out = run(ZScore(2), x)
    for index in np.ndindex(2, 2):
        assert out[index].mean() == pytest.approx(0, abs=1e-5)
        assert out[index].std() == pytest.approx(1, abs=1e-5)


# ------------------------------------------------------------------------------------- other pieces
def test_affine() -> None:
    x = noise((2, 3, 4, 5))
    bias = np.array([1.0, -2.0, 0.5], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_array_equal(run(Affine(0.25, (1.0, -2.0, 0.5), 2), x), x * 0.25 + bias)


@given(SCORES)
def test_probabilities(scores: Any) -> None:
    wide = scores.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    soft = run(Probabilities("softmax", 1), scores)
    np.testing.assert_allclose(soft, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    sigmoid = run(Probabilities("sigmoid", 1), scores)
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-wide)), atol=1e-6)


@given(SCORES)
def test_labels_by_argmax(scores: Any) -> None:
    labels = run(Labels(1, ()), scores)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, scores.argmax(axis=1))


@given(SCORES, st.data())
def test_labels_by_regions(scores: Any, data: st.DataObject) -> None:
    classes = scores.shape[1]
    order = data.draw(st.lists(st.integers(1, 9), min_size=classes, max_size=classes))
    expected = np.zeros((scores.shape[0], *scores.shape[2:]), np.int32)
    for index in np.ndindex(expected.shape):
        for region, label in enumerate(order):  # nnU-Net: paint where the sigmoid exceeds one half
            if 1 / (1 + np.exp(-np.float64(scores[index[0], region, index[1], index[2]]))) > 0.5:
                expected[index] = label
    labels = run(Labels(1, order), scores)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected)
