"""Reductions over axes. Formulas: the operations' published specification.

On integers, means and roots drop the fraction, as a cast to the declared type does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact


def _dims(x: Tensor, axes: Sequence[int] | None) -> list[int]:
    return list(range(x.dim())) if axes is None else [axis % x.dim() for axis in axes]


def _over(
    x: Tensor, axes: Sequence[int] | None, keep_dims: bool, run: Callable[..., Tensor]
) -> Tensor:
    """`run(x, dims, keep_dims)`; no axes at all leave every element alone."""
    dims = _dims(x, axes)
    if dims:
        return run(x, dims, keep_dims)
    return run(x.unsqueeze(0), [0], False)


def _wide(x: Tensor) -> Tensor:
    """Integers as float64, exact up to 2**53, for what does not stay among integers."""
    return x if x.is_floating_point() else x.double()


def _back(result: Tensor, x: Tensor) -> Tensor:
    return result if x.is_floating_point() else result.to(x.dtype)


def reduce_sum(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _over(x, axes, keep_dims, torch.sum)


def reduce_mean(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _back(_over(_wide(x), axes, keep_dims, torch.mean), x)


@exact
def reduce_max(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _over(x, axes, keep_dims, torch.amax)


@exact
def reduce_min(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _over(x, axes, keep_dims, torch.amin)


def reduce_prod(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    x = x.clone()
    for dim in sorted(_dims(x, axes), reverse=True):
        x = x.prod(dim, keepdim=keep_dims)
    return x


def reduce_sum_square(
    x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False
) -> Tensor:
    return _over(x.square(), axes, keep_dims, torch.sum)


def reduce_l1_norm(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _over(x.abs(), axes, keep_dims, torch.sum)


def reduce_l2_norm(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _back(_over(_wide(x).square(), axes, keep_dims, torch.sum).sqrt(), x)


def reduce_log_sum(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _back(_over(_wide(x), axes, keep_dims, torch.sum).log(), x)


def reduce_log_sum_exp(
    x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False
) -> Tensor:
    return _back(_over(_wide(x), axes, keep_dims, torch.logsumexp), x)


def reduce_argmax(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32"
) -> Tensor:
    """The index of the greatest element along `axis`, the first one of equals."""
    return torch.argmax(x, axis, keep_dims)


def reduce_argmin(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32"
) -> Tensor:
    """The index of the least element along `axis`, the first one of equals."""
    return torch.argmin(x, axis, keep_dims)
