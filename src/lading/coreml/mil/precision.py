"""How declared dtypes are computed: the policies, and the torch dtype that holds each value.

Core ML's declared types are a minimum: what says float16 may be computed in float32, and different
compute units round at different places. Each policy is one exact, repeatable reading:

``declared``
    every operation computes in float32 and rounds once, to the dtype declared for its result. The
    default, and close to what the Neural Engine gives.
``float32``
    what is declared float16 stays float32, on the same weights. What a model loses against this
    reading, it loses to rounding.
``half-accumulate``
    as ``declared``, and sums (convolution, linear, matrix product, reductions) add up in float16.
    A pessimist's reading, for finding sums that only a wide accumulator saves.

Values declared float16 are held as float32 tensors whose elements lie on the float16 grid, so that
reading them costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch

from lading.coreml.mil.program import Constant, ValueType
from lading.errors import ProgramError, RequestError

Precision = Literal["declared", "float32", "half-accumulate"]

#: Declared dtype -> the torch dtype that holds it while a program runs.
STORAGE: dict[str, torch.dtype] = {
    "float16": torch.float32,
    "bfloat16": torch.float32,
    "float32": torch.float32,
    "float64": torch.float64,
    "bool": torch.bool,
    "int4": torch.int8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "uint8": torch.uint8,
    "uint16": torch.int32,
    "uint32": torch.int64,
}

#: What values of a dtype that torch holds in a wider one wrap around at.
_MASKS = {"uint16": 0xFFFF, "uint32": 0xFFFFFFFF}
_ROUNDED = {"float16": torch.float16, "bfloat16": torch.bfloat16}

#: Elements rounded at once: a megabyte of float32.
_PART = 1 << 18

Finish: TypeAlias = Callable[[Any], Any]


def check(precision: str) -> None:
    """That `precision` is one of the policies.

    Raises:
        RequestError: it is not.
    """
    if precision not in get_args(Precision):
        raise RequestError(
            f"precision {precision!r}",
            found=precision,
            expected=", ".join(get_args(Precision)),
            remedy="use precision='declared'",
        )


def to_grid(x: torch.Tensor, dtype: str) -> torch.Tensor:
    """`x` (float32) with every element rounded to the nearest value of `dtype`, ties to even.

    >>> to_grid(torch.tensor([1.0001, 70000.0]), "float16").tolist()
    [1.0, inf]
    """
    return x.to(_ROUNDED[dtype]).float() if dtype in _ROUNDED else x


def tensor(constant: Constant) -> Any:
    """The constant as the tensor that operations get; strings, lists and so on as they are."""
    data = constant.data
    if not isinstance(data, np.ndarray) or constant.type.dtype not in STORAGE:
        return data
    want = STORAGE[constant.type.dtype]
    if data.dtype == np.float16:  # many at once; numpy takes them one by one
        return torch.tensor(data).to(want)
    if data.dtype in (np.uint16, np.uint32):
        data = data.astype(np.int64)
    if not data.flags.writeable:
        data = data.copy()
    return torch.from_numpy(np.ascontiguousarray(data).reshape(data.shape)).to(want)


def array(value: torch.Tensor, dtype: str) -> np.ndarray[Any, Any]:
    """`value` as the numpy array of the declared `dtype` (bfloat16 and sub-byte: as held)."""
    result = value.contiguous().numpy()
    name = dtype if dtype in ("float16", "uint16", "uint32") else str(result.dtype)
    with np.errstate(over="ignore"):
        return result.astype(name)  # always a copy: `value` may be a weight or the caller's array


def on_half_grid(kind: ValueType) -> bool:
    """Whether rounding to float16 changes nothing: the value is one already, or no float."""
    return kind.dtype not in ("float32", "float64", "bfloat16")


def rounding(kind: ValueType, precision: str, *, exact: bool) -> torch.dtype | None:
    """What a result is rounded to, in place; None where it is not. See `finisher`."""
    return None if exact or precision == "float32" else _ROUNDED.get(kind.dtype)


def finisher(
    kind: ValueType, precision: str, *, exact: bool, converting: bool = False
) -> Finish | None:
    """What brings an operation's result to its declared type: dtype, rounding, and a shape check.

    Args:
        kind: the declared type.
        precision: the policy.
        exact: every element is one of the inputs' elements, so there is nothing to round.
        converting: floats may become the declared integers, towards zero; else that is an error.

    Returns:
        a function from result to value, or None where there is nothing to do.
    """
    if kind.kind != "tensor" or kind.dtype not in STORAGE:
        return None
    want, shape = STORAGE[kind.dtype], kind.fixed
    grid = rounding(kind, precision, exact=exact)
    mask = None if exact else _MASKS.get(kind.dtype)

    def finish(value: torch.Tensor) -> torch.Tensor:
        if value.dtype is not want:
            value = value.to(want) if converting else _convert(value, want, kind)
        if mask is not None:
            value = value & mask
        if grid is not None:
            value = _rounded(value, grid)
        if shape is not None and value.shape != shape:
            raise ProgramError(
                "result",
                found=f"shape {tuple(value.shape)}",
                expected=f"the declared {kind}",
                remedy="convert the model again; if it stays, report it with the package",
            )
        return value

    return finish


def _rounded(value: torch.Tensor, grid: torch.dtype) -> torch.Tensor:
    """A fresh result on the `grid`, in place: large ones in parts, so that what is converted is
    still in the cache when it comes back, and no second large tensor is ever allocated."""
    if value._is_view():
        return value.to(grid).float()
    if value.numel() <= _PART or not value.is_contiguous():
        return value.copy_(value.to(grid))
    for part in value.view(-1).split(_PART):  # type: ignore[no-untyped-call]
        part.copy_(part.to(grid))
    return value


def _convert(value: torch.Tensor, want: torch.dtype, kind: ValueType) -> torch.Tensor:
    """Widths may differ (indices come as int64); floats never turn into integers silently."""
    if value.dtype.is_floating_point != want.is_floating_point or (want is torch.bool):
        raise ProgramError(
            "result",
            found=f"elements of {value.dtype}",
            expected=f"the declared {kind}",
            remedy="convert the model again; if it stays, report it with the package",
        )
    return value.to(want)
