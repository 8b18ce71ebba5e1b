"""Activations. Formulas: the operations' published specification."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import exact, over


def _per_channel(values: Sequence[float] | Tensor, x: Tensor) -> Tensor:
    """One value a channel, shaped to broadcast along dimension 1 of `x`."""
    row = torch.as_tensor(values, dtype=x.dtype).reshape(-1)
    return row.reshape(-1, *[1] * (x.dim() - 2)) if x.dim() > 1 else row


def _leaky_relu_over(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha, inplace=True)


def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.where(x >= 0, x, alpha * x).clamp(max=beta)


def elu(x: Tensor, alpha: float) -> Tensor:
    return F.elu(x, alpha)


def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


@over(_leaky_relu_over)
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    return torch.where(x >= 0, x, _per_channel(alpha, x) * x)


@exact
@over(torch.relu_)
def relu(x: Tensor) -> Tensor:
    return x.relu()


@exact
def relu6(x: Tensor) -> Tensor:
    return x.clamp(0, 6)


def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * (x * beta).tanh()


def sigmoid(x: Tensor) -> Tensor:
    return x.sigmoid()


def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


@over(lambda x: F.silu(x, inplace=True))
def silu(x: Tensor) -> Tensor:
    return F.silu(x)


def softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, x.new_zeros(()))


def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    scaled = x * _per_channel(beta, x)
    return _per_channel(alpha, x) * torch.logaddexp(scaled, x.new_zeros(()))


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return x.softmax(axis)


def softsign(x: Tensor) -> Tensor:
    return x / (1 + x.abs())


@exact
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x < alpha, torch.zeros_like(x), x)
