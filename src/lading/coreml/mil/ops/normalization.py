"""Normalisation. Formulas: the operations' published specification."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import fresh, in_half


@fresh
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta``, one value a channel."""
    return F.batch_norm(x, mean, variance, gamma, beta, False, 0.0, epsilon)


def _instance_norm_in_groups(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5
) -> Tensor:
    """`instance_norm` as a group norm of one channel a group: PyTorch adds up many at once there,
    in float32 and by pairs, where its instance norm adds one by one in float64."""
    many, channels = x.shape[:2]
    size = math.prod(x.shape[2:])
    return torch.native_group_norm(
        x.contiguous(), gamma, beta, many, channels, size, channels, epsilon
    )[0]


@fresh
@in_half(_instance_norm_in_groups)
def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5
) -> Tensor:
    """Each channel of each sample by its own mean and variance (Ulyanov et al., 2016)."""
    return torch.instance_norm(x, gamma, beta, None, None, True, 0.0, epsilon, False)


def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """x over the root of its sum of squares in the last three dimensions, plus epsilon."""
    return x / (x.square().sum((-3, -2, -1), keepdim=True) + epsilon).sqrt()


def layer_norm(
    x: Tensor,
    axes: Sequence[int] | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """By mean and variance over `axes` (all by default); gamma and beta of those axes' shape."""
    rank = x.dim()
    dims = sorted(range(rank) if axes is None else (axis % rank for axis in axes))
    sizes = [x.shape[d] for d in dims]
    if dims == list(range(rank - len(dims), rank)):
        return F.layer_norm(x, sizes, gamma, beta, epsilon)
    others = [d for d in range(rank) if d not in dims]
    order = others + dims
    result = F.layer_norm(x.permute(order), sizes, gamma, beta, epsilon)
    return result.permute([order.index(d) for d in range(rank)])


def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x over ``(k + alpha / size · sum of squares of `size` neighbouring channels)**beta``.

    Three dimensions are (C, H, W), as the published test of the operation has them: the channels
    are the third dimension from the end, or the second if there are more.

    Source: Krizhevsky et al., 2012; channels beyond the ends count as 0.
    """
    if x.dim() == 3:
        return local_response_norm(x[None], size, alpha, beta, k)[0]
    squares = x.square().flatten(2)
    before = size // 2
    padded = F.pad(squares, (0, 0, before, size - 1 - before))
    sums = padded.unfold(1, size, 1).sum(-1).reshape(x.shape)
    return x / (k + alpha / size * sums).pow(beta)
