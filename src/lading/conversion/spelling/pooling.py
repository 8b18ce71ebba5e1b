"""Max pooling whose stride is left to torch, and the place of the highest value beside it; and to
sizes that the picture's own are no multiples of.

Symptoms: "node max_pool2d got 2 input(s), expected minimum 3 inputs" with coremltools 9.0 on the
export route, which has no places of a pooling; "No ONNX function found for
aten.adaptive_max_pool2d" with torch's ONNX exporter. Checked with torch 2.13; they can go when the
stride may be left out there, and when each has the other.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


def _pool(pool: Any) -> Any:
    def spell(_: fx.Node, x: torch.Tensor, size: Any, stride: Any = (), *more: Any) -> Any:
        if stride:
            return NotImplemented
        return pool(x, size, size, *more)

    return spell


def _asked(n: fx.Node) -> bool:
    """Whether somebody reads the second result, the places."""
    return any(user.target is operator.getitem and user.args[1] == 1 and user.users
               for user in n.users)  # fmt: skip


def _with_places(pool: Any, axes: int) -> Any:
    """The highest value of each window, and where it lies in the picture laid out in a row: of one
    place in every window after the other the higher, and of two that are equal the first."""

    def spell(n: fx.Node, x: torch.Tensor, size: Any, stride: Any = (), *more: Any) -> Any:
        if not _asked(n):
            return _pool(pool)(n, x, size, stride, *more)
        given: list[Any] = [*more, *[(0,), (1,), False][len(more) :]]
        padding, dilation, ceil_mode = given
        if ceil_mode or not all(isinstance(one, int) for one in x.shape):
            return NotImplemented
        whole = list(map(int, x.shape[-axes:]))
        kernel, step, pad, apart = (
            [*one] * axes if len(one) == 1 else [*one]
            for one in (size, stride or size, padding, dilation)
        )
        edges = [amount for one in reversed(pad) for amount in (one, one)]
        wide = torch.nn.functional.pad(x, edges, value=-math.inf)
        many = [
            (length + 2 * p - d * (k - 1) - 1) // s + 1
            for length, k, s, p, d in zip(whole, kernel, step, pad, apart, strict=True)
        ]
        highest = places = None
        for offset in itertools.product(*map(range, kernel)):
            found, place = wide, [0]
            for axis, (first, s, count) in enumerate(zip(offset, step, many, strict=True)):
                start = first * apart[axis]
                index = range(start, start + (count - 1) * s + 1, s)
                dim = x.dim() - axes + axis
                found = torch.ops.aten.slice(found, dim, index.start, index.stop, s)
                place = [p * whole[axis] + i - pad[axis] for p in place for i in index]
            here = torch.tensor(place).reshape(many).expand(found.shape)
            if highest is None or places is None:
                highest, places = found, here
                continue
            higher = found > highest
            highest, places = torch.where(higher, found, highest), torch.where(higher, here, places)
        return highest, places

    return spell


def _adaptive(n: fx.Node, x: torch.Tensor, sizes: Any) -> Any:
    """Of n elements the k-th of m results has those from floor(k n / m) to ceil((k + 1) n / m), one
    axis after the other. Where the highest lay is not known so."""
    if _asked(n) or not all(isinstance(one, int) for one in x.shape):
        return NotImplemented
    found = x
    for axis, many in enumerate(sizes, x.dim() - len(sizes)):
        size = int(x.shape[axis])
        ends = [(k * size // many, -(-(k + 1) * size // many)) for k in range(many)]
        parts = [found.narrow(axis, a, b - a).amax(axis, keepdim=True) for a, b in ends]
        found = torch.cat(parts, axis)
    return found, torch.zeros_like(found, dtype=torch.int64)


SPELLING = {
    **dict.fromkeys((aten.adaptive_max_pool1d.default, aten.adaptive_max_pool2d.default,
                     aten.adaptive_max_pool3d.default), _adaptive),
} | {
    one: _pool(one)
    for one in (aten.max_pool1d.default, aten.max_pool2d.default, aten.max_pool3d.default,
                aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default)
} | {
    one: _with_places(one, axes)
    for axes, one in enumerate((aten.max_pool1d_with_indices.default,
                                aten.max_pool2d_with_indices.default,
                                aten.max_pool3d_with_indices.default), 1)
}  # fmt: skip
