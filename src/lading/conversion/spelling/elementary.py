"""Functions of single numbers, by those that every target has.

Symptoms with coremltools 9.0: "Unsupported fx node" of ``fmod``, ``trunc``, ``hypot``,
``copysign``, ``signbit``, ``fmax``, ``fmin``, ``ldexp``, ``logaddexp2``, ``erfc``, ``isclose``,
``round`` to decimals; "type object 'Builder' has no attribute" of ``asinh`` and ``acosh``. Of them
torch's ONNX exporter lacks ``hypot``, ``copysign``, ``fmax`` and ``fmin``. Checked with torch 2.13;
each can go when the converter knows it.
"""

from __future__ import annotations

import math
from typing import Any

import torch

aten = torch.ops.aten


def _fmod(_: Any, x: torch.Tensor, y: Any) -> torch.Tensor:
    """What is left of x has the sign of x: by whole parts nothing is rounded."""
    return torch.sign(x) * torch.remainder(x.abs(), abs(y) if not torch.is_tensor(y) else y.abs())


def _trunc(_: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.sign(x) * torch.floor(x.abs())


def _hypot(_: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """By the larger of the two: no square is larger than 1."""
    large, small = torch.maximum(x.abs(), y.abs()), torch.minimum(x.abs(), y.abs())
    ratio = small / torch.where(large > 0, large, torch.ones_like(large))
    return large * torch.sqrt(1 + ratio * ratio)


def _signbit(_: Any, x: torch.Tensor) -> torch.Tensor:
    """Of -0 as well, whose inverse is -inf."""
    return torch.where(x == 0, 1 / x, x) < 0 if x.is_floating_point() else x < 0


def _copysign(_: Any, x: torch.Tensor, y: Any) -> torch.Tensor:
    if not isinstance(y, torch.Tensor):
        return x.abs() * math.copysign(1.0, y)
    return torch.where(_signbit(_, y), -x.abs(), x.abs())


def _of_numbers(choose: Any) -> Any:
    """The other one where one is no number."""

    def spell(_: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.where(x != x, y, torch.where(y != y, x, choose(x, y)))

    return spell


def _ldexp(_: Any, x: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    return x * torch.exp2(power.to(torch.float32))


def _logaddexp2(_: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log2(2^x + 2^y), from the larger of the two on; two infinite ones have no difference."""
    beside = torch.log2(1 + torch.exp2(-(x - y).abs()))
    return torch.where(x == y, x + 1, torch.maximum(x, y) + beside)


def _asinh(_: Any, x: torch.Tensor) -> torch.Tensor:
    """sign x · log1p(a + a² / (1 + √(a² + 1))), a = |x|: nothing cancels near 0."""
    a = x.abs()
    return torch.sign(x) * torch.log1p(a + a * (a / (1 + torch.sqrt(a * a + 1))))


def _acosh(_: Any, x: torch.Tensor) -> torch.Tensor:
    """log1p(t + √(2 t + t²)), t = x - 1: nothing cancels near 1."""
    t = x - 1
    return torch.log1p(t + torch.sqrt(2 * t + t * t))


def _isclose(_: Any, x: torch.Tensor, y: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> torch.Tensor:  # fmt: skip
    near = torch.logical_and((x - y).abs() <= atol + rtol * y.abs(), y.abs() < math.inf)
    near = torch.logical_or(x == y, near)
    return torch.logical_or(near, torch.logical_and(x != x, y != y)) if equal_nan else near


def _round(_: Any, x: torch.Tensor, *, decimals: int) -> Any:
    if not decimals:
        return torch.round(x)
    ten = 10.0 ** abs(decimals)
    return torch.round(x * ten) / ten if decimals > 0 else torch.round(x / ten) * ten


SPELLING = {
    aten.fmod.Scalar: _fmod,
    aten.fmod.Tensor: _fmod,
    aten.trunc.default: _trunc,
    aten.fix.default: _trunc,
    aten.hypot.default: _hypot,
    aten.signbit.default: _signbit,
    aten.copysign.Tensor: _copysign,
    aten.copysign.Scalar: _copysign,
    aten.fmax.default: _of_numbers(torch.maximum),
    aten.fmin.default: _of_numbers(torch.minimum),
    aten.ldexp.Tensor: _ldexp,
    aten.logaddexp2.default: _logaddexp2,
    aten.erfc.default: lambda _, x: 1 - torch.erf(x),
    aten.special_erfc.default: lambda _, x: 1 - torch.erf(x),
    aten.asinh.default: _asinh,
    aten.acosh.default: _acosh,
    aten.isclose.default: _isclose,
    aten.round.decimals: _round,
}
