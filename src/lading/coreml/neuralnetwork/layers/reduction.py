"""Reductions, indices of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lading.coreml.neuralnetwork.registry import exact

_AXES = {"CHW": (-3, -2, -1), "HW": (-2, -1), "C": (-3,), "H": (-2,), "W": (-1,)}


def _prod(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_SIMPLE: Mapping[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "SUM": lambda x, axes, keep: x.sum(axes, keep),
    "AVG": lambda x, axes, keep: x.mean(axes, keep),
    "PROD": _prod,
    "SUMSQUARE": lambda x, axes, keep: x.square().sum(axes, keep),
    "L1": lambda x, axes, keep: x.abs().sum(axes, keep),
    "L2": lambda x, axes, keep: x.square().sum(axes, keep).sqrt(),
    "MAX": lambda x, axes, keep: x.amax(axes, keep),
    "MIN": lambda x, axes, keep: x.amin(axes, keep),
}


def reduce(x: Tensor, *, mode: str = "SUM", axis: str = "CHW", epsilon: float = 0.0) -> Tensor:
    """Over some of the last three axes, which stay as ones; no epsilon is 1e-6."""
    axes = _AXES[axis]
    if mode == "ARGMAX":
        return x.argmax(axes[0], keepdim=True).float()
    if mode == "LOGSUM":
        return (x + (epsilon or 1e-6)).log().sum(axes, True)
    return _SIMPLE[mode](x, axes, True)


def _over(x: Tensor, axes: Sequence[int], reduce_all: bool) -> tuple[int, ...]:
    return tuple(range(x.dim())) if reduce_all or not axes else tuple(axes)


def reduce_sum(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.sum(_over(x, axes, reduce_all), keep_dims)


def reduce_mean(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.mean(_over(x, axes, reduce_all), keep_dims)


@exact
def reduce_max(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.amax(_over(x, axes, reduce_all), keep_dims)


@exact
def reduce_min(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.amin(_over(x, axes, reduce_all), keep_dims)


def reduce_prod(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return _prod(x, _over(x, axes, reduce_all), keep_dims)


def reduce_l1(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.abs().sum(_over(x, axes, reduce_all), keep_dims)


def reduce_l2(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.square().sum(_over(x, axes, reduce_all), keep_dims).sqrt()


def reduce_sum_square(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.square().sum(_over(x, axes, reduce_all), keep_dims)


def reduce_log_sum(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.sum(_over(x, axes, reduce_all), keep_dims).log()


def reduce_log_sum_exp(
    x: Tensor, *, axes: Sequence[int] = (), keep_dims: bool = False, reduce_all: bool = False
) -> Tensor:
    return x.logsumexp(_over(x, axes, reduce_all), keep_dims)


# ---------------------------------------------------------------------------------- where it is
@exact
def arg_max(x: Tensor, *, axis: int = 0, remove_dim: bool = False) -> Tensor:
    return x.argmax(axis, keepdim=not remove_dim).float()


@exact
def arg_min(x: Tensor, *, axis: int = 0, remove_dim: bool = False) -> Tensor:
    return x.argmin(axis, keepdim=not remove_dim).float()


@exact
def top_k(
    x: Tensor,
    count: Tensor | None = None,
    *,
    axis: int = 0,
    k: int = 0,
    use_bottom_k: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest (or smallest) values and their places; among equals the first comes first."""
    number = k if count is None else int(count.flatten()[0])
    values, places = torch.sort(x, dim=axis, descending=not use_bottom_k, stable=True)
    return values.narrow(axis, 0, number), places.narrow(axis, 0, number).float()


@exact
def arg_sort(x: Tensor, *, axis: int = 0, descending: bool = False) -> Tensor:
    return torch.argsort(x, stable=True, dim=axis, descending=descending).float()


def cum_sum(
    x: Tensor,
    along: Tensor | None = None,
    *,
    axis: int = 0,
    exclude_final_sum: bool = False,
    reverse: bool = False,
) -> Tensor:
    axis = axis if along is None else int(along.flatten()[0])
    if reverse:
        x = x.flip(axis)
    total = x.cumsum(axis)
    if exclude_final_sum:
        first = torch.zeros_like(x.narrow(axis, 0, 1))
        total = torch.cat([first, total.narrow(axis, 0, x.shape[axis] - 1)], axis)
    return total.flip(axis) if reverse else total
