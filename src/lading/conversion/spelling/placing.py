"""Values at places: along a diagonal, where a mask holds, at the places that a pooling noted.

Symptoms with coremltools 9.0: "Unsupported fx node" of ``index_fill``, ``masked_scatter``, ``put``,
``index_reduce``, ``diagonal_scatter``, ``max_unpool2d``; "Only offset == 0 and dim1 == 0 and dim2
== 1 handled" of ``diagonal``. torch's ONNX exporter lacks ``put``, ``index_reduce`` and
``diagonal_scatter``. Checked with torch 2.13; each can go when the converter knows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from lading.conversion.spelling.gathering import index_add, scatter

aten = torch.ops.aten


def _index_fill(_: Any, x: torch.Tensor, dim: int, index: torch.Tensor, value: Any) -> torch.Tensor:
    size, dim = int(x.shape[dim]), dim % x.dim()
    index = torch.where(index < 0, index + size, index).reshape(1, -1)
    chosen = (torch.arange(size)[:, None] == index).to(torch.float32).amax(1) > 0
    chosen = chosen.reshape([size if axis == dim else 1 for axis in range(x.dim())])
    if not isinstance(value, torch.Tensor):
        value = torch.full((1,), value, dtype=x.dtype)
    return torch.where(chosen, value, x)


def _masked_scatter(
    _: Any, x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor
) -> torch.Tensor:
    """The n-th place where the mask holds gets the n-th element; counts below 2^24 are exact."""
    mask = mask.expand(x.shape).reshape(-1)
    number = (torch.cumsum(mask.to(torch.float32), 0) - 1).clamp(0, source.numel() - 1)
    picked = source.reshape(-1).index_select(0, number.to(torch.int64))
    return torch.where(mask, picked, x.reshape(-1)).reshape(x.shape)


def _put(_: Any, x: torch.Tensor, index: torch.Tensor, source: torch.Tensor,
         accumulate: bool = False) -> Any:  # fmt: skip
    flat, index, source = x.reshape(-1), index.reshape(-1), source.reshape(-1)
    if accumulate:
        added = index_add(_, flat, 0, index, source)
        return added if added is NotImplemented else added.reshape(x.shape)
    index = torch.where(index < 0, index + x.numel(), index)
    return flat.scatter(0, index, source).reshape(x.shape)


def _index_reduce(_: Any, x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor,
                  reduce: str, *, include_self: bool = True) -> Any:  # fmt: skip
    if not x.is_floating_point():
        return NotImplemented
    along = [-1 if axis == dim % x.dim() else 1 for axis in range(x.dim())]
    index = torch.where(index < 0, index + x.shape[dim], index).reshape(along).expand(source.shape)
    return scatter(x, dim, index, source, reduce, include_self)


def _on_diagonal(rows: int, columns: int, offset: int) -> list[int]:
    """The places of a diagonal in a matrix that is laid out in a row."""
    first = offset if offset >= 0 else -offset * columns
    count = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    return [first + n * (columns + 1) for n in range(max(count, 0))]


def _diagonal(_: Any, x: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    places = _on_diagonal(int(x.shape[dim1]), int(x.shape[dim2]), offset)
    if not places:
        return NotImplemented
    return x.movedim((dim1, dim2), (-2, -1)).flatten(-2).index_select(-1, torch.tensor(places))


def _diagonal_scatter(_: Any, x: torch.Tensor, source: torch.Tensor, offset: int = 0,
                      dim1: int = 0, dim2: int = 1) -> torch.Tensor:  # fmt: skip
    turned = x.movedim((dim1, dim2), (-2, -1))
    places = _on_diagonal(int(turned.shape[-2]), int(turned.shape[-1]), offset)
    if not places:
        return x.clone()
    known = {place: number for number, place in enumerate(places)}
    every = range(math.prod(map(int, turned.shape[-2:])))
    number = torch.tensor([known.get(place, 0) for place in every])
    marks = torch.tensor([place in known for place in every]).reshape(turned.shape[-2:])
    spread = source.index_select(-1, number).reshape(turned.shape)
    made = torch.where(marks, spread, turned)
    return made.movedim((-2, -1), (dim1, dim2))


def _unpool(_: Any, x: torch.Tensor, places: torch.Tensor, size: Sequence[int],
            *how: Any) -> torch.Tensor:  # fmt: skip
    """The values of a max pooling where it found them, and 0 elsewhere."""
    axes = len(size)
    lead = x.shape[: x.dim() - axes]
    flat = x.new_zeros(*lead, math.prod(size))
    return flat.scatter(-1, places.flatten(-axes), x.flatten(-axes)).reshape(*lead, *size)


SPELLING = {
    aten.index_fill.int_Scalar: _index_fill,
    aten.index_fill.int_Tensor: _index_fill,
    aten.masked_scatter.default: _masked_scatter,
    aten.put.default: _put,
    aten.index_reduce.default: _index_reduce,
    aten.diagonal.default: _diagonal,
    aten.diagonal_scatter.default: _diagonal_scatter,
    aten.max_unpool2d.default: _unpool,
    aten.max_unpool3d.default: _unpool,
}
