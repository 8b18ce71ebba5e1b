"""The safetensors container: a length, a JSON header, and the tensors' bytes.

Format: https://github.com/huggingface/safetensors (README, "Format"). Every byte of the data must
belong to exactly one tensor; a hole or an overlap is refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from lading.checkpoint.mapped import Mapped
from lading.errors import CheckpointError, UnsafeFileError

#: The format's own limit on the header.
MAX_HEADER = 100_000_000

_DTYPES: dict[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "U16": torch.uint16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "I64": torch.int64,
    "U64": torch.uint64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


def looks_like(head: bytes) -> bool:
    """Whether `head`, the first bytes of a file, begin a safetensors file."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40


def read(source: Mapped) -> tuple[dict[str, Any], list[str]]:
    """The tensors by name in the header's order (and ``__metadata__``), and the steps taken.

    Raises:
        CheckpointError: the file is cut short or its header is malformed.
        UnsafeFileError: tensors overlap, or bytes belong to none.
    """
    length = int.from_bytes(source.data[:8], "little")
    if length > MAX_HEADER:
        raise UnsafeFileError(
            str(source.path),
            found=f"a safetensors header of {length:,} bytes",
            expected=f"{MAX_HEADER:,} at most, the format's own limit",
            remedy="save the file again with the safetensors library",
        )
    start = 8 + length
    if start > source.size:
        raise _malformed(source, f"{source.size:,} bytes, where the header alone takes {start:,}")
    try:
        header = json.loads(source.data[8:start], object_pairs_hook=_once)
    except (ValueError, RecursionError) as problem:
        raise _malformed(source, f"a header that is no JSON: {str(problem)[:200]}") from None
    if not isinstance(header, dict):
        raise _malformed(source, "a header that is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _malformed(source, "__metadata__ that is no map of texts")
    places = {name: _place(source, name, entry) for name, entry in header.items()}
    end = 0
    for name, (_, _, begin, finish) in sorted(places.items(), key=lambda one: one[1][2:]):
        if begin != end:
            trick = "overlaps the one before it" if begin < end else "leaves a hole before it"
            raise UnsafeFileError(
                f"{source.path}, tensor {name}",
                found=f"bytes {begin:,} to {finish:,}: it {trick} (which ends at {end:,})",
                expected="every byte in exactly one tensor",
                remedy="save the file again with the safetensors library",
            )
        end = finish
    if start + end != source.size:
        raise _malformed(source, f"{source.size - start:,} bytes of data, where {end:,} belong")
    tensors: dict[str, Any] = {}
    for name, (dtype, shape, begin, finish) in places.items():
        flat = source.tensor(start + begin, finish - begin)
        tensors[name] = flat.view(dtype).reshape(shape)
    if metadata:
        tensors["__metadata__"] = metadata
    return tensors, ["opened the safetensors file"]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name that comes twice")
    return made


def _place(source: Mapped, name: str, entry: Any) -> tuple[torch.dtype, tuple[int, ...], int, int]:
    subject = f"{source.path}, tensor {name}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _malformed(source, "an entry without dtype, shape and data_offsets", subject)
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise CheckpointError(
            subject,
            found=f"dtype {str(code)[:40]}",
            expected=f"one of {' '.join(_DTYPES)}",
            remedy="save the tensor in one of these dtypes",
        )
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise _malformed(source, f"shape {shape} and data_offsets {offsets}"[:200], subject)
    dtype, (begin, end) = _DTYPES[code], offsets
    needed = math.prod(shape) * dtype.itemsize
    if end - begin != needed:
        found = f"{end - begin:,} bytes for shape {tuple(shape)} of {code}, which takes {needed:,}"
        raise _malformed(source, found, subject)
    return dtype, tuple(shape), begin, end


def _whole(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= 64
        and all(type(one) is int and 0 <= one < 1 << 62 for one in values)
    )


def _malformed(source: Mapped, found: str, subject: str = "") -> CheckpointError:
    return CheckpointError(
        subject or str(source.path),
        found=found,
        expected="a whole, well-formed safetensors file",
        remedy="copy or download it again; if it stays so, save it again",
    )
