"""Normalisation. Formulas: Apple's NeuralNetwork.proto."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from lading.coreml.neuralnetwork.weights import Weights


def batchnorm(
    x: Tensor,
    *,
    channels: int,
    gamma: Weights,
    beta: Weights,
    compute_mean_var: bool = False,
    instance_normalization: bool = False,
    epsilon: float = 0.0,
    mean: Weights | None = None,
    variance: Weights | None = None,
) -> Tensor:
    """Along the third axis from the end; no epsilon is 1e-5.

    With `compute_mean_var` the statistics are those of the input: of each instance and channel,
    or of each channel over the batch.
    """
    epsilon = epsilon or 1e-5
    one = [channels]
    if not compute_mean_var:
        assert mean is not None
        assert variance is not None
        scale = gamma.tensor(one) / (variance.tensor(one) + epsilon).sqrt()
        shift = beta.tensor(one) - mean.tensor(one) * scale
        return x * scale.reshape(-1, 1, 1) + shift.reshape(-1, 1, 1)
    shape = x.shape
    x = x.reshape(-1, *shape[-3:])
    if instance_normalization:
        result = F.instance_norm(x, weight=gamma.tensor(one), bias=beta.tensor(one), eps=epsilon)
    else:
        result = F.batch_norm(
            x, None, None, gamma.tensor(one), beta.tensor(one), training=True, eps=epsilon
        )
    return result.reshape(shape)


def mvn(
    x: Tensor,
    *,
    across_channels: bool = False,
    normalize_variance: bool = False,
    epsilon: float = 0.0,
) -> Tensor:
    """Less the mean, over the root of variance plus epsilon (none is 1e-6), of the last two or
    three axes.
    """
    axes = [-3, -2, -1] if across_channels else [-2, -1]
    if not normalize_variance:
        return x - x.mean(axes, keepdim=True)
    return F.layer_norm(x, x.shape[axes[0] :], eps=epsilon or 1e-6)


def layer_normalization(
    x: Tensor,
    *,
    normalized_shape: Sequence[int],
    gamma: Weights | None = None,
    beta: Weights | None = None,
    eps: float = 0.0,
) -> Tensor:
    shape = list(normalized_shape)
    scale = gamma.tensor(shape) if gamma else None
    return F.layer_norm(x, shape, scale, beta.tensor(shape) if beta else None, eps)


def l2normalize(x: Tensor, *, epsilon: float = 0.0) -> Tensor:
    """Over the root of the sum of squares of the last three axes plus epsilon (none is 1e-6)."""
    return x / (x.square().sum([-3, -2, -1], keepdim=True) + (epsilon or 1e-6)).sqrt()


def lrn(
    x: Tensor, *, alpha: float = 0.0, beta: float = 0.0, local_size: int = 1, k: float = 0.0
) -> Tensor:
    """Each channel over a power of the mean square of its `local_size` neighbours; no k is 1."""
    shape = x.shape
    planes = x.reshape(-1, shape[-3], math.prod(shape[-2:]))
    before = (local_size - 1) // 2
    padded = F.pad(planes.square(), (0, 0, before, local_size - 1 - before))
    squares = padded.unfold(1, local_size, 1).sum(-1)
    return (planes / ((k or 1.0) + alpha / local_size * squares) ** beta).reshape(shape)
