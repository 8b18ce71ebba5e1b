"""Activations. Formulas: Apple's NeuralNetwork.proto."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights


def _per_channel(weights: Weights) -> Tensor:
    """One value a channel, which is the third axis from the end, or one for all."""
    return weights.tensor([weights.size]).reshape(-1, 1, 1)


def _p_relu(b: Builder, x: Ref, alpha: Weights) -> Any:
    return b.select(b.greater_equal(x, 0.0), x, b.mul(x, _per_channel(alpha)))


def _parametric_softplus(b: Builder, x: Ref, alpha: Weights, beta: Weights) -> Any:
    return b.mul(b.softplus(b.mul(x, _per_channel(beta))), _per_channel(alpha))


_ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    "linear": lambda b, x, alpha, beta: b.linear_activation(x, alpha, beta),
    "relu": lambda b, x: b.relu(x),
    "leaky_relu": lambda b, x, alpha: b.leaky_relu(x, alpha),
    "thresholded_relu": lambda b, x, alpha: b.thresholded_relu(x, alpha),
    "p_relu": _p_relu,
    "tanh": lambda b, x: b.tanh(x),
    "scaled_tanh": lambda b, x, alpha, beta: b.scaled_tanh(x, alpha, beta),
    "sigmoid": lambda b, x: b.sigmoid(x),
    "sigmoid_hard": lambda b, x, alpha, beta: b.sigmoid_hard(x, alpha, beta),
    "elu": lambda b, x, alpha: b.elu(x, alpha),
    "softsign": lambda b, x: b.softsign(x),
    "softplus": lambda b, x: b.softplus(x),
    "parametric_softplus": _parametric_softplus,
}


def activation(b: Builder, x: Ref, **nonlinearity: Any) -> Any:
    """The one non-linearity that is set, with its own parameters."""
    ((name, parameters),) = nonlinearity.items()
    return _ACTIVATIONS[name](b, x, **parameters)


ROUNDED: Mapping[str, Callable[..., Any]] = {
    "clamped_relu": lambda b, x, *, alpha=0.0, beta=0.0: b.clamped_relu(x, alpha, beta),
    "gelu": lambda b, x, *, mode="EXACT": b.gelu(x, mode),
    "softmax": lambda b, x: b.softmax(x, -3),
    "softmax_nd": lambda b, x, *, axis=0: b.softmax(x, axis),
}
