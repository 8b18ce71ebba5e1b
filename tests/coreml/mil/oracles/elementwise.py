"""Oracles of elementwise operations, activations and reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.coreml.mil.oracles.base import ORACLES, Array, Draw, Pair, onnx, oracle, run, torchs

_WIDE = (-3.0, 3.0)
_UNIT = (-0.95, 0.95)
_POSITIVE = (0.05, 4.0)

#: By ONNX Runtime: the operation there, and the range in which both are defined.
_UNARY = {
    "abs": ("Abs", _WIDE), "acos": ("Acos", _UNIT), "asin": ("Asin", _UNIT),
    "atan": ("Atan", _WIDE), "atanh": ("Atanh", _UNIT), "ceil": ("Ceil", _WIDE),
    "cos": ("Cos", _WIDE), "cosh": ("Cosh", _WIDE), "erf": ("Erf", _WIDE), "exp": ("Exp", _WIDE),
    "floor": ("Floor", _WIDE), "log": ("Log", _POSITIVE), "round": ("Round", _WIDE),
    "sign": ("Sign", _WIDE), "sin": ("Sin", _WIDE), "sinh": ("Sinh", _WIDE),
    "sqrt": ("Sqrt", _POSITIVE), "tan": ("Tan", (-1.4, 1.4)), "tanh": ("Tanh", _WIDE),
    "relu": ("Relu", _WIDE), "sigmoid": ("Sigmoid", _WIDE), "softplus": ("Softplus", _WIDE),
    "softsign": ("Softsign", _WIDE),
}  # fmt: skip

_BINARY = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "maximum": "Max", "minimum": "Min",
    "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual",
}  # fmt: skip

_LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}

_REDUCED = {
    "reduce_l1_norm": "ReduceL1", "reduce_l2_norm": "ReduceL2", "reduce_log_sum": "ReduceLogSum",
    "reduce_log_sum_exp": "ReduceLogSumExp", "reduce_max": "ReduceMax", "reduce_mean": "ReduceMean",
    "reduce_min": "ReduceMin", "reduce_prod": "ReduceProd", "reduce_sum": "ReduceSum",
    "reduce_sum_square": "ReduceSumSquare",
}  # fmt: skip

#: By torch, in float64: the formula, and the range. Where a parameter is drawn, it is `a`, `b`.
_TORCH: dict[str, tuple[Callable[..., Tensor], tuple[float, float], tuple[str, ...]]] = {
    "exp2": (torch.exp2, _WIDE, ()),
    "square": (torch.square, _WIDE, ()),
    "rsqrt": (lambda x, a: torch.rsqrt(x + a), _POSITIVE, ("epsilon",)),
    "silu": (F.silu, _WIDE, ()),
    "relu6": (F.relu6, (-3.0, 9.0), ()),
    "inverse": (lambda x, a: torch.reciprocal(x + a), _POSITIVE, ("epsilon",)),
    "threshold": (lambda x, a: x.clamp(min=a), _WIDE, ("alpha",)),
    "clip": (lambda x, a, b: F.hardtanh(x, a, b), _WIDE, ("alpha", "beta")),
    "elu": (F.elu, _WIDE, ("alpha",)),
    "leaky_relu": (F.leaky_relu, _WIDE, ("alpha",)),
    "clamped_relu": (lambda x, a, b: F.leaky_relu(x, a).clamp(max=b), _WIDE, ("alpha", "beta")),
    "linear_activation": (
        lambda x, a, b: torch.full_like(x, b).add(x, alpha=a), _WIDE, ("alpha", "beta")
    ),
    "scaled_tanh": (lambda x, a, b: torch.tanh(x * b) * a, _WIDE, ("alpha", "beta")),
    "thresholded_relu": (lambda x, a: F.threshold(x, a, 0.0), _WIDE, ("alpha",)),
}  # fmt: skip


def _register(name: str, function: Callable[[Draw], Pair]) -> None:
    ORACLES[f"{name}_by_itself"] = (function, (name,))


def _unary(name: str, op: str, span: tuple[float, float]) -> None:
    def case(draw: Draw) -> Pair:
        x = draw.floats(*draw.shape(), low=span[0], high=span[1])
        return run(name, x), onnx(op, x)

    _register(name, case)


def _by_torch(
    name: str, formula: Callable[..., Tensor], span: tuple[float, float], names: tuple[str, ...]
) -> None:
    def case(draw: Draw) -> Pair:
        x = draw.floats(*draw.shape(), low=span[0], high=span[1])
        drawn = sorted(draw.number(1, 200) / 100 for _ in names)
        given: dict[str, Any] = dict(zip(names, drawn, strict=True))
        return run(name, x, **given), formula(torchs(x), *drawn)

    _register(name, case)


def _pair(draw: Draw) -> tuple[Array, Array]:
    """Two arrays that broadcast; ties are common among whole numbers."""
    shape = draw.shape()
    other = [draw.of([1, n]) for n in shape][draw.number(0, len(shape) - 1) :]
    make = draw.floats if draw.flag() else draw.whole
    return make(*shape), make(*other)


def _binary(name: str, op: str) -> None:
    def case(draw: Draw) -> Pair:
        x, y = _pair(draw)
        return run(name, x, y), onnx(op, x, y)

    _register(name, case)


def _logical(name: str, op: str) -> None:
    def case(draw: Draw) -> Pair:
        shape = draw.shape()
        x, y = (draw.whole(*shape) > 0 for _ in range(2))
        return run(name, x, y), onnx(op, x, y)

    _register(name, case)


def _reduced(name: str, op: str) -> None:
    def case(draw: Draw) -> Pair:
        x = draw.floats(*draw.shape(), low=0.1)
        rank, keep = x.ndim, draw.flag()
        axes = None if draw.flag() else [a for a in range(rank) if draw.flag()] or [-1]
        given = None if axes is None else np.array(axes)
        return run(name, x, axes=axes, keep_dims=keep), onnx(op, x, given, keepdims=int(keep))

    _register(name, case)


for _name, (_op, _span) in _UNARY.items():
    _unary(_name, _op, _span)
for _name, (_formula, _span, _names) in _TORCH.items():
    _by_torch(_name, _formula, _span, _names)
for _name, _op in _BINARY.items():
    _binary(_name, _op)
for _name, _op in _LOGICAL.items():
    _logical(_name, _op)
for _name, _op in _REDUCED.items():
    _reduced(_name, _op)


@oracle("not_equal", "logical_not")
def negations(draw: Draw) -> Pair:
    x, y = _pair(draw)
    equal = onnx("Equal", x, y)
    return [run("not_equal", x, y), run("logical_not", equal)], [onnx("Not", equal)] * 2


@oracle("real_div", "floor_div", "mod", "pow")
def quotients(draw: Draw) -> Pair:
    x, y = _pair(draw)
    y = np.where(np.abs(y) < 0.2, 1, y).astype(y.dtype)
    a, b = torchs(x), torchs(y)
    base = np.abs(x).astype(np.float64) + 0.1
    found: list[Any] = [run("floor_div", x, y), run("pow", base, y.astype(np.float64))]
    want: list[Any] = [torch.floor_divide(a, b), onnx("Pow", base, y.astype(np.float64))]
    found += [run("mod", x, y), run("real_div", x, y)]  # whole numbers towards zero, as in C
    want += [onnx("Mod", x, y) if x.dtype == np.int32 else torch.remainder(a, b), onnx("Div", x, y)]
    return found, want


@oracle("cast")
def casts(draw: Draw) -> Pair:
    x = draw.floats(*draw.shape(), low=-100, high=100) * draw.of([1, 0])
    x = x if draw.flag() else x.astype(np.int32)
    name, kind = draw.of([("int32", 6), ("bool", 9), ("fp32", 1), ("int8", 3), ("int16", 5)])
    return run("cast", x, name), onnx("Cast", x, to=kind)


@oracle("gelu")
def gelu(draw: Draw) -> Pair:
    x = draw.floats(*draw.shape())
    mode = draw.of(["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"])
    thin = x.astype(np.float32)  # ONNX Runtime's constants are float32, also in its wide kernel
    if mode == "SIGMOID_APPROXIMATION":
        return run("gelu", x, mode), onnx("QuickGelu", thin, alpha=1.702, domain="com.microsoft")
    return run("gelu", x, mode), onnx(
        "Gelu", thin, approximate="none" if mode == "EXACT" else "tanh"
    )


@oracle("prelu", "softplus_parametric")
def per_channel(draw: Draw) -> Pair:
    x = draw.floats(*draw.shape(2, 4))
    alpha, beta = (draw.floats(x.shape[1], low=0.1) for _ in range(2))
    shape = (-1, *[1] * (x.ndim - 2))
    soft = torchs(alpha.reshape(shape)) * F.softplus(torchs(beta.reshape(shape) * x))
    return (
        [run("prelu", x, alpha), run("softplus_parametric", x, alpha, beta)],
        [onnx("PRelu", x, alpha.reshape(shape)), soft],
    )


@oracle("sigmoid_hard", "softmax")
def hard_and_soft(draw: Draw) -> Pair:
    x, axis = draw.floats(*draw.shape()), draw.number(-1, 0)
    alpha, beta = draw.number(1, 9) / 16, draw.number(1, 9) / 16  # ONNX keeps them in float32
    return (
        [run("sigmoid_hard", x, alpha, beta), run("softmax", x, axis)],
        [onnx("HardSigmoid", x, alpha=alpha, beta=beta), onnx("Softmax", x, axis=axis)],
    )


@oracle("reduce_argmax", "reduce_argmin")
def extremes(draw: Draw) -> Pair:
    x = draw.any(*draw.shape())
    axis, keep = draw.number(-x.ndim, x.ndim - 1), draw.flag()
    names = {"reduce_argmax": "ArgMax", "reduce_argmin": "ArgMin"}  # the first of several
    return (
        [run(name, x, axis=axis, keep_dims=keep) for name in names],
        [onnx(op, x, axis=axis, keepdims=int(keep)) for op in names.values()],
    )


@oracle("select")
def select(draw: Draw) -> Pair:
    x, y = _pair(draw)
    y = np.broadcast_to(y, x.shape).copy()
    mask = draw.whole(*x.shape) > 0
    return run("select", mask, x, y), onnx("Where", mask, x, y)
