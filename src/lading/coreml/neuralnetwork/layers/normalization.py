"""Normalisation. Formulas: Apple's NeuralNetwork.proto."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights


def batchnorm(
    b: Builder,
    x: Ref,
    *,
    channels: int,
    gamma: Weights,
    beta: Weights,
    compute_mean_var: bool = False,
    instance_normalization: bool = False,
    epsilon: float = 0.0,
    mean: Weights | None = None,
    variance: Weights | None = None,
) -> Any:
    """Along the third axis from the end; no epsilon is 1e-5.

    With `compute_mean_var` the statistics are those of the input: of each instance and channel,
    or of each channel over the batch.
    """
    scale, shift = gamma.tensor([channels]), beta.tensor([channels])
    epsilon = epsilon or 1e-5
    if compute_mean_var and not instance_normalization:
        return b.batch_norm_training(x, scale, shift, epsilon)
    if compute_mean_var:
        x = b.layer_norm(x, [-2, -1], None, None, epsilon)
    else:
        assert mean is not None
        assert variance is not None
        scale = scale / (variance.tensor([channels]) + epsilon).sqrt()
        shift = shift - mean.tensor([channels]) * scale
    return b.add(b.mul(x, scale.reshape(-1, 1, 1)), shift.reshape(-1, 1, 1))


def mvn(
    b: Builder,
    x: Ref,
    *,
    across_channels: bool = False,
    normalize_variance: bool = False,
    epsilon: float = 0.0,
) -> Any:
    """Less the mean, over the root of variance plus epsilon (none is 1e-6), of the last two or
    three axes.
    """
    axes = [-3, -2, -1] if across_channels else [-2, -1]
    if not normalize_variance:
        return b.sub(x, b.reduce_mean(x, axes, True))
    return b.layer_norm(x, axes, None, None, epsilon or 1e-6)


def layer_normalization(
    b: Builder,
    x: Ref,
    *,
    normalized_shape: Sequence[int],
    gamma: Weights | None = None,
    beta: Weights | None = None,
    eps: float = 0.0,
) -> Any:
    shape = list(normalized_shape)
    scale = gamma.tensor(shape) if gamma else None
    shift = beta.tensor(shape) if beta else None
    return b.layer_norm(x, list(range(-len(shape), 0)), scale, shift, eps)


def l2normalize(b: Builder, x: Ref, *, epsilon: float = 0.0) -> Any:
    """Over the root of the sum of squares of the last three axes plus epsilon (none is 1e-6)."""
    return b.l2_norm(x, epsilon or 1e-6)


def lrn(
    b: Builder,
    x: Ref,
    *,
    alpha: float = 0.0,
    beta: float = 0.0,
    local_size: int = 1,
    k: float = 0.0,
) -> Any:
    """Each channel over a power of the mean square of its `local_size` neighbours; no k is 1."""
    before = (local_size - 1) // 2
    padded = b.pad(b.square(x), [before, local_size - 1 - before, 0, 0, 0, 0])
    sums = b.reduce_sum(b.sliding_windows(padded, -3, local_size), [-3], False)
    scaled = b.linear_activation(sums, alpha / local_size, k or 1.0)
    return b.real_div(x, b.pow(scaled, beta))
