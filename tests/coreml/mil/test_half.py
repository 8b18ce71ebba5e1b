"""Sums in float16, against loops that round where the policy says it rounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from lading.coreml.mil import Model, half
from lading.coreml.mil.ops import conv as conv_ops
from lading.coreml.mil.precision import to_grid


def grid(*shape: int) -> torch.Tensor:
    return to_grid(torch.randn(shape), "float16")


def added(terms: list[float]) -> float:
    total = np.float16(terms[0])
    for term in terms[1:]:
        total = np.float16(total + np.float16(term))
    return float(total)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_a_sum_is_rounded_every_eight_terms() -> None:
    x = grid(3, 21) * 8
    got = half.reduce_sum(x, [1])
    for row, value in zip(x, got, strict=True):
        parts = [float(row[i : i + 8].sum()) for i in range(0, 21, 8)]
        assert float(value) == added(parts)
    assert half.reduce_sum(x, [1], True).shape == (3, 1)
    assert float(half.reduce_sum(torch.full((4096,), 1.0))) == 4096
    # 2048 + 1 has no place in float16: a sum of single ones stands still there, blocks go further.
    assert float(half.reduce_sum(torch.full((40000,), 1.0))) == 16384
    assert float(half.reduce_mean(torch.full((70000,), 100.0))) == float("inf")


def test_products_are_rounded_every_eight_terms() -> None:
    x, y = grid(2, 3, 19), grid(2, 19, 4)
    got = half.matmul(x, y)
    for n, i, j in ((0, 0, 0), (1, 2, 3), (0, 1, 2)):
        parts = [float(x[n, i, k : k + 8] @ y[n, k : k + 8, j]) for k in range(0, 19, 8)]
        assert abs(float(got[n, i, j]) - added(parts)) <= 2**-9
    weight, bias = grid(5, 19), grid(5)
    torch.testing.assert_close(half.linear(x, weight, bias), half.matmul(x, weight.t()) + bias)
    torch.testing.assert_close(half.matmul(x, y.mT, False, True), got)
    assert half.matmul(x[0, 0], y[0]).shape == (4,)
    assert half.matmul(x[0], y[0, :, 0]).shape == (3,)
    assert half.matmul(x[0, 0], y[0, :, 0]).shape == ()


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_are_rounded_for_every_channel(groups: int) -> None:
    x, w, b = grid(1, 6, 5, 5), grid(4, 6 // groups, 3, 3), grid(4)
    options = {"strides": [2, 1], "pad_type": "same", "groups": groups}
    got = half.conv(x, w, b, **options)
    total = torch.zeros_like(got)
    width = 6 // groups
    for i in range(width):
        part = x.reshape(1, groups, width, 5, 5)[:, :, i]
        term = conv_ops.conv(part, w[:, i : i + 1], **options)
        total = (total + term.half().float()).half().float()
    torch.testing.assert_close(got, total + b[:, None, None], rtol=0, atol=0)
    # The same sum as the exact one, to a few roundings of numbers up to 30.
    torch.testing.assert_close(got, conv_ops.conv(x, w, b, **options), rtol=0, atol=0.1)
    v = grid(6, 4 // groups, 2, 2)
    wide = {"strides": [2, 2], "groups": groups}
    torch.testing.assert_close(
        half.conv_transpose(x, v, b, **wide),
        conv_ops.conv_transpose(x, v, b, **wide),
        rtol=0,
        atol=0.05,
    )


def test_other_sums_agree_with_the_exact_ones() -> None:
    x = grid(4, 30).abs()
    for name in ("sum", "mean", "l1_norm", "l2_norm", "sum_square", "log_sum"):
        run = half.find(f"reduce_{name}")
        assert run is not None
        exact = {
            "sum": x.sum(1),
            "mean": x.mean(1),
            "l1_norm": x.sum(1),
            "l2_norm": x.norm(dim=1),
            "sum_square": x.square().sum(1),
            "log_sum": x.sum(1).log(),
        }[name]
        torch.testing.assert_close(run(x, [1]), exact, rtol=4 * 2**-11, atol=1e-3)
    q, k, v = grid(2, 5, 16), grid(2, 7, 16), grid(2, 7, 3)
    for mask in (None, grid(5, 7), torch.rand(5, 7) < 0.7):
        want = nn.functional.scaled_dot_product_attention(q, k, v, mask)
        got = half.scaled_dot_product_attention(q, k, v, mask)
        torch.testing.assert_close(got, want, rtol=0, atol=2**-7)


def test_the_policy_shows_a_sum_that_needs_a_wide_accumulator(
    converted: Callable[..., Model],
) -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    x = torch.full((1, 1, 32, 32), 100.0)
    model = converted(Mean(), x, half=True)
    assert float(model.predict({"x0": x.numpy()})["y"]) == 100
    assert np.isinf(model.predict({"x0": x.numpy()}, precision="half-accumulate")["y"])
    layer = nn.Conv2d(16, 4, 3)
    y = torch.randn(1, 16, 8, 8)
    model = converted(layer, y, half=True)
    want = layer(y).detach().numpy()
    error = {
        policy: np.abs(model.predict({"x0": y.numpy()}, precision=policy)["y"] - want).max()
        for policy in ("float32", "declared", "half-accumulate")
    }
    assert error["float32"] <= error["declared"] < error["half-accumulate"] < 0.02
