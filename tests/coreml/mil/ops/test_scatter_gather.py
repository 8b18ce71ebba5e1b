"""Reading and writing at indices against numpy, every mode, duplicates in order."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.coreml.mil.ops import scatter_gather as ops

MODES: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "max": max,
    "min": min,
    "update": lambda old, new: new,
}


@st.composite
def shaped(draw: st.DrawFn) -> tuple[tuple[int, ...], int, int]:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    return shape, draw(st.integers(-len(shape), len(shape) - 1)), draw(st.integers(0, 99))


@settings(max_examples=60, deadline=None)
@given(shaped(), st.lists(st.integers(1, 3), max_size=2))
def test_gather_is_numpys_take(given_: tuple[Any, int, int], picks: list[int]) -> None:
    shape, axis, seed = given_
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    index = rng.integers(-shape[axis], shape[axis], picks)
    got = ops.gather(torch.from_numpy(x), torch.from_numpy(np.asarray(index)), axis)
    np.testing.assert_array_equal(got, np.take(x, index, axis))


def test_gather_in_step() -> None:
    rng = np.random.default_rng(0)
    x, index = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 4, (2, 3, 6))
    got = ops.gather(torch.from_numpy(x), torch.from_numpy(index), 2, batch_dims=2)
    want = [[x[i, j][index[i, j]] for j in range(3)] for i in range(2)]
    np.testing.assert_array_equal(got, want)
    pairs = rng.integers(0, 3, (2, 6, 1))
    got = ops.gather_nd(torch.from_numpy(x), torch.from_numpy(pairs), batch_dims=1)
    np.testing.assert_array_equal(got, [x[i][pairs[i, :, 0]] for i in range(2)])


@settings(max_examples=40, deadline=None)
@given(shaped(), st.integers(1, 5))
def test_gather_along_axis_is_numpys(given_: tuple[Any, int, int], count: int) -> None:
    shape, axis, seed = given_
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    sizes = list(shape)
    sizes[axis] = count
    index = rng.integers(-shape[axis], shape[axis], sizes)
    got = ops.gather_along_axis(torch.from_numpy(x), torch.from_numpy(index), axis)
    np.testing.assert_array_equal(got, np.take_along_axis(x, index, axis))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gather_nd_names_slices(depth: int) -> None:
    rng = np.random.default_rng(depth)
    x = rng.standard_normal((3, 4, 5))
    index = np.stack([rng.integers(-n, n, (2, 6)) for n in x.shape[:depth]], -1)
    got = ops.gather_nd(torch.from_numpy(x), torch.from_numpy(index))
    np.testing.assert_array_equal(got, x[tuple(np.moveaxis(index, -1, 0))])


@pytest.mark.parametrize("dtype", ["float64", "int32"])
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=15, deadline=None)
@given(shaped(), st.integers(1, 5))
def test_scatter_works_in_order(
    mode: str, dtype: str, given_: tuple[Any, int, int], count: int
) -> None:
    shape, axis, seed = given_
    rng = np.random.default_rng(seed)
    work = MODES[mode]
    if dtype == "int32":
        numbers = lambda *s: (rng.integers(1, 9, s) * rng.choice([-1, 1], s)).astype(dtype)  # noqa: E731
        work = (lambda a, b: int(a / b)) if mode == "div" else work
    else:
        numbers = lambda *s: rng.uniform(0.5, 2, s) * rng.choice([-1, 1], s)  # noqa: E731
    data, index = numbers(*shape), rng.integers(-shape[axis], shape[axis], count)
    sizes = list(shape)
    sizes[axis] = count
    updates, want = numbers(*sizes), data.copy()
    for place in np.ndindex(*sizes):
        target = list(place)
        target[axis] = index[place[axis]]
        want[tuple(target)] = work(want[tuple(target)], updates[place])
    tensors = [torch.from_numpy(one) for one in (data, index, updates)]
    got = ops.scatter(*tensors, axis=axis, mode=mode)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    full = np.broadcast_to(
        index.reshape([-1 if d == axis % len(shape) else 1 for d in range(len(shape))]), sizes
    )
    along = ops.scatter_along_axis(
        tensors[0], torch.from_numpy(full.copy()), tensors[2], axis=axis, mode=mode
    )
    np.testing.assert_allclose(along, want, rtol=1e-12)
    np.testing.assert_array_equal(tensors[0], data)
    if axis % len(shape) == 0:
        nd = ops.scatter_nd(tensors[0], tensors[1][:, None], tensors[2], mode=mode)
        np.testing.assert_allclose(nd, want, rtol=1e-12)


def test_scatter_with_indices_of_other_ranks() -> None:
    data, updates = torch.zeros(4, 3), torch.arange(12.0).reshape(2, 2, 3)
    got = ops.scatter(data, torch.tensor([[0, 1], [3, 3]]), updates, axis=0)
    assert got.tolist() == [[0, 1, 2], [3, 4, 5], [0, 0, 0], [15, 17, 19]]
    one = ops.scatter(data, torch.tensor(2), torch.ones(3), axis=0, mode="update")
    assert one.sum(1).tolist() == [0, 0, 3, 0]


def test_indices_out_of_range_are_errors_never_values() -> None:
    x = torch.zeros(3, 2)
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index} in a dimension of size 3"):
            ops.gather(x, torch.tensor([0, index]))
        with pytest.raises(IndexError, match=f"index {index}"):
            ops.gather_nd(x, torch.tensor([[index]]))
        with pytest.raises(IndexError, match=f"index {index}"):
            ops.gather_along_axis(x, torch.tensor([[index, 0]]))
        with pytest.raises(IndexError, match=f"index {index}"):
            ops.scatter(x, torch.tensor([index]), torch.ones(1, 2))
    # From iOS 17 on a negative index does not count from the end where something is written.
    for run in (
        lambda: ops.scatter_ios17(x, torch.tensor([-1]), torch.ones(1, 2)),
        lambda: ops.scatter_nd_ios17(x, torch.tensor([[-1]]), torch.ones(1, 2)),
        lambda: ops.scatter_along_axis_ios17(x, torch.tensor([[-1, 0]]), torch.ones(1, 2)),
    ):
        with pytest.raises(IndexError, match="index -1"):
            run()
    with pytest.raises(ValueError, match="scatter mode pow"):
        ops.scatter(x, torch.tensor([0]), torch.ones(1, 2), mode="pow")


def test_nothing_to_write_changes_nothing() -> None:
    data, none = torch.randn(6), torch.zeros(0, 1, dtype=torch.int32)
    for mode in MODES:
        torch.testing.assert_close(ops.scatter_nd(data, none, torch.zeros(0), mode), data)
        torch.testing.assert_close(ops.scatter(data, none[:, 0], torch.zeros(0), 0, mode), data)
    assert ops.gather(data, none[:, 0]).shape == (0,)
    assert ops.gather_nd(data, none).shape == (0,)
