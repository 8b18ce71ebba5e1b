"""Arithmetic, comparison and logic, element by element. Every value is a float: true is 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce as _fold

import torch
from torch import Tensor

from lading.coreml.neuralnetwork.registry import exact
from lading.coreml.neuralnetwork.weights import Weights


# ------------------------------------------------------------------- one, two or more inputs
def add(*xs: Tensor, alpha: float = 0.0) -> Tensor:
    return xs[0] + alpha if len(xs) == 1 else _fold(torch.add, xs)


def multiply(*xs: Tensor, alpha: float = 0.0) -> Tensor:
    return xs[0] * alpha if len(xs) == 1 else _fold(torch.mul, xs)


def average(*xs: Tensor) -> Tensor:
    return _fold(torch.add, xs) / len(xs)


@exact
def max_(*xs: Tensor) -> Tensor:
    return _fold(torch.maximum, xs)


@exact
def min_(*xs: Tensor) -> Tensor:
    return _fold(torch.minimum, xs)


# ------------------------------------------------------------------------- with broadcasting
def add_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return x + y


def subtract_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return x - y


def multiply_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return x * y


def divide_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return x / y


def floor_div_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return (x / y).floor()


def mod_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    """What is left of the division, with the sign of `y`."""
    return torch.remainder(x, y)


def pow_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y)


@exact
def max_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y)


@exact
def min_broadcastable(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x, y)


@exact
def where_broadcastable(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition != 0, x, y)


# -------------------------------------------------------------------- comparison and logic
def _against(y: Tensor | None, x: Tensor, alpha: float) -> Tensor:
    """The second input, or the layer's own number in the precision of the first."""
    return x.new_tensor(alpha) if y is None else y


@exact
def equal(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x == _against(y, x, alpha)).float()


@exact
def not_equal(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x != _against(y, x, alpha)).float()


@exact
def less_than(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x < _against(y, x, alpha)).float()


@exact
def less_equal(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x <= _against(y, x, alpha)).float()


@exact
def greater_than(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x > _against(y, x, alpha)).float()


@exact
def greater_equal(x: Tensor, y: Tensor | None = None, *, alpha: float = 0.0) -> Tensor:
    return (x >= _against(y, x, alpha)).float()


@exact
def logical_and(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_and(x, y).float()


@exact
def logical_or(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_or(x, y).float()


@exact
def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_xor(x, y).float()


@exact
def logical_not(x: Tensor) -> Tensor:
    return torch.logical_not(x).float()


# --------------------------------------------------------------------------------- one input
_UNARY: Mapping[str, Callable[[Tensor, float, float], Tensor]] = {
    "SQRT": lambda x, alpha, epsilon: x.sqrt(),
    "RSQRT": lambda x, alpha, epsilon: (x + epsilon).rsqrt(),
    "INVERSE": lambda x, alpha, epsilon: (x + epsilon).reciprocal(),
    "POWER": lambda x, alpha, epsilon: x.pow(alpha),
    "EXP": lambda x, alpha, epsilon: x.exp(),
    "LOG": lambda x, alpha, epsilon: x.log(),
    "ABS": lambda x, alpha, epsilon: x.abs(),
    "THRESHOLD": lambda x, alpha, epsilon: x.clamp(min=alpha),
}


def unary(
    x: Tensor,
    *,
    type: str = "SQRT",  # noqa: A002 - the specification's own name
    alpha: float = 0.0,
    epsilon: float = 0.0,
    shift: float = 0.0,
    scale: float = 0.0,
) -> Tensor:
    """A function of ``scale · x + shift``; no scale is 1 and no epsilon is 1e-6."""
    if (scale or 1.0) != 1.0 or shift:
        x = (scale or 1.0) * x + shift
    return _UNARY[type](x, alpha, epsilon or 1e-6)


def clip(x: Tensor, *, min_val: float = 0.0, max_val: float = 0.0) -> Tensor:
    return x.clamp(min_val, max_val)


@exact
def ceil(x: Tensor) -> Tensor:
    return x.ceil()


@exact
def floor(x: Tensor) -> Tensor:
    return x.floor()


@exact
def round_(x: Tensor) -> Tensor:
    """To the nearest whole number, halves to the even one."""
    return x.round()


@exact
def sign(x: Tensor) -> Tensor:
    return x.sign()


def exp2(x: Tensor) -> Tensor:
    return x.exp2()


def sin(x: Tensor) -> Tensor:
    return x.sin()


def cos(x: Tensor) -> Tensor:
    return x.cos()


def tan(x: Tensor) -> Tensor:
    return x.tan()


def asin(x: Tensor) -> Tensor:
    return x.asin()


def acos(x: Tensor) -> Tensor:
    return x.acos()


def atan(x: Tensor) -> Tensor:
    return x.atan()


def sinh(x: Tensor) -> Tensor:
    return x.sinh()


def cosh(x: Tensor) -> Tensor:
    return x.cosh()


def tanh(x: Tensor) -> Tensor:
    return x.tanh()


def asinh(x: Tensor) -> Tensor:
    return x.asinh()


def acosh(x: Tensor) -> Tensor:
    return x.acosh()


def atanh(x: Tensor) -> Tensor:
    return x.atanh()


def erf(x: Tensor) -> Tensor:
    return x.erf()


def bias(x: Tensor, *, shape: Sequence[int], bias: Weights) -> Tensor:
    return x + _last_three(bias, shape)


def scale(
    x: Tensor,
    *,
    shape_scale: Sequence[int],
    scale: Weights,
    has_bias: bool = False,
    shape_bias: Sequence[int] = (),
    bias: Weights | None = None,
) -> Tensor:
    """``scale · x``, plus a bias where there is one."""
    scaled = x * _last_three(scale, shape_scale)
    return scaled + _last_three(bias, shape_bias) if has_bias and bias else scaled


def _last_three(weights: Weights, shape: Sequence[int]) -> Tensor:
    """Of shape [1], [C], [1, H, W] or [C, H, W], made to broadcast over the last three axes."""
    values = weights.tensor(shape)
    return values.reshape(-1, 1, 1) if len(shape) == 1 and shape[0] > 1 else values
