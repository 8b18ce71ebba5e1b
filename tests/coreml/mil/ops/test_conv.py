"""Convolution and pooling against plain sums in float64, over random geometries."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.coreml.mil.ops import conv as ops
from lading.coreml.mil.windows import paddings, pooled

Array = np.ndarray[Any, Any]


def windows(x: Array, kernel: list[int], strides: list[int], dilations: list[int]) -> Array:
    """Every window of the padded x (N, C, *D): (N, C, *out, *kernel)."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    step = tuple(slice(None, None, s) for s in strides)
    thin = tuple(slice(None, None, d) for d in dilations)
    return view[(slice(None), slice(None), *step, *thin)]


def slow_conv(
    x: Array, w: Array, b: Array, strides: Any, pads: Any, dilations: Any, groups: int
) -> Array:
    rank = x.ndim - 2
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads])
    rows = windows(padded, list(w.shape[2:]), strides, dilations)
    out = []
    for o in range(w.shape[0]):
        group = o * groups // w.shape[0]
        width = w.shape[1]
        part = rows[:, group * width : (group + 1) * width]
        kernel = w[o].reshape(1, width, *[1] * rank, *w.shape[2:]).astype(np.float64)
        dims = (1, *range(2 + rank, 2 + 2 * rank))
        out.append((part * kernel).sum(dims) + b[o])
    return np.stack(out, 1)


@st.composite
def geometry(draw: st.DrawFn) -> dict[str, Any]:
    rank = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 2))
    few = st.integers(1, 3)
    kernel = draw(st.lists(few, min_size=rank, max_size=rank))
    dilations = draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank))
    sizes = [
        (k - 1) * d + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilations, strict=True)
    ]
    return {
        "rank": rank,
        "groups": groups,
        "kernel": kernel,
        "dilations": dilations,
        "strides": draw(st.lists(few, min_size=rank, max_size=rank)),
        "sizes": sizes,
        "pad_type": draw(st.sampled_from(["valid", "custom", "same", "same_lower"])),
        "pad": draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank)),
        "seed": draw(st.integers(0, 99)),
    }


@settings(max_examples=60, deadline=None)
@given(geometry())
def test_conv_is_the_sum_of_its_windows(g: dict[str, Any]) -> None:
    rng = np.random.default_rng(g["seed"])
    x = rng.standard_normal((2, 2 * g["groups"], *g["sizes"])).astype(np.float32)
    w = rng.standard_normal((2 * g["groups"], 2, *g["kernel"])).astype(np.float32)
    b = rng.standard_normal(len(w)).astype(np.float32)
    options = {k: g[k] for k in ("strides", "pad_type", "pad", "dilations", "groups")}
    got = ops.conv(*map(torch.from_numpy, (x, w, b)), **options).numpy()
    pads = paddings(g["pad_type"], g["pad"], g["sizes"], g["kernel"], g["strides"], g["dilations"])
    want = slow_conv(x, w, b, g["strides"], pads, g["dilations"], g["groups"])
    assert got.shape == want.shape
    # At most 54 products of numbers below 5 or so, each rounded to 2**-24.
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5)
    if g["pad_type"].startswith("same"):
        sizes = [-(-n // s) for n, s in zip(g["sizes"], g["strides"], strict=True)]
        assert list(got.shape[2:]) == sizes


@settings(max_examples=60, deadline=None)
@given(geometry())
def test_conv_transpose_is_the_adjoint_of_conv(g: dict[str, Any]) -> None:
    """<conv(x), y> = <x, conv_transpose(y)>, the definition, for every way to give the crop."""
    rng = np.random.default_rng(g["seed"])
    x = torch.from_numpy(rng.standard_normal((1, 2 * g["groups"], *g["sizes"])))
    w = torch.from_numpy(rng.standard_normal((2 * g["groups"], 2, *g["kernel"])))
    options = {k: g[k] for k in ("strides", "pad_type", "pad", "dilations", "groups")}
    if g["pad_type"] == "same_lower":  # not defined for the transpose
        options["pad_type"] = "same"
    forward = ops.conv(x, w, **options)
    y = torch.from_numpy(rng.standard_normal(tuple(forward.shape)))
    back = ops.conv_transpose(y, w, output_shape=list(x.shape), **options)
    assert back.shape == x.shape
    assert math.isclose(float((forward * y).sum()), float((x * back).sum()), abs_tol=1e-9)


@pytest.mark.parametrize(
    ("pad_type", "pad", "size"),
    [("valid", None, 10), ("custom", [1, 2], 7), ("same", None, 12)],
)
def test_conv_transpose_sizes_without_an_output_shape(
    pad_type: str, pad: list[int] | None, size: int
) -> None:
    # (4 - 1) * 3 + 1 = 10 without padding, 4 * 3 = 12 for `same`.
    x, w, b = torch.randn(1, 2, 4), torch.randn(2, 3, 1), torch.randn(3)
    got = ops.conv_transpose(x, w, b, strides=[3], pad_type=pad_type, pad=pad)
    assert got.shape == (1, 3, size)
    if pad_type == "same":  # what no input reaches is the bias alone
        np.testing.assert_array_equal(got[0, :, -2:], b[:, None].expand(3, 2))


@settings(max_examples=60, deadline=None)
@given(geometry(), st.booleans(), st.booleans())
def test_pooling_counts_what_it_should(g: dict[str, Any], ceil: bool, exclude: bool) -> None:
    rank, kernel, strides = g["rank"], g["kernel"], g["strides"]
    pad_type, pad = g["pad_type"], g["pad"]
    if ceil:
        pad_type = "custom" if pad_type.startswith("same") else pad_type
        pad = [n for n in pad[::2] for _ in range(2)]
    pad = [min(n, k - 1) for n, k in zip(pad, [k for k in kernel for _ in range(2)], strict=True)]
    x = np.random.default_rng(g["seed"]).standard_normal((1, 2, *g["sizes"])).astype(np.float32)
    pads = paddings(pad_type, pad, g["sizes"], kernel, strides, [1] * rank)
    shape = [
        pooled(n, p, k, s, ceil)
        for n, p, k, s in zip(g["sizes"], pads, kernel, strides, strict=True)
    ]
    mean, top = np.zeros((1, 2, *shape)), np.zeros((1, 2, *shape))
    root = np.zeros((1, 2, *shape))
    for place in itertools.product(*map(range, shape)):
        spans, counted = [], 1
        for i, s, k, n, (before, after) in zip(
            place, strides, kernel, g["sizes"], pads, strict=True
        ):
            low, high = i * s - before, i * s - before + k
            spans.append(slice(max(0, low), max(0, min(n, high))))
            counted *= min(high, n + after) - low
        part = x[(slice(None), slice(None), *spans)].reshape(2, -1).astype(np.float64)
        if not part.shape[1]:
            return  # a window in the padding alone: no value to agree on
        mean[0][(slice(None), *place)] = part.sum(1) / (part.shape[1] if exclude else counted)
        top[0][(slice(None), *place)] = part.max(1)
        root[0][(slice(None), *place)] = np.sqrt((part**2).sum(1))
    options = {"strides": strides, "pad": pad, "ceil_mode": ceil}
    given_x = torch.from_numpy(x)
    got = ops.avg_pool(given_x, kernel, pad_type, exclude_padding_from_average=exclude, **options)
    np.testing.assert_allclose(got, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ops.max_pool(given_x, kernel, pad_type, **options), top)
    if rank < 3:
        got = ops.l2_pool(given_x, kernel, pad_type, **options)
        np.testing.assert_allclose(got, root, rtol=1e-5, atol=1e-6)


def test_quantised_weights_are_scaled_and_shifted() -> None:
    x = torch.randn(1, 2, 5)
    w = torch.randint(0, 256, (3, 2, 2), dtype=torch.uint8)
    scale, bias = torch.rand(3), torch.randn(3)
    got = ops.conv_quantized(x, w, "linear", scale, bias)
    wide = w.float() * scale[:, None, None] + bias[:, None, None]
    torch.testing.assert_close(got, ops.conv(x, wide), rtol=0, atol=0)
    with pytest.raises(NotImplementedError, match="lut"):
        ops.conv_quantized(x, w, "lut", scale, bias)


def test_an_odd_element_of_padding_goes_to_the_end_or_the_beginning() -> None:
    x, w = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[1.0, 1.0]]])
    assert ops.conv(x, w, pad_type="same").tolist() == [[[3, 6, 4]]]
    assert ops.conv(x, w, pad_type="same_lower").tolist() == [[[1, 3, 6]]]
    assert ops.max_pool(x, [2], "same").tolist() == [[[2, 4, 4]]]
    assert ops.max_pool(x, [2], "same_lower").tolist() == [[[1, 2, 4]]]
