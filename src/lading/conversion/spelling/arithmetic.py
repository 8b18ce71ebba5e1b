"""Sums with a factor, powers of a number, division of whole numbers, choices with numbers.

Symptoms with coremltools 9.0: ``add`` and ``sub`` drop ``alpha`` on the export route and refuse it
on the trace route (apple/coremltools pull request 2680); ``pow(2, y)`` of a number takes the wrong
base (2742); the division of whole numbers truncates (2734, 2738, 2762); ``diff``,
``cumprod`` in ONNX, ``lerp``, ``&`` of flags and ``where`` with numbers are not known by
torch.export. The first four are mended in 9.1. Checked with torch 2.13.
"""

from __future__ import annotations

from typing import Any

import torch

aten = torch.ops.aten


def _add(_: Any, x: Any, y: Any, *, alpha: Any = 1) -> Any:
    return NotImplemented if alpha == 1 else x + y * alpha


def _sub(_: Any, x: Any, y: Any, *, alpha: Any = 1) -> Any:
    return NotImplemented if alpha == 1 else x - y * alpha


def _rsub(_: Any, x: Any, y: Any, alpha: Any = 1) -> Any:
    return y - (x if alpha == 1 else x * alpha)


def _pow(_: Any, base: Any, exponent: torch.Tensor) -> Any:
    made = torch.result_type(base, exponent)
    if not made.is_floating_point:
        return NotImplemented
    return torch.pow(torch.full_like(exponent.to(made), base), exponent.to(made))


def _div(_: Any, x: Any, y: Any) -> Any:
    whole = [not isinstance(one, float) and not _real(one) for one in (x, y)]
    return x.to(torch.float32) / y if all(whole) else NotImplemented


def _div_mode(_: Any, x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    """Whole numbers below 2^24 are exact in float32; the quotient is corrected by its remainder."""
    if rounding_mode == "trunc" or _real(x) or _real(y):
        return NotImplemented
    if rounding_mode is None:
        return x.to(torch.float32) / y
    return _floor(_, x, y)


def _floor(_: Any, x: Any, y: Any) -> Any:
    if _real(x) or _real(y):
        return NotImplemented
    y = y if isinstance(y, torch.Tensor) else torch.full(list(x.shape), y, dtype=x.dtype)
    guess = torch.floor(x.to(torch.float32) / y).to(torch.int64)
    left = x - guess * y
    down = torch.logical_and(left != 0, torch.logical_xor(left < 0, y < torch.zeros_like(left)))
    return guess - down.to(torch.int64)


def _real(value: Any) -> bool:
    return (
        value.is_floating_point() if isinstance(value, torch.Tensor) else isinstance(value, float)
    )


def _diff(_: Any, x: torch.Tensor, n: int = 1, dim: int = -1, prepend: Any = None,
          append: Any = None) -> torch.Tensor:  # fmt: skip
    x = torch.cat([one for one in (prepend, x, append) if one is not None], dim)
    for _round in range(n):
        size = x.shape[dim]
        x = x.narrow(dim, 1, size - 1) - x.narrow(dim, 0, size - 1)
    return x


def _cumprod(_: Any, x: torch.Tensor, dim: int, *, dtype: Any = None) -> torch.Tensor:
    """Doubling steps: each element is multiplied by the one 1, 2, 4, ... before it."""
    x = x.to(dtype or x.dtype)
    size, step = int(x.shape[dim]), 1
    while step < size:
        before = torch.cat([torch.ones_like(x.narrow(dim, 0, step)),
                            x.narrow(dim, 0, size - step)], dim)  # fmt: skip
        x, step = x * before, 2 * step
    return x


def _lerp(_: Any, x: torch.Tensor, y: torch.Tensor, weight: Any) -> Any:
    """As torch computes it: from the nearer end."""
    if isinstance(weight, torch.Tensor):
        near = x + weight * (y - x)
        return torch.where(weight.abs() < 0.5, near, y - (y - x) * (1 - weight))
    return x + (y - x) * weight if abs(weight) < 0.5 else y - (y - x) * (1 - weight)


def _logical(named: Any) -> Any:
    def spell(_: Any, x: Any, y: Any) -> Any:
        both = isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)
        return named(x, y) if both and x.dtype == y.dtype == torch.bool else NotImplemented

    return spell


def _where(_: Any, condition: torch.Tensor, x: Any, y: Any) -> Any:
    """With numbers: the type is what torch makes of both."""
    dtype = torch.result_type(x, y)
    return torch.where(condition, *(
        one if isinstance(one, torch.Tensor) else torch.full([1], one, dtype=dtype)
        for one in (x, y)
    ))  # fmt: skip


SPELLING = {
    aten.where.ScalarOther: _where, aten.where.ScalarSelf: _where, aten.where.Scalar: _where,
    aten.__and__.Tensor: _logical(torch.logical_and),
    aten.__or__.Tensor: _logical(torch.logical_or),
    aten.__xor__.Tensor: _logical(torch.logical_xor),
    aten.add.Tensor: _add, aten.add.Scalar: lambda n, x, y, alpha=1: _add(n, x, y, alpha=alpha),
    aten.sub.Tensor: _sub, aten.sub.Scalar: lambda n, x, y, alpha=1: _sub(n, x, y, alpha=alpha),
    aten.rsub.Scalar: _rsub, aten.rsub.Tensor: _rsub, aten.pow.Scalar: _pow,
    aten.div.Tensor: _div, aten.div.Tensor_mode: _div_mode, aten.div.Scalar_mode: _div_mode,
    aten.floor_divide.default: _floor, aten.floor_divide.Scalar: _floor, aten.diff.default: _diff,
    aten.cumprod.default: _cumprod, aten.lerp.Scalar: _lerp, aten.lerp.Tensor: _lerp,
}  # fmt: skip
