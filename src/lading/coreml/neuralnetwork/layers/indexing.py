"""Gathering, scattering, constants, and arrays made from shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lading.coreml.neuralnetwork.registry import exact
from lading.coreml.neuralnetwork.weights import Weights


def _places(indices: Tensor, size: int) -> Tensor:
    """Whole numbers from 0 on, counted from the end where negative.

    Raises:
        IndexError: one lies outside.
    """
    whole = indices.long()
    if whole.numel() and not (-size <= int(whole.min()) and int(whole.max()) < size):
        raise IndexError(f"indices from {int(whole.min())} to {int(whole.max())} in {size}")
    return whole.where(whole >= 0, whole + size)


# ---------------------------------------------------------------------------------------- gather
@exact
def gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """As `numpy.take`."""
    axis %= x.dim()
    places = _places(indices, x.shape[axis])
    taken = x.index_select(axis, places.flatten())
    return taken.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


@exact
def gather_along_axis(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """As `numpy.take_along_axis`."""
    return torch.take_along_dim(x, _places(indices, x.shape[axis]), axis)


def _columns(x: Tensor, indices: Tensor) -> tuple[Tensor, ...]:
    """One index array for each of the first axes of `x`."""
    columns = indices.unbind(-1)
    return tuple(_places(one, x.shape[axis]) for axis, one in enumerate(columns))


@exact
def gather_nd(x: Tensor, indices: Tensor) -> Tensor:
    return x[_columns(x, indices)]


# --------------------------------------------------------------------------------------- scatter
_MODES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "SCATTER_UPDATE": lambda old, new: new,
    "SCATTER_ADD": torch.add,
    "SCATTER_SUB": torch.sub,
    "SCATTER_MUL": torch.mul,
    "SCATTER_DIV": torch.div,
    "SCATTER_MAX": torch.maximum,
    "SCATTER_MIN": torch.minimum,
}


def scatter_nd(
    x: Tensor, indices: Tensor, updates: Tensor, *, mode: str = "SCATTER_UPDATE"
) -> Tensor:
    """One update after the other, so that a place named twice is changed twice."""
    result, change = x.clone(), _MODES[mode]
    points = indices.long().reshape(-1, indices.shape[-1]).tolist()
    values = updates.reshape(len(points), *x.shape[indices.shape[-1] :])
    for point, value in zip(points, values, strict=True):
        result[tuple(point)] = change(result[tuple(point)], value)
    return result


def scatter(
    x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, mode: str = "SCATTER_UPDATE"
) -> Tensor:
    """Slices along `axis`; `updates` has the axes of `indices` in its place."""
    axis %= x.dim()
    ends = range(axis, axis + indices.dim())
    moved = updates.movedim(tuple(ends), tuple(range(indices.dim())))
    places = _places(indices, x.shape[axis])[..., None]
    return scatter_nd(x.movedim(axis, 0), places, moved, mode=mode).movedim(0, axis)


def scatter_along_axis(
    x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, mode: str = "SCATTER_UPDATE"
) -> Tensor:
    """As `numpy.put_along_axis`."""
    axis %= x.dim()
    places = list(torch.meshgrid(*map(torch.arange, indices.shape), indexing="ij"))
    places[axis] = _places(indices, x.shape[axis])
    return scatter_nd(x, torch.stack(places, -1), updates.flatten(), mode=mode)


# -------------------------------------------------------------------------- masks and positions
@exact
def one_hot(
    x: Tensor,
    size: Tensor | None = None,
    *,
    one_hot_vector_size: int = 0,
    axis: int = 0,
    on_value: float = 0.0,
    off_value: float = 0.0,
) -> Tensor:
    """One more axis; an index out of range is nowhere on."""
    count = one_hot_vector_size if size is None else int(size.flatten()[0])
    axis %= x.dim() + 1
    numbers = torch.arange(count, dtype=x.dtype)
    hot = x.unsqueeze(axis) == numbers.reshape([-1] + [1] * (x.dim() - axis))
    return torch.where(hot, on_value, off_value).float()


@exact
def where_non_zero(x: Tensor) -> Tensor:
    return x.nonzero().float()


@exact
def matrix_band_part(x: Tensor, *, num_lower: int = 0, num_upper: int = 0) -> Tensor:
    """The diagonals from `num_lower` below to `num_upper` above the main one; -1 is all."""
    if num_lower >= 0:
        x = x.triu(-num_lower)
    return x.tril(num_upper) if num_upper >= 0 else x


@exact
def lower_triangular(x: Tensor, *, k: int = 0) -> Tensor:
    return x.tril(k)


@exact
def upper_triangular(x: Tensor, *, k: int = 0) -> Tensor:
    return x.triu(k)


# ------------------------------------------------------------------------- constants and fillings
def load_constant(*, shape: Sequence[int], data: Weights) -> Tensor:
    """Of rank 5: [1, 1, C, H, W]."""
    return data.tensor(shape)[None, None]


def load_constant_nd(*, shape: Sequence[int], data: Weights) -> Tensor:
    return data.tensor(shape)


def fill_like(x: Tensor, *, value: float = 0.0) -> Tensor:
    return torch.full_like(x, value)


def fill_static(*, target_shape: Sequence[int], value: float = 0.0) -> Tensor:
    return torch.full(list(target_shape), value)


def fill_dynamic(shape: Tensor, *, value: float = 0.0) -> Tensor:
    return torch.full([int(n) for n in shape.flatten().tolist()], value)


@exact
def broadcast_to_like(x: Tensor, like: Tensor) -> Tensor:
    return x.expand(like.shape)


@exact
def broadcast_to_static(x: Tensor, *, target_shape: Sequence[int]) -> Tensor:
    return x.expand(list(target_shape))


@exact
def broadcast_to_dynamic(x: Tensor, shape: Tensor) -> Tensor:
    return x.expand([int(n) for n in shape.flatten().tolist()])


def range_static(
    *, end_value: float = 0.0, start_value: float = 0.0, step_size_value: float = 1.0
) -> Tensor:
    return torch.arange(start_value, end_value, step_size_value)


def range_dynamic(
    end: Tensor,
    start: Tensor | None = None,
    step: Tensor | None = None,
    *,
    start_value: float = 0.0,
    step_size_value: float = 1.0,
) -> Tensor:
    first = start_value if start is None else float(start.flatten()[0])
    stride = step_size_value if step is None else float(step.flatten()[0])
    return torch.arange(first, float(end.flatten()[0]), stride)
