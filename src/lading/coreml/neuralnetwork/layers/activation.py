"""Activations. Formulas: Apple's NeuralNetwork.proto."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from lading.coreml.neuralnetwork.weights import Weights


def _per_channel(weights: Weights) -> Tensor:
    """One value a channel, which is the third axis from the end, or one for all."""
    return weights.tensor([weights.size]).reshape(-1, 1, 1)


def _leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


def _thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return x.where(x >= alpha, x.new_zeros(()))


def _p_relu(x: Tensor, alpha: Weights) -> Tensor:
    return x.where(x >= 0, x * _per_channel(alpha))


def _parametric_softplus(x: Tensor, alpha: Weights, beta: Weights) -> Tensor:
    return _per_channel(alpha) * F.softplus(x * _per_channel(beta), threshold=float("inf"))


_ACTIVATIONS: Mapping[str, Callable[..., Tensor]] = {
    "linear": lambda x, alpha, beta: alpha * x + beta,
    "relu": lambda x: x.relu(),
    "leaky_relu": _leaky_relu,
    "thresholded_relu": _thresholded_relu,
    "p_relu": _p_relu,
    "tanh": lambda x: x.tanh(),
    "scaled_tanh": lambda x, alpha, beta: alpha * (beta * x).tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "sigmoid_hard": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "softsign": lambda x: x / (1 + x.abs()),
    "softplus": lambda x: x.logaddexp(x.new_zeros(())),
    "parametric_softplus": _parametric_softplus,
}


def activation(x: Tensor, **nonlinearity: Any) -> Tensor:
    """The one non-linearity that is set, with its own parameters."""
    ((name, parameters),) = nonlinearity.items()
    return _ACTIVATIONS[name](x, **parameters)


def clamped_relu(x: Tensor, *, alpha: float = 0.0, beta: float = 0.0) -> Tensor:
    return x.where(x >= 0, alpha * x).clamp(max=beta)


def gelu(x: Tensor, *, mode: str = "EXACT") -> Tensor:
    if mode == "SIGMOID_APPROXIMATION":
        return x * (1.702 * x).sigmoid()
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


def softmax(x: Tensor) -> Tensor:
    """Along the channels, the third axis from the end."""
    return x.softmax(-3)


def softmax_nd(x: Tensor, *, axis: int = 0) -> Tensor:
    return x.softmax(axis)
