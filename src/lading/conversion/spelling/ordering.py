"""Places in an order: medians, the k-th value, what was highest so far, where a value belongs.

Symptoms with coremltools 9.0: "Unsupported fx node" of ``median``, ``kthvalue``, ``cummax``,
``cummin``, ``bucketize``; "Not support `searchsorted` op with different ranks". torch's ONNX
exporter lacks all of them but ``bucketize``. ``logcumsumexp`` is taken apart into a sum of
exponentials, which is infinite soon. Checked with torch 2.13; each can go when the converter knows
it.
"""

from __future__ import annotations

import math
from typing import Any

import torch

aten = torch.ops.aten


def _kth(_: Any, x: torch.Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    values, places = x.sort(dim)
    found = values.narrow(dim, k - 1, 1), places.narrow(dim, k - 1, 1)
    return found if keepdim else tuple(one.squeeze(dim) for one in found)


def _median(_: Any, x: torch.Tensor, dim: int, keepdim: bool = False) -> Any:
    """The lower of two in the middle."""
    return _kth(_, x, (int(x.shape[dim]) + 1) // 2, dim, keepdim)


def _median_of_all(_: Any, x: torch.Tensor) -> Any:
    return _median(_, x.reshape(-1), 0)[0]


def _so_far(beats: Any, worst: float) -> Any:
    """Doubling steps: of each element and the one 1, 2, 4, ... before it the better, and of two
    that are equal the later, as with torch."""

    def spell(_: Any, x: torch.Tensor, dim: int) -> Any:
        if not x.is_floating_point():
            return NotImplemented
        size, step = int(x.shape[dim]), 1
        ranks = [size if axis == dim % x.dim() else 1 for axis in range(x.dim())]
        place = torch.arange(size).reshape(ranks).expand(x.shape)
        while step < size:
            ahead = torch.full_like(x.narrow(dim, 0, step), worst)
            before = torch.cat([ahead, x.narrow(dim, 0, size - step)], dim)
            place_before = torch.cat(
                [place.narrow(dim, 0, step), place.narrow(dim, 0, size - step)], dim
            )
            better = beats(before, x)
            x, place = torch.where(better, before, x), torch.where(better, place_before, place)
            step *= 2
        return x, place

    return spell


def _logcumsumexp(_: Any, x: torch.Tensor, dim: int) -> Any:
    """The same steps with log(exp a + exp b), from the larger of the two on; two infinite ones have
    no difference."""
    size, step = int(x.shape[dim]), 1
    while step < size:
        ahead = torch.full_like(x.narrow(dim, 0, step), -math.inf)
        before = torch.cat([ahead, x.narrow(dim, 0, size - step)], dim)
        beside = torch.log1p(torch.exp(-(before - x).abs()))
        beside = torch.where(before == x, torch.full_like(x, math.log(2)), beside)
        x = torch.maximum(before, x) + beside
        step *= 2
    return x


def _sorted(_: Any, order: torch.Tensor, values: Any, *, out_int32: bool = False,
            right: bool = False, side: str | None = None, sorter: Any = None) -> Any:  # fmt: skip
    """How many lie before: as many as are not at or behind the value, so that what is no number
    belongs at the end."""
    if sorter is not None:
        return NotImplemented
    alone = not isinstance(values, torch.Tensor)
    values = torch.full((1,), values, dtype=order.dtype) if alone else values
    over = order if order.dim() == 1 else order.unsqueeze(-2)
    each = values.unsqueeze(-1)
    behind = over > each if right or side == "right" else over >= each
    found = torch.logical_not(behind).to(torch.int64).sum(-1)
    found = found.select(0, 0) if alone else found
    return found.to(torch.int32) if out_int32 else found


def _bucket(_: Any, values: Any, order: torch.Tensor, **how: Any) -> Any:
    return _sorted(_, order, values, **how)


SPELLING = {
    aten.kthvalue.default: _kth,
    aten.median.dim: _median,
    aten.median.default: _median_of_all,
    aten.cummax.default: _so_far(torch.gt, -math.inf),
    aten.cummin.default: _so_far(torch.lt, math.inf),
    aten.logcumsumexp.default: _logcumsumexp,
    aten.searchsorted.Tensor: _sorted,
    aten.searchsorted.Scalar: _sorted,
    aten.bucketize.Tensor: _bucket,
    aten.bucketize.Scalar: _bucket,
}
