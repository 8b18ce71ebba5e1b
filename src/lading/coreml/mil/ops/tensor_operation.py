"""Making, joining, splitting, sorting and counting tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact


@exact
def identity(x: Any) -> Any:
    return x


@exact
def concat(values: Sequence[Tensor], axis: int, interleave: bool = False) -> Tensor:
    """Joined along `axis`; `interleave` takes one slice of each value in turn."""
    if not interleave:
        return torch.cat([v.reshape(1) if v.dim() == 0 else v for v in values], axis)
    axis %= values[0].dim()
    return torch.stack(list(values), axis + 1).flatten(axis, axis + 1)


@exact
def stack(values: Sequence[Tensor], axis: int) -> Tensor:
    return torch.stack(list(values), axis)


@exact
def split(
    x: Tensor,
    axis: int,
    num_splits: int | None = None,
    split_sizes: Sequence[int] | None = None,
) -> Sequence[Tensor]:
    """Into `split_sizes`, or into `num_splits` equal parts."""
    if split_sizes is None:
        if not num_splits or x.shape[axis] % num_splits:
            raise ValueError(f"{num_splits} equal parts of a dimension of size {x.shape[axis]}")
        split_sizes = [x.shape[axis] // num_splits] * num_splits
    return torch.split_with_sizes(x, list(split_sizes), axis)


@exact
def tile(x: Tensor, reps: Sequence[int]) -> Tensor:
    return torch.tile(x, tuple(reps))


@exact
def fill(shape: Sequence[int], value: Tensor | float = 0.0) -> Tensor:
    one = torch.as_tensor(value)
    return torch.full(tuple(shape), one.item(), dtype=one.dtype)


@exact
def fill_like(ref_tensor: Tensor, value: Tensor | float = 0.0) -> Tensor:
    return fill(ref_tensor.shape, value)


@exact
def shape(x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int32)


@exact
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """(the product of the sizes before `axis`, the product of the others)."""
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def range_1d(end: Tensor, start: Tensor, step: Tensor) -> Tensor:
    """start, start + step, ... up to `end`, which is left out; nothing where `step` leads away."""
    first, last, by = start.item(), end.item(), step.item()
    if (last - first) * by < 0:
        return start.new_empty(0)
    return torch.arange(first, last, by, dtype=start.dtype)


def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """Zero but for `lower` diagonals below and `upper` above the main one; -1 keeps all."""
    rows, columns = x.shape[-2:]
    below = torch.arange(rows)[:, None] - torch.arange(columns)[None]
    keep = torch.ones(rows, columns, dtype=torch.bool)
    if lower >= 0:
        keep &= below <= lower
    if upper >= 0:
        keep &= -below <= upper
    return torch.where(keep, x, x.new_zeros(()))


def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Sums up to each element; `exclusive` leaves it out, `reverse` starts at the end."""
    if reverse:
        x = x.flip(axis)
    total = x.cumsum(axis)
    if exclusive:
        # Shifted, not subtracted: an infinity must not turn what comes before it into NaN.
        zeros = torch.zeros_like(total.narrow(axis, 0, min(1, x.shape[axis])))
        total = torch.cat([zeros, total.narrow(axis, 0, max(0, x.shape[axis] - 1))], axis)
    return total.flip(axis) if reverse else total


@exact
def one_hot(
    indices: Tensor,
    one_hot_vector_size: int,
    axis: int = -1,
    on_value: Tensor | int = 1,
    off_value: Tensor | int = 0,
) -> Tensor:
    """`on_value` at the index, `off_value` elsewhere, along a new dimension `axis`.

    An index out of range gives a row of `off_value`; a negative one counts as out of range.
    """
    axis = axis + indices.dim() + 1 if axis < 0 else axis
    places = torch.arange(one_hot_vector_size).reshape(-1, *[1] * (indices.dim() - axis))
    hot = indices.unsqueeze(axis) == places
    return torch.where(hot, torch.as_tensor(on_value), torch.as_tensor(off_value))


def non_zero(x: Tensor) -> Tensor:
    """The indices of the elements that are not 0, one row each, in order."""
    return x.nonzero()


def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """The order of the elements along `axis`; equal ones keep theirs."""
    return torch.argsort(x, dim=axis, descending=not ascending, stable=True)


@exact
def topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> Sequence[Tensor] | Tensor:
    """The `k` greatest (or least) along `axis` and where they are; of equals the first.

    `k` = -1 takes all. Without `sort` Core ML leaves the order open; here it is sorted too.
    """
    values, order = torch.sort(x, dim=axis, descending=not ascending, stable=True)
    count = x.shape[axis] if k == -1 else k
    values, order = values.narrow(axis, 0, count), order.narrow(axis, 0, count)
    return (values, order) if return_indices else values
