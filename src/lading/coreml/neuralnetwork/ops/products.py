"""Products, look-up tables, statistics of a batch, and two functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import exact


def inner_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The last axis times [C_out, C_in]; of rank 4 and 5 the last three axes are one vector."""
    if x.dim() < 4:
        return F.linear(x, weight, bias)
    return F.linear(x.flatten(-3), weight, bias)[..., None, None]


def batched_matmul(
    x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False
) -> Tensor:
    """The product of the last two axes; a vector is a row before, and a column behind."""
    x = x[None] if x.dim() == 1 else x
    y = y[:, None] if y.dim() == 1 else y
    return torch.matmul(
        x.transpose(-1, -2) if transpose_x else x, y.transpose(-1, -2) if transpose_y else y
    )


@exact
def rows(table: Tensor, ids: Tensor) -> Tensor:
    """Of a table [N, E], by ids (...), which must be among its rows: (..., E)."""
    size = len(table)
    if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < size):
        raise IndexError(f"ids from {int(ids.min())} to {int(ids.max())} in a table of {size}")
    return table[ids.long()]


def batch_norm_training(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """By the mean and variance of each channel over the batch, the axes but the last three."""
    planes = x.reshape(-1, *x.shape[-3:])
    made = F.batch_norm(planes, None, None, gamma, beta, training=True, eps=epsilon)
    return made.reshape(x.shape)


def asinh(x: Tensor) -> Tensor:
    return x.asinh()


def acosh(x: Tensor) -> Tensor:
    return x.acosh()
