"""Arithmetic, comparison and logic, element by element. Every value is a float: true is 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from torch import Tensor

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights


def _one(operation: str) -> Callable[..., Any]:
    """The operation of the layer's inputs alone."""
    return lambda b, *xs: b.op(operation, *xs)


def _compared(operation: str) -> Callable[..., Any]:
    """With a second input or the layer's own number."""
    return lambda b, x, y=None, *, alpha=0.0: b.op(operation, x, alpha if y is None else y)


ROUNDED: Mapping[str, Callable[..., Any]] = {
    "add": lambda b, *xs, alpha=0.0: reduce(b.add, xs if len(xs) > 1 else (xs[0], alpha)),
    "multiply": lambda b, *xs, alpha=0.0: reduce(b.mul, xs if len(xs) > 1 else (xs[0], alpha)),
    "average": lambda b, *xs: b.real_div(reduce(b.add, xs), float(len(xs))),
    "add_broadcastable": _one("add"),
    "subtract_broadcastable": _one("sub"),
    "multiply_broadcastable": _one("mul"),
    "divide_broadcastable": _one("real_div"),
    "floor_div_broadcastable": lambda b, x, y: b.floor(b.real_div(x, y)),
    "mod_broadcastable": _one("mod"),
    "pow_broadcastable": _one("pow"),
    "clip": lambda b, x, *, min_val=0.0, max_val=0.0: b.clip(x, min_val, max_val),
    "bias": lambda b, x, *, shape, bias: b.add(x, _last_three(bias, shape)),
    **{
        name: _one(name)
        for name in (
            *("exp2", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
            *("asinh", "acosh", "atanh", "erf"),
        )
    },
}
EXACT: Mapping[str, Callable[..., Any]] = {
    "max": lambda b, *xs: reduce(b.maximum, xs),
    "min": lambda b, *xs: reduce(b.minimum, xs),
    "max_broadcastable": _one("maximum"),
    "min_broadcastable": _one("minimum"),
    "where_broadcastable": lambda b, condition, x, y: b.select(b.not_equal(condition, 0.0), x, y),
    "equal": _compared("equal"),
    "not_equal": _compared("not_equal"),
    "less_than": _compared("less"),
    "less_equal": _compared("less_equal"),
    "greater_than": _compared("greater"),
    "greater_equal": _compared("greater_equal"),
    **{
        name: _one(name)
        for name in (
            *("logical_and", "logical_or", "logical_xor", "logical_not"),
            *("ceil", "floor", "round", "sign"),
        )
    },
}


def unary(
    b: Builder,
    x: Ref,
    *,
    type: str = "SQRT",  # noqa: A002 - the specification's own name
    alpha: float = 0.0,
    epsilon: float = 0.0,
    shift: float = 0.0,
    scale: float = 0.0,
) -> Any:
    """A function of ``scale · x + shift``; no scale is 1 and no epsilon is 1e-6."""
    if (scale or 1.0) != 1.0 or shift:
        x = b.linear_activation(x, scale or 1.0, shift)
    if type in ("RSQRT", "INVERSE"):
        return b.op(type.lower(), x, epsilon or 1e-6)
    if type in ("POWER", "THRESHOLD"):
        return b.op("pow" if type == "POWER" else "threshold", x, alpha)
    return b.log(x, 0.0) if type == "LOG" else b.op(type.lower(), x)


def scale(
    b: Builder,
    x: Ref,
    *,
    shape_scale: Sequence[int],
    scale: Weights,
    has_bias: bool = False,
    shape_bias: Sequence[int] = (),
    bias: Weights | None = None,
) -> Any:
    """``scale · x``, plus a bias where there is one."""
    scaled = b.mul(x, _last_three(scale, shape_scale))
    return b.add(scaled, _last_three(bias, shape_bias)) if has_bias and bias else scaled


def _last_three(weights: Weights, shape: Sequence[int]) -> Tensor:
    """Of shape [1], [C], [1, H, W] or [C, H, W], made to broadcast over the last three axes."""
    values = weights.tensor(shape)
    return values.reshape(-1, 1, 1) if len(shape) == 1 and shape[0] > 1 else values
