"""What coremltools cannot infer for itself: blocks, windows, sequences, ties, wrapping integers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lading.coreml.mil import Model
from lading.coreml.mil.ops import (
    activation,
    elementwise,
    linear,
    normalization,
    random,
    suppression,
)
from lading.coreml.mil.ops import tensor_operation as top
from lading.coreml.mil.ops import tensor_transformation as ops


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_slices_are_pythons(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    x = np.arange(math.prod(shape)).reshape(shape)
    number = st.integers(-6, 6)
    begin, end = ([data.draw(number) for _ in shape] for _ in range(2))
    stride = [data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3])) for _ in shape]
    opens, closes = ([data.draw(st.booleans()) for _ in shape] for _ in range(2))
    gone = [data.draw(st.booleans()) and -n <= b < n for b, n in zip(begin, shape, strict=True)]
    want = x[
        tuple(
            b if g else slice(None if o else b, None if c else e, s)
            for b, e, s, o, c, g in zip(begin, end, stride, opens, closes, gone, strict=True)
        )
    ]
    for steps in (stride, None) if all(s == 1 for s in stride) else (stride,):
        got = ops.slice_by_index(torch.from_numpy(x), begin, end, steps, opens, closes, gone)
        assert got.tolist() == want.tolist()
    if not any(gone):
        plain = ops.slice_by_index(torch.from_numpy(x), begin, end, stride, opens, closes)
        assert plain.tolist() == want.tolist()
    update = np.arange(100, 100 + want.size).reshape(want.shape)
    changed = x.copy()
    places = np.arange(x.size).reshape(shape)[
        tuple(
            b if g else slice(None if o else b, None if c else e, s)
            for b, e, s, o, c, g in zip(begin, end, stride, opens, closes, gone, strict=True)
        )
    ]
    changed.reshape(-1)[places.reshape(-1)] = update.reshape(-1)
    new = ops.slice_update(
        *map(torch.from_numpy, (x, update)), begin, end, stride, opens, closes, gone
    )
    assert new.tolist() == changed.tolist()


def test_slices_out_of_range() -> None:
    x = torch.zeros(3)
    with pytest.raises(IndexError, match="index 3 is out of bounds for dimension 0 with size 3"):
        ops.slice_by_index(x, [3], [4], squeeze_mask=[True])
    with pytest.raises(ValueError, match="a stride of 0"):
        ops.slice_by_index(x, [0], [4], [0])
    with pytest.raises(IndexError, match="3 elements from 1"):
        ops.slice_by_size(x, [1], [3])


def test_blocks_move_between_space_and_depth() -> None:
    x = torch.randn(2, 8, 4, 6)
    deep = ops.depth_to_space(x, 2)
    # The published layout: the block's row and column are the slow part of the channels.
    for c, i, j in ((0, 0, 1), (1, 1, 0), (1, 1, 1)):
        torch.testing.assert_close(deep[:, c, i::2, j::2], x[:, (i * 2 + j) * 2 + c])
    torch.testing.assert_close(ops.space_to_depth(deep, 2), x)
    torch.testing.assert_close(ops.pixel_shuffle(x, 2), F.pixel_shuffle(x, 2))
    torch.testing.assert_close(ops.pixel_unshuffle(ops.pixel_shuffle(x, 2), 2), x)


def test_space_moves_to_the_batch_and_back() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    # TensorFlow's own example for SpaceToBatchND, channels first.
    batch = ops.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])
    assert batch[:, 0].tolist() == [
        [[0, 2], [8, 10]],
        [[1, 3], [9, 11]],
        [[4, 6], [12, 14]],
        [[5, 7], [13, 15]],
    ]
    wide = torch.randn(2, 3, 5, 4)
    padded = ops.space_to_batch(wide, [3, 2], [[1, 0], [0, 2]])
    assert padded.shape == (12, 3, 2, 3)
    torch.testing.assert_close(ops.batch_to_space(padded, [3, 2], [[1, 0], [0, 2]]), wide)


def test_windows_slide() -> None:
    x = torch.arange(14).reshape(2, 7)
    got = ops.sliding_windows(x, 1, 3, 2)
    assert got[0].tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert ops.sliding_windows(x.t(), 0, 3, 2).shape == (3, 3, 2)


def test_sequences_reverse_up_to_their_length() -> None:
    x = torch.arange(8).reshape(2, 4)
    got = ops.reverse_sequence(x, [3, 1], seq_axis=1, batch_axis=0)
    assert got.tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]
    got = ops.reverse_sequence(x.t(), [3, 1], seq_axis=0, batch_axis=1)
    assert got.t().tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]


def test_reshape_like_takes_sizes_from_others() -> None:
    refs = [torch.zeros(2, 3, 4), torch.zeros(1, 5, 6)]
    scalars = [torch.tensor(n) for n in (0, 1, 2, 0)]
    masks = [torch.tensor(False), torch.tensor(True)]
    y = torch.randn(180)
    assert ops.reshape_like(y, refs, scalars[:2], scalars[2:], masks).shape == (2, 3, 5, 6)


def test_reshape_of_nothing() -> None:
    assert ops.reshape(torch.zeros(0, 3), [-1, 3]).shape == (0, 3)
    assert ops.reshape(torch.zeros(2, 0), [0, -1]).shape == (2, 0)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "constant"])
def test_padding_is_numpys(mode: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    pad = [2, 1, 0, 3, 4, 1]
    pairs = [(0, 0), (2, 1), (0, 3), (4, 1)]
    got = ops.pad_(torch.from_numpy(x), pad, mode, 0.5)
    extra = {"constant_values": 0.5} if mode == "constant" else {}
    want = np.pad(x, pairs, {"replicate": "edge"}.get(mode, mode), **extra)
    np.testing.assert_array_equal(got, want)
    if mode == "reflect":
        with pytest.raises(ValueError, match="cannot reflect 5 of a dimension of size 5"):
            ops.pad_(torch.from_numpy(x), [5, 0], mode)


def test_ties_keep_their_order() -> None:
    x = torch.tensor([[2.0, 3.0, 3.0, 1.0, 2.0]])
    assert top.argsort(x).tolist() == [[1, 2, 0, 4, 3]]
    assert top.argsort(x, ascending=True).tolist() == [[3, 0, 4, 1, 2]]
    values, order = top.topk(x, 3)
    assert values.tolist() == [[3, 3, 2]]
    assert order.tolist() == [[1, 2, 0]]
    assert top.topk(x, -1, return_indices=False).shape == (1, 5)
    assert top.topk(x, 2, ascending=True)[1].tolist() == [[3, 0]]


def test_one_hot_and_out_of_range() -> None:
    index = torch.tensor([[1, 3], [-1, 0]])
    got = top.one_hot(index, 3, 1, torch.tensor(5), torch.tensor(2))
    assert got.tolist() == [[[2, 2], [5, 2], [2, 2]], [[2, 5], [2, 2], [2, 2]]]
    assert top.one_hot(torch.tensor([0]), 2).tolist() == [[1, 0]]


def test_interleaved_concat_and_exclusive_sums() -> None:
    a, b = torch.tensor([[1, 2]]), torch.tensor([[3, 4]])
    assert top.concat([a, b], 1, interleave=True).tolist() == [[1, 3, 2, 4]]
    x = torch.tensor([1.0, math.inf, 2.0])
    assert top.cumsum(x, 0, exclusive=True).tolist() == [0, 1, math.inf]
    assert top.cumsum(x, 0, exclusive=True, reverse=True).tolist() == [math.inf, 2, 0]
    assert top.fill_like(a, torch.tensor(1.5)).tolist() == [[1.5, 1.5]]
    with pytest.raises(ValueError, match="2 equal parts of a dimension of size 3"):
        top.split(torch.zeros(3), 0, 2)


# --------------------------------------------------------------------------------------- numbers
INTS = st.integers(-(2**31), 2**31 - 1)


@settings(max_examples=100, deadline=None)
@given(INTS, INTS)
def test_integers_wrap_and_divide_as_pythons(a: int, b: int) -> None:
    def wrap(n: int) -> int:
        return (n + 2**31) % 2**32 - 2**31

    x, y = torch.tensor([a], dtype=torch.int32), torch.tensor([b], dtype=torch.int32)
    assert elementwise.add(x, y).item() == wrap(a + b)
    assert elementwise.sub(x, y).item() == wrap(a - b)
    assert elementwise.mul(x, y).item() == wrap(a * b)
    if b not in (0, -1):
        assert elementwise.floor_div(x, y).item() == a // b
        assert elementwise.mod(x, y).item() == a % b
        assert elementwise.real_div(x, y).item() == int(a / b) or abs(a) > 2**52
    assert elementwise.floor_div(x.float(), torch.tensor([4.0])).item() == float(x.float()) // 4


def test_casts_saturate_drop_fractions_and_wrap() -> None:
    x = torch.tensor([1.9, -1.9, 3e9, -3e9, math.inf, math.nan, 300.0])
    top_, low = 2**31 - 1, -(2**31)
    assert elementwise.cast(x, "int32").tolist() == [1, -1, top_, low, top_, 0, 300]
    assert elementwise.cast(x, "uint8").tolist() == [1, 0, 255, 0, 255, 0, 255]
    assert elementwise.cast(x, "uint16").tolist() == [1, 0, 65535, 0, 65535, 0, 300]
    assert elementwise.cast(torch.tensor([300, -1]), "int8").tolist() == [44, -1]
    assert elementwise.cast(torch.tensor([65537, -1]), "uint16").tolist() == [1, 65535]
    assert elementwise.cast(x, "bool").tolist() == [True] * 7
    assert elementwise.cast(torch.tensor([0.0, -0.0]), "bool").tolist() == [False, False]


@settings(max_examples=60, deadline=None)
@given(st.floats(-100, 100, width=32))
def test_activations_in_float32_are_their_formulas(value: float) -> None:
    """Against float64; the difference must be rounding only."""
    x = torch.tensor([[value]])
    d = float(x)
    log1pexp = max(d, 0) + math.log1p(math.exp(-abs(d)))
    wants = {
        activation.softplus: log1pexp,
        activation.sigmoid: 1 / (1 + math.exp(-d)) if d > -700 else 0.0,
        activation.silu: d / (1 + math.exp(-d)),
        activation.gelu: 0.5 * d * math.erfc(-d / math.sqrt(2)),
        activation.softsign: d / (1 + abs(d)),
    }
    for function, want in wants.items():
        got = float(function(x))
        # gelu takes 1 + erf, which cancels on the far left: an absolute error of |x| · 2**-24.
        assert math.isclose(got, want, rel_tol=2e-6, abs_tol=2**-23 * max(1, abs(d))), function
    one = torch.tensor([0.5])
    got = float(activation.softplus_parametric(x, one, 2 * one))
    assert math.isclose(got, 0.5 * log1pexp, rel_tol=2e-6, abs_tol=1e-7)


def test_norms_that_coremltools_does_not_infer() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 4)
    want = F.local_response_norm(x.double(), 3, 0.1, 0.6, 2.0)
    got = normalization.local_response_norm(x, 3, 0.1, 0.6, 2.0)
    torch.testing.assert_close(got.double(), want, rtol=1e-6, atol=1e-6)
    want = F.local_response_norm(x, 4)
    torch.testing.assert_close(normalization.local_response_norm(x, 4), want, rtol=1e-6, atol=1e-6)
    mean, var, gamma, beta = torch.randn(5), torch.rand(5), torch.randn(5), torch.randn(5)
    shape = (1, 5, 1, 1)
    d = [t.double().reshape(shape) for t in (mean, var, gamma, beta)]
    want = d[2] * (x.double() - d[0]) / (d[1] + 1e-3).sqrt() + d[3]
    got = normalization.batch_norm(x, mean, var, gamma, beta, 1e-3)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    centred = x.double() - x.double().mean((2, 3), keepdim=True)
    want = centred / (centred.square().mean((2, 3), keepdim=True) + 1e-3).sqrt()
    want = want * d[2] + d[3]
    got = normalization.instance_norm(x, gamma, beta, 1e-3)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    # One spatial element has no variance: the result is beta, not an error. What should cancel is
    # a rounding of x, 2**-24, times 1 / sqrt(1e-5) = 316.
    got = normalization.instance_norm(x[:, :, :1, :1], gamma, beta)
    torch.testing.assert_close(got[0, :, 0, 0], beta, rtol=0, atol=1e-4)


def test_local_response_of_three_dimensions_has_its_channels_first() -> None:
    x = torch.randn(3, 2, 4)
    want = normalization.local_response_norm(x[None], 3, 0.1)[0]
    assert torch.equal(normalization.local_response_norm(x, 3, 0.1), want)
    # One channel: each element stands alone. The values are coremltools' own test's.
    x = torch.tensor([[[1.0, -7.0], [5.0, -6.0], [-3.0, -5.0]]])
    got = normalization.local_response_norm(x, 2)
    want = torch.tensor(
        [[[0.99996257, -6.98716545], [4.99531746, -5.99191284], [-2.99898791, -4.99531746]]]
    )
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_squeeze_leaves_what_is_not_of_size_one() -> None:
    x = torch.zeros(2, 1, 3)
    assert ops.squeeze(x, [0, 1]).shape == (2, 3)
    assert ops.squeeze(x, [-1]).shape == (2, 1, 3)
    assert ops.squeeze(x).shape == (2, 3)


def test_products_of_integers_and_floats() -> None:
    x, w, b = torch.tensor([[0.5, 2.0]]), torch.tensor([[3, 4], [5, 6]]), torch.tensor([1, 2])
    assert linear.linear(x, w, b).tolist() == [[10.5, 16.5]]
    assert linear.linear(w, x, torch.tensor([0.5])).tolist() == [[10.0], [15.0]]
    assert linear.matmul(x, w).tolist() == [[11.5, 14.0]]
    assert linear.matmul(w, x, transpose_y=True).tolist() == [[9.5], [14.5]]


@pytest.mark.parametrize(("given", "other"), [("fp32", "int32"), ("int32", "fp32")])
def test_a_mixed_product_is_of_the_declared_dtype(
    built: Callable[..., Model], given: str, other: str
) -> None:
    from coremltools.converters.mil import Builder as mb  # noqa: N813  its own spelling

    constant = np.array([[1], [2]], np.float32 if other == "fp32" else np.int32)
    model = built(lambda x: mb.matmul(x=x, y=constant), {"x": ((1, 2), given)})
    (result,) = model.predict({"x": np.array([[3, 4]])}).values()
    assert result.tolist() == [[11]]
    assert result.dtype == (np.float32 if given == "fp32" else np.int32)


def test_integer_products_are_exact() -> None:
    x = torch.tensor([[2**20, 3]], dtype=torch.int32)
    assert linear.linear(x, x, torch.tensor([1], dtype=torch.int32)).tolist() == [[10]]
    assert linear.matmul(x, x.t()).tolist() == [[9]]  # 2**40 wraps to 0


# ---------------------------------------------------------------------------------------- random
def test_random_numbers_follow_their_seed_and_distribution() -> None:
    n = 20000
    for make in (
        lambda seed: random.random_normal([n], 3.0, 2.0, seed),
        lambda seed: random.random_uniform([n], -1.0, 3.0, seed),
        lambda seed: random.random_bernoulli([n], 0.25, seed),
        lambda seed: random.random_categorical(torch.tensor([0.0, 1.0]), "logits", n, seed),
    ):
        assert torch.equal(make(5), make(5))
        assert not torch.equal(make(5), make(6))
        assert not torch.equal(make(-1), make(-1))
    # Within five standard errors.
    normal = random.random_normal([n], 3.0, 2.0, 5)
    assert abs(normal.mean() - 3) < 5 * 2 / n**0.5
    uniform = random.random_uniform([n], -1.0, 3.0, 5)
    assert float(uniform.min()) >= -1
    assert float(uniform.max()) < 3
    assert abs(uniform.mean() - 1) < 5 * (4 / 12**0.5) / n**0.5
    coin = random.random_bernoulli([n], 0.25, 5)
    assert set(coin.tolist()) == {0, 1}
    assert abs(coin.mean() - 0.25) < 5 * 0.44 / n**0.5
    drawn = random.random_categorical(torch.tensor([[0.0, 1.0], [0.9, 0.1]]), "probs", n, 5)
    assert drawn.shape == (2, n)
    assert (drawn[0] == 1).all()
    assert abs(drawn[1].mean() - 0.1) < 5 * 0.3 / n**0.5


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 3.0), (0.0, 0.3), (2.0, 70000.0)])
def test_the_upper_end_is_left_out_in_fp16_too(low: float, high: float) -> None:
    drawn = random.random_uniform([100_000], low, high, 5)
    assert float(drawn.min()) >= low
    assert float(drawn.max()) < high
    if high < 65504:
        assert float(drawn.half().float().max()) < high
    middle = (drawn.double() - low) / (high - low)
    assert abs(middle.mean() - 0.5) < 5 / 12**0.5 / 100_000**0.5
    assert abs(middle.std() - 12**-0.5) < 2e-3


# ----------------------------------------------------------------------------------- suppression
def test_suppression_keeps_the_best_of_what_overlaps() -> None:
    # Two boxes of 2 x 2 a unit apart share 2 of 6: an IoU of 1/3; the third lies elsewhere.
    boxes = torch.tensor([[[1.0, 1, 2, 2], [2, 1, 2, 2], [9, 9, 1, 1]]])
    scores = torch.tensor([[[0.5, 0.1], [0.2, 0.9], [0.3, 0.3]]])
    run = suppression.non_maximum_suppression
    kept = run(boxes, scores, 0.3, 0.0, 3)
    assert kept[2].tolist() == [[1, 2, -1]]
    assert kept[3].tolist() == [2]
    assert kept[0][0].tolist() == [[2, 1, 2, 2], [9, 9, 1, 1], [0, 0, 0, 0]]
    torch.testing.assert_close(kept[1][0, 0], scores[0, 1])
    assert run(boxes, scores, 0.34, 0.0, 3)[2].tolist() == [[1, 0, 2]]
    assert run(boxes, scores, 0.3, 0.0, 3, True)[2].tolist() == [[1, 0, 2]]
    assert run(boxes, scores, 0.34, 0.4, 3)[2].tolist() == [[1, 0, -1]]
    assert run(boxes, scores, 0.34, 0.0, 1)[2].tolist() == [[1]]
    # Core ML never gives nothing: the best box stays even below the threshold.
    assert run(boxes, scores, 0.34, 2.0, 2)[2].tolist() == [[1, -1]]
    new = suppression.non_maximum_suppression_ios17(boxes.mT, scores.mT, 0.3, 3)
    assert new[2].tolist() == [[1, 2, -1]]
    torch.testing.assert_close(new[0].mT, kept[0])
    torch.testing.assert_close(new[1].mT, kept[1])
