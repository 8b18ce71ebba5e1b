"""Element by element: arithmetic, comparison, logic, rounding, and `cast`.

Integers wrap around at their width. Their quotients: `floor_div` rounds down and `mod` has the
divisor's sign, as in Python; `real_div` rounds towards zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact


# ------------------------------------------------------------------------------------ arithmetic
def add(x: Tensor, y: Tensor) -> Tensor:
    return x + y


def sub(x: Tensor, y: Tensor) -> Tensor:
    return x - y


def mul(x: Tensor, y: Tensor) -> Tensor:
    return x * y


def real_div(x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def floor_div(x: Tensor, y: Tensor) -> Tensor:
    return torch.div(x, y, rounding_mode="floor")


def mod(x: Tensor, y: Tensor) -> Tensor:
    return torch.remainder(x, y)


def pow_(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y)


@exact
def maximum(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y)


@exact
def minimum(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x, y)


# ------------------------------------------------------------------------- comparison and logic
def equal(x: Tensor, y: Tensor) -> Tensor:
    return x == y


def not_equal(x: Tensor, y: Tensor) -> Tensor:
    return x != y


def greater(x: Tensor, y: Tensor) -> Tensor:
    return x > y


def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    return x >= y


def less(x: Tensor, y: Tensor) -> Tensor:
    return x < y


def less_equal(x: Tensor, y: Tensor) -> Tensor:
    return x <= y


def logical_and(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_and(x, y)


def logical_or(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_or(x, y)


def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_xor(x, y)


def logical_not(x: Tensor) -> Tensor:
    return torch.logical_not(x)


# ------------------------------------------------------------------------------------- functions
@exact
def abs_(x: Tensor) -> Tensor:
    return x.abs()


def acos(x: Tensor) -> Tensor:
    return x.acos()


def asin(x: Tensor) -> Tensor:
    return x.asin()


def atan(x: Tensor) -> Tensor:
    return x.atan()


def atanh(x: Tensor) -> Tensor:
    return x.atanh()


@exact
def ceil(x: Tensor) -> Tensor:
    return x.ceil()


@exact
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    # The upper bound wins where the bounds cross, as in min(max(x, alpha), beta).
    return x.clamp(alpha, beta)


def cos(x: Tensor) -> Tensor:
    return x.cos()


def cosh(x: Tensor) -> Tensor:
    return x.cosh()


def erf(x: Tensor) -> Tensor:
    return x.erf()


def exp(x: Tensor) -> Tensor:
    return x.exp()


def exp2(x: Tensor) -> Tensor:
    return x.exp2() if x.is_floating_point() else x.double().exp2().to(x.dtype)


@exact
def floor(x: Tensor) -> Tensor:
    return x.floor()


def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    return (x + epsilon).reciprocal()


def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    return (x + epsilon).log()


@exact
def round_(x: Tensor) -> Tensor:
    return x.round()


def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    return (x + epsilon).rsqrt()


@exact
def sign(x: Tensor) -> Tensor:
    return x.sign()


def sin(x: Tensor) -> Tensor:
    return x.sin()


def sinh(x: Tensor) -> Tensor:
    return x.sinh()


def sqrt(x: Tensor) -> Tensor:
    return x.sqrt()


def square(x: Tensor) -> Tensor:
    return x.square()


def tan(x: Tensor) -> Tensor:
    return x.tan()


def tanh(x: Tensor) -> Tensor:
    return x.tanh()


@exact
def threshold(x: Tensor, alpha: float) -> Tensor:
    return x.clamp(min=alpha)


# ------------------------------------------------------------------------------------------ cast
_FLOATS = ("fp16", "fp32", "fp64", "float16", "float32", "float64")
_LIMITS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
_HELD = {
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "uint16": torch.int32,
    "uint32": torch.int64,
    "int64": torch.int64,
}


def cast(x: Tensor, dtype: str) -> Tensor:
    """Floats become integers by dropping the fraction, saturating as Arm's conversion does, NaN
    as 0; integers wrap around; what is not 0 is True. Rounding to float16 is the evaluator's."""
    if dtype == "bool":
        return x != 0
    if dtype in _FLOATS:
        # What is rounded afterwards must not be the input itself.
        copy = dtype in ("fp16", "float16")
        return x.to(torch.float64 if dtype.endswith("64") else torch.float32, copy=copy)
    low, high = _LIMITS[dtype]
    if x.is_floating_point():
        # float64 holds every bound but int64's upper one, which converts to itself by saturation.
        x = x.double().nan_to_num(nan=0.0).clamp(low, high).to(torch.int64)
    if dtype in ("uint16", "uint32"):
        x = x.to(torch.int64) & high
    return x.to(_HELD[dtype])
