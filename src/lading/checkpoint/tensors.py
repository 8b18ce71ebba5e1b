"""Tensors as goods: their dtype names, their digests, and whether two are the same to the byte."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

#: torch dtype -> numpy's spelling, the one used in every record ("bfloat16" as torch says it).
DTYPE_NAMES: dict[torch.dtype, str] = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
    torch.complex64: "complex64",
    torch.complex128: "complex128",
}


def dtype_name(tensor: torch.Tensor) -> str:
    """The dtype's name in records.

    >>> dtype_name(torch.zeros(2, dtype=torch.float16))
    'float16'
    """
    return DTYPE_NAMES.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))


def raw(tensor: torch.Tensor) -> memoryview:
    """The tensor's elements as bytes, in C order, little-endian; no copy when it is contiguous."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if not flat.numel():
        return memoryview(b"")
    return memoryview(flat.view(torch.uint8).numpy().data)


def digest(tensor: torch.Tensor) -> str:
    """SHA-256 over dtype, shape and elements, as hex: equal digests mean equal tensors.

    >>> digest(torch.zeros(2, 3)) == digest(torch.zeros(3, 2))
    False
    """
    state = hashlib.sha256(f"{dtype_name(tensor)}{tuple(tensor.shape)}".encode())
    state.update(raw(tensor))
    return state.hexdigest()


def finite(tensor: torch.Tensor) -> bool:
    """Whether no element is NaN or infinite.

    >>> finite(torch.tensor([1.0, 3e38, 3e38])), finite(torch.tensor([1, 2]))
    (True, True)
    >>> finite(torch.tensor([float("inf"), 1.0])), finite(torch.tensor([float("nan")]))
    (False, False)
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    if tensor.itemsize == 1:  # float8 has neither a sum nor isfinite of its own
        tensor = tensor.float()
    # a finite sum is one of finite numbers, and sooner found
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether dtype, shape and every byte agree. NaN equals the same NaN; 0.0 differs from -0.0.

    >>> same_bytes(torch.tensor([float("nan")]), torch.tensor([float("nan")]))
    True
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    views = (a.stride(), a.is_conj(), a.is_neg()) == (b.stride(), b.is_conj(), b.is_neg())
    if views and a.data_ptr() == b.data_ptr() != 0:  # one memory; 0 is none, as on meta
        return True
    # Two memoryviews compare element by element in Python's own time, ten times slower.
    return bool(np.array_equal(np.frombuffer(raw(a), np.uint8), np.frombuffer(raw(b), np.uint8)))
