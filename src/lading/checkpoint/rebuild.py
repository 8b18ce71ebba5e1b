"""lading's own versions of the functions that torch's and numpy's pickles call.

Each takes what the file gives and checks it before anything is made: a size that does not fit its
storage, a stride that leaves it, a shape far larger than its data are errors, never allocations.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lading.checkpoint.account import Account
from lading.checkpoint.inert import Named, NotPlainError, Placeholder
from lading.checkpoint.shown import shown
from lading.errors import CheckpointError

#: Of a tensor or an array; torch and numpy have as many.
MAX_DIMENSIONS = 64

_SCALAR_TYPE = re.compile(
    r"[<>=|]?([biufcSUV])[0-9]{0,9}|[<>=|]?([mM])8(\[[0-9]{0,9}[A-Za-z]{1,7}\])?"
)


@dataclass(frozen=True, eq=False)
class Storage:
    """A run of elements that tensors are views of.

    Attributes:
        data: its bytes, uint8 of one dimension.
        dtype: of an element; uint8 for an untyped storage.
        name: how errors call it; no other storage of the file is called so.
        account: of its file, which pays for what tensors show of it.
    """

    data: torch.Tensor
    dtype: torch.dtype
    name: str
    account: Account


@dataclass(eq=False)
class Waiting:
    """A numpy dtype or array whose state comes later, in a BUILD of its own.

    numpy gives one and the same object for every ``dtype("f8")``; each of these is its own, so
    that a state meant for one is never given to another.
    """

    kind: np.dtype[Any] | None = None


def _malformed(subject: str, found: str, expected: str) -> CheckpointError:
    return CheckpointError(
        subject,
        found=found,
        expected=expected,
        remedy="copy or download the file again; if it stays so, save it again",
    )


def _whole(values: Any, what: str) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(
        isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 1 << 62 for one in values
    ):
        raise _malformed(what, _numbers(values), "whole numbers, none negative")
    if len(values) > MAX_DIMENSIONS:
        raise _malformed(what, f"{len(values):,} dimensions", f"{MAX_DIMENSIONS} at most")
    return tuple(values)


def _numbers(values: Any) -> str:
    if not isinstance(values, (tuple, list)):
        return shown(values)
    more = ", …" if len(values) > 8 else "," if len(values) == 1 else ""
    return f"({', '.join(shown(one, 20) for one in values[:8])}{more})"


# --------------------------------------------------------------------------------------- tensors
def view(
    storage: Any, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """The tensor of `size` and `stride` that begins `offset` elements into `storage`.

    Raises:
        CheckpointError: it would reach outside its storage.
        UnsafeFileError: the file's tensors show far more than the file holds.
    """
    if not isinstance(storage, Storage):
        raise NotPlainError
    dtype = dtype or storage.dtype
    (offset,) = _whole((offset,), "offset of a tensor")
    size, stride = _whole(size, "size of a tensor"), _whole(stride, "stride of a tensor")
    if len(size) != len(stride):
        found = f"{_numbers(stride)} for size {_numbers(size)}"
        raise _malformed("stride of a tensor", found, "one a dimension")
    held = storage.data.numel() // dtype.itemsize
    numel = math.prod(size)
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    if numel and reach > held:
        raise _malformed(
            storage.name,
            f"{held:,} elements of {dtype}, and a tensor of size {_numbers(size)} "
            f"that reaches to {reach:,}",
            "a storage that holds all of its tensors",
        )
    place = (storage.name, offset, size, stride, dtype)
    storage.account.show(storage.name, place, numel * dtype.itemsize)
    if not numel:
        return torch.empty_strided(size, stride, dtype=dtype)
    whole = storage.data[: held * dtype.itemsize].view(dtype)
    # as_strided counts from the beginning of the memory, not of a part of it.
    return whole.as_strided(size, stride, offset + whole.storage_offset())


def tensor_v2(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> torch.Tensor:
    """``torch._utils._rebuild_tensor_v2``; gradients and hooks are of no use here."""
    return _bits(view(storage, offset, size, stride), metadata)


def tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> torch.Tensor:
    """``torch._utils._rebuild_tensor_v3``: the storage is untyped, the tensor brings its dtype."""
    if not isinstance(dtype, torch.dtype):
        raise NotPlainError
    return _bits(view(storage, offset, size, stride, dtype), metadata)


def _bits(tensor: torch.Tensor, metadata: Any) -> torch.Tensor:
    if isinstance(metadata, dict):
        if metadata.get("conj") is True and tensor.is_complex():
            tensor = tensor.conj()
        if metadata.get("neg") is True:
            tensor = torch._neg_view(tensor)
    return tensor


def parameter(data: Any, *_: Any) -> torch.Tensor:
    """``torch._utils._rebuild_parameter`` and its kin: the tensor itself."""
    if not isinstance(data, torch.Tensor):
        raise NotPlainError
    return data


def from_type(function: Any, kind: Any, args: Any, state: Any = None) -> torch.Tensor:
    """``torch._tensor._rebuild_from_type_v2``: a subclass of Tensor becomes a plain tensor."""
    if isinstance(args, tuple) and function == Named("torch._utils", "_rebuild_tensor_v2"):
        return tensor_v2(*args)
    if isinstance(args, tuple) and function == Named("torch._utils", "_rebuild_tensor_v3"):
        return tensor_v3(*args)
    raise NotPlainError


def from_array(data: Any, dtype: Any, device: Any, requires_grad: Any = False) -> torch.Tensor:
    """``torch._utils._rebuild_device_tensor_from_numpy``: tensors of devices without storages."""
    if not isinstance(data, np.ndarray) or not isinstance(dtype, torch.dtype):
        raise NotPlainError
    return torch.from_numpy(data.copy()).to(dtype)


def size(values: Any = ()) -> tuple[int, ...]:
    """``torch.Size``, as a plain tuple."""
    return _whole(values, "torch.Size")


def device(*parts: Any) -> torch.device:
    """``torch.device``; the device need not exist on this computer."""
    if not parts or not isinstance(parts[0], str) or len(parts) > 2:
        raise NotPlainError
    try:
        return torch.device(*parts)
    except RuntimeError:
        raise NotPlainError from None


# ----------------------------------------------------------------------------------------- numpy
def waiting_dtype(code: Any = None, *_: Any) -> Waiting:
    """``numpy.dtype(code, align, copy)``; only plain element types, by their codes."""
    return Waiting(_dtype(code))


def _dtype(code: Any) -> np.dtype[Any]:
    if isinstance(code, str) and code in ("O", "O8"):
        return np.dtype(object)
    if not isinstance(code, str) or not _SCALAR_TYPE.fullmatch(code):
        raise NotPlainError
    return np.dtype(code)


def waiting_array(*_: Any) -> Waiting:
    """``numpy.core.multiarray._reconstruct``: an array that waits for its state."""
    return Waiting()


def set_state(waiting: Waiting, state: Any) -> Any:
    """What ``__setstate__`` of the dtype or the array would give."""
    return _array_state(state) if waiting.kind is None else _dtype_state(waiting.kind, state)


def _known(kind: Any) -> np.dtype[Any]:
    """The dtype itself, also where its state never came."""
    kind = kind.kind if isinstance(kind, Waiting) else kind
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise NotPlainError
    return kind


def _dtype_state(made: np.dtype[Any], state: Any) -> Any:
    """The byte order and, for dates, the unit; with fields, a placeholder."""
    if not isinstance(state, tuple) or len(state) < 5:
        raise NotPlainError
    order, *fields = state[1:5]
    if any(one is not None for one in fields) or order not in ("<", ">", "=", "|"):
        return Placeholder("numpy", "dtype", (str(made),), state=state)
    if made.kind in "mM" and len(state) > 8:
        # Dates keep their unit here: ({}, (b"s", 1, 1, 1)) for seconds.
        made = _dtype(f"{made.kind}8[{_date_unit(state[8])}]")
    return made.newbyteorder(order) if order in "<>" else made


def _date_unit(metadata: Any) -> str:
    if not isinstance(metadata, tuple) or len(metadata) != 2 or not isinstance(metadata[1], tuple):
        raise NotPlainError("a date without a unit")
    unit, count = metadata[1][:2]
    if type(count) is not int or not 0 < count < 1 << 31 or len(unit) > 7:
        raise NotPlainError("a date with a unit of another form")
    return f"{count}{unit.decode('ascii') if isinstance(unit, bytes) else unit}"


def scalar(kind: Any, raw: Any = b"") -> Any:
    """``numpy.core.multiarray.scalar``: a Python scalar of the same value.

    float32 and float16 widen to float exactly; dates and other kinds stay numpy's.
    """
    kind, raw = _known(kind), _raw(raw)
    if len(raw) != kind.itemsize:
        raise ValueError(f"{len(raw)} bytes for a {kind}")
    if not kind.itemsize:
        return "" if kind.kind == "U" else b""
    one = np.frombuffer(raw, dtype=kind)[0]
    return one.item() if kind.kind in "biufcSU" and kind.char not in "gG" else one


def _array_state(state: Any) -> Any:
    """The array; one of objects becomes a placeholder."""
    if not isinstance(state, tuple) or len(state) < 4:
        raise ValueError("an array's state of another form")
    shape, kind, fortran, raw = state[-4:]
    try:
        kind = _known(kind)
    except NotPlainError:
        return Placeholder("numpy", "ndarray", state=state)
    return array(_raw(raw), kind, shape, "F" if fortran else "C")


def array(raw: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray[Any, Any]:
    """``numpy.core.numeric._frombuffer``: an array of `shape` over exactly its bytes."""
    kind = _known(kind)
    shape = _whole(shape, "shape of an array")
    raw = _raw(raw)
    needed = math.prod(shape) * kind.itemsize
    if len(raw) != needed:
        found = f"{len(raw):,} bytes for shape {_numbers(shape)} of {kind}"
        raise ValueError(f"{found}, which takes {needed:,}")
    if not kind.itemsize and math.prod(shape):
        raise ValueError("elements without size")  # numpy would give each of them a byte
    if not needed:
        return np.empty(shape, dtype=kind)
    return np.frombuffer(raw, dtype=kind).reshape(shape, order="F" if order == "F" else "C")


def _raw(raw: Any) -> bytes | bytearray:
    if isinstance(raw, str):
        return raw.encode("latin-1")
    if not isinstance(raw, (bytes, bytearray)):
        raise ValueError(f"a {type(raw).__name__} where bytes should be")
    return raw
