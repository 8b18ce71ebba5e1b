"""Reading and writing at indices.

A negative index counts from the end, but from iOS 17 on not where it says what to write. Core ML
leaves open what an index out of range does, unless `validate_indices` asks for an error; here it
is always an error.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact

_MODES = ("add", "sub", "mul", "div", "max", "min", "update")


def _wrapped(indices: Tensor, size: int, signed: bool = True) -> Tensor:
    """Indices from 0 to ``size - 1``; negative ones, where allowed, counted from the end."""
    index = indices.long()
    if not index.numel():
        return index
    low, high = (int(end) for end in index.aminmax())
    least = -size if signed else 0
    if low < least or high >= size:
        bad = index[(index < least) | (index >= size)].reshape(-1)[0]
        raise IndexError(f"index {int(bad)} in a dimension of size {size}")
    return index if low >= 0 else torch.where(index < 0, index + size, index)


# ---------------------------------------------------------------------------------------- gather
@exact
def gather(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    batch_dims: int = 0,
    validate_indices: bool = False,
) -> Tensor:
    """Slices of `x` along `axis`; the first `batch_dims` dimensions of both go in step."""
    axis %= x.dim()
    index = _wrapped(indices, x.shape[axis])
    if batch_dims == 0:
        picked = x.index_select(axis, index.reshape(-1))
        return picked.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))
    batch = x.shape[:batch_dims]
    rows = x.reshape(-1, *x.shape[batch_dims:])
    picks = index.reshape(len(rows), *index.shape[batch_dims:])
    parts = [gather(row, pick, axis - batch_dims) for row, pick in zip(rows, picks, strict=True)]
    result = torch.stack(parts)
    return result.reshape(*batch, *result.shape[1:])


@exact
def gather_along_axis(
    x: Tensor, indices: Tensor, axis: int = 0, validate_indices: bool = False
) -> Tensor:
    """``out[.., i, ..] = x[.., indices[.., i, ..], ..]`` along `axis`; other sizes agree."""
    axis %= x.dim()
    return x.gather(axis, _wrapped(indices, x.shape[axis]))


def _places(indices: Tensor, shape: tuple[int, ...], signed: bool = True) -> Tensor:
    """Rows of indices (..., K) into the first K dimensions of `shape`, as flat places (...)."""
    place = torch.zeros(indices.shape[:-1], dtype=torch.long)
    for part, size in zip(indices.unbind(-1), shape, strict=False):
        place = place * size + _wrapped(part, size, signed)
    return place


@exact
def gather_nd(
    x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False
) -> Tensor:
    """indices (..., K): each row names a slice of `x` by its first K dimensions."""
    if batch_dims:
        batch = x.shape[:batch_dims]
        rows = x.reshape(-1, *x.shape[batch_dims:])
        picks = indices.reshape(len(rows), *indices.shape[batch_dims:])
        parts = [gather_nd(row, pick) for row, pick in zip(rows, picks, strict=True)]
        result = torch.stack(parts)
        return result.reshape(*batch, *result.shape[1:])
    depth = indices.shape[-1]
    place = _places(indices, tuple(x.shape[:depth]))
    rest = x.shape[depth:]
    flat = x.reshape(math.prod(x.shape[:depth]), *rest)
    return flat[place.reshape(-1)].reshape((*indices.shape[:-1], *rest))


# --------------------------------------------------------------------------------------- scatter
def _scattered(flat: Tensor, place: Tensor, rows: Tensor, mode: str) -> Tensor:
    """A copy of flat (P, R) with `rows` (M, R) worked in at `place` (M,), in order of M."""
    if mode not in _MODES:
        raise ValueError(f"scatter mode {mode}, none of {', '.join(_MODES)}")
    result = flat.clone()
    if mode == "add":
        return result.index_add_(0, place, rows)
    if mode == "sub":
        return result.index_add_(0, place, rows, alpha=-1)
    if mode == "mul":
        return result.index_reduce_(0, place, rows, "prod")
    if mode in ("max", "min"):
        return result.index_reduce_(0, place, rows, f"a{mode}")
    for target, row in zip(place.tolist(), rows, strict=True):
        # One after another: of several updates to one place the last one stands.
        if mode == "update":
            result[target] = row
        elif result.is_floating_point():
            result[target] = result[target] / row
        else:
            result[target] = torch.div(result[target], row, rounding_mode="trunc")
    return result


def _scatter(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, signed: bool
) -> Tensor:
    axis %= data.dim()
    place = _wrapped(indices, data.shape[axis], signed).reshape(-1)
    moved = data.movedim(axis, 0)
    first = list(range(axis, axis + indices.dim()))
    front = updates.movedim(first, list(range(indices.dim()))) if first else updates.unsqueeze(0)
    rest = math.prod(moved.shape[1:])
    rows = front.reshape(len(place), rest)
    result = _scattered(moved.reshape(moved.shape[0], rest), place, rows, mode)
    return result.reshape(moved.shape).movedim(0, axis)


def scatter(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, mode: str = "add"
) -> Tensor:
    """`data` with slices along `axis` worked in; indices' dimensions replace `axis` in updates."""
    return _scatter(data, indices, updates, axis, mode, True)


def scatter_ios17(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """As before, without negative indices."""
    return _scatter(data, indices, updates, axis, mode, False)


def _scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str, signed: bool
) -> Tensor:
    axis %= data.dim()
    index = _wrapped(indices, data.shape[axis], signed)
    grids = torch.meshgrid(*[torch.arange(n) for n in index.shape], indexing="ij")
    parts = [index if dim == axis else grid for dim, grid in enumerate(grids)]
    place = _places(torch.stack(parts, -1), tuple(data.shape)).reshape(-1)
    result = _scattered(data.reshape(-1, 1), place, updates.reshape(-1, 1), mode)
    return result.reshape(data.shape)


def scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, mode: str = "add"
) -> Tensor:
    """``data[.., indices[.., i, ..], ..]`` worked with ``updates[.., i, ..]`` along `axis`."""
    return _scatter_along_axis(data, indices, updates, axis, mode, True)


def scatter_along_axis_ios17(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """As before, without negative indices."""
    return _scatter_along_axis(data, indices, updates, axis, mode, False)


def _scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, mode: str, signed: bool) -> Tensor:
    depth = indices.shape[-1]
    place = _places(indices, tuple(data.shape[:depth]), signed).reshape(-1)
    rest = math.prod(data.shape[depth:])
    flat = data.reshape(math.prod(data.shape[:depth]), rest)
    rows = updates.reshape(len(place), rest)
    return _scattered(flat, place, rows, mode).reshape(data.shape)


def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, mode: str = "add") -> Tensor:
    """indices (..., K): each row names a slice of `data` to work with one of `updates`."""
    return _scatter_nd(data, indices, updates, mode, True)


def scatter_nd_ios17(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """As before, without negative indices."""
    return _scatter_nd(data, indices, updates, mode, False)
