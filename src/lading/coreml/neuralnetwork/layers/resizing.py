"""Scaling pictures up and to a size, over the last two axes.

A bilinear result is two weighted sums, one along each axis, at grid points between the elements;
the modes differ in where these points lie (Apple's NeuralNetwork.proto, `SamplingMode` and
`LinearUpsampleMode`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def upsample(
    x: Tensor,
    *,
    scaling_factor: Sequence[int] = (),
    fractional_scaling_factor: Sequence[float] = (),
    mode: str = "NN",
    linear_upsample_mode: str = "DEFAULT",
) -> Tensor:
    """By a factor for each axis; nearest neighbour takes the element that a point lies in."""
    factors: Sequence[float] = scaling_factor or fractional_scaling_factor or (1, 1)
    for axis, factor in zip((-2, -1), factors, strict=True):
        before = x.shape[axis]
        after = int(before * factor)
        if mode == "NN":
            x = x.index_select(axis, torch.arange(after) * before // after)
        else:
            x = _sampled(x, axis, _upsampled(before, after, linear_upsample_mode))
    return x


def _upsampled(before: int, after: int, mode: str) -> Tensor:
    steps = torch.arange(after, dtype=torch.float64)
    if mode == "ALIGN_CORNERS_FALSE":
        return steps * before / after + 0.5 * before / after - 0.5
    reach = before - 1 if mode == "ALIGN_CORNERS_TRUE" else before - before / after
    return steps * reach / max(after - 1, 1)


def resize_bilinear(
    x: Tensor, *, target_size: Sequence[int] = (), mode: Mapping[str, Any] | None = None
) -> Tensor:
    """To a size for each axis."""
    method = (mode or {}).get("sampling_method", "STRICT_ALIGN_ENDPOINTS_MODE")
    for axis, after in zip((-2, -1), tuple(target_size) or (1, 1), strict=True):
        x = _sampled(x, axis, _resized(x.shape[axis], after, method))
    return x


def _resized(before: int, after: int, method: str) -> Tensor:
    first, last = 0.0, before - 1.0
    if method == "ALIGN_ENDPOINTS_MODE" and after == 1:
        first = last = (before - 1) / 2
    elif method == "UPSAMPLE_MODE":
        last = before - before / after
    elif method == "ROI_ALIGN_MODE":
        spacing = max(1, before - 1) / after
        first, last = 0.5 * spacing, 0.5 * spacing + (after - 1) * spacing
    return torch.linspace(first, last, after, dtype=torch.float64)


def _sampled(x: Tensor, axis: int, points: Tensor) -> Tensor:
    """`x` at points along an axis, weighted between the two elements beside each."""
    size = x.shape[axis]
    points = points.clamp(0, size - 1)
    left = points.floor().long()
    right = (left + 1).clamp(max=size - 1)
    share = (points - left).to(x.dtype).reshape([-1] + [1] * (-axis - 1))
    below, above = x.index_select(axis, left), x.index_select(axis, right)
    return below + share * (above - below)
