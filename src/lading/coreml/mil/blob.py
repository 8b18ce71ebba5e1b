"""Weight files (`weight.bin`): 64-byte header, then for each array a 64-byte record and its bytes.

All numbers are little-endian. The header is ``count: u32, version: u32`` and zeros. A record is
``sentinel: u32 = 0xDEADBEEF, dtype: u32, size in bytes: u64, offset of the data: u64, padding in
bits: u64`` and zeros. Integers of fewer than 8 bits are packed, the first element in the lowest
bits, and the padding says how many bits of the last byte hold nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from lading.errors import ProgramError
from lading.record.text import LFS_POINTER

SENTINEL = 0xDEADBEEF
VERSION = 2
_RECORD = struct.Struct("<IIQQQ")

#: The file's number for a dtype -> its name here.
DTYPES = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    5: "bfloat16",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
}

#: Bits of the integer dtypes that numpy lacks.
SUB_BYTE = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}

Array = np.ndarray[Any, Any]


def unpack(packed: Array, dtype: str, count: int) -> Array:
    """`count` elements of a sub-byte `dtype` out of the bytes `packed`, one to a byte.

    >>> unpack(np.array([0x21, 0x0F], np.uint8), "uint4", 3).tolist()
    [1, 2, 15]
    >>> unpack(np.array([0x2F], np.uint8), "int4", 2).tolist()
    [-1, 2]
    """
    bits = SUB_BYTE[dtype]
    raw = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    values = np.zeros(count, np.uint8)
    for place in range(bits):
        values |= raw[:, place] << place
    if dtype.startswith("int"):
        return ((values ^ (1 << bits - 1)).astype(np.int8) - np.int8(1 << bits - 1)).astype(np.int8)
    return values


def widen_bfloat16(raw: Array) -> Array:
    """bfloat16 bit patterns (uint16) as float32; exact."""
    return (raw.astype(np.uint32) << 16).view(np.float32)


def from_bytes(data: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    """The array of `dtype` and `shape` whose little-endian bytes are `data` (uint8)."""
    count = int(np.prod(shape, dtype=np.int64))
    if dtype in SUB_BYTE:
        return unpack(data, dtype, count).reshape(shape)
    if dtype == "bfloat16":
        return widen_bfloat16(data.view("<u2")).reshape(shape)
    return data.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)


def size_of(dtype: str, count: int) -> int:
    """Bytes that `count` packed elements of `dtype` take."""
    if dtype in SUB_BYTE:
        return -(-count * SUB_BYTE[dtype] // 8)
    return count * (2 if dtype == "bfloat16" else np.dtype(dtype).itemsize)


class BlobFile:
    """One weight file, mapped into memory.

    Raises:
        ProgramError: the file is missing, or is not a weight file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ProgramError(
                str(path),
                found="no such file",
                expected="the package's weight file",
                remedy="copy the package again, whole",
            )
        if path.stat().st_size < 64:
            raise self._bad(f"{path.stat().st_size} bytes", "a header of 64 bytes")
        # Copy-on-write, so that torch may share the pages; the file itself is never written.
        self._bytes: Array = np.memmap(path, np.uint8, mode="c")
        if self._bytes[: len(LFS_POINTER)].tobytes() == LFS_POINTER:
            raise ProgramError(
                str(path),
                found="a Git LFS pointer, not the weights",
                expected="the package's weight file",
                remedy="fetch the file itself: git lfs pull",
            )
        _count, version = struct.unpack_from("<II", self._bytes[:8].tobytes())
        if version != VERSION:
            raise self._bad(f"version {version}", f"version {VERSION}")

    def _bad(self, found: str, expected: str) -> ProgramError:
        return ProgramError(
            str(self.path), found=found, expected=expected, remedy="copy the package again, whole"
        )

    def array(self, offset: int, dtype: str, shape: tuple[int, ...]) -> Array:
        """The array whose record lies at `offset`.

        Raises:
            ProgramError: there is no record, or it is of another dtype or size, or cut short.
        """
        total = len(self._bytes)
        if offset + 64 > total:
            raise self._bad(f"{total} bytes", f"a record at byte {offset}")
        sentinel, code, size, start, _padding = _RECORD.unpack_from(
            self._bytes[offset : offset + _RECORD.size].tobytes()
        )
        if sentinel != SENTINEL:
            raise self._bad(f"no record at byte {offset}", f"the mark {SENTINEL:#x}")
        if DTYPES.get(code) != dtype:
            raise self._bad(DTYPES.get(code, f"dtype {code}"), f"{dtype} at byte {offset}")
        wanted = size_of(dtype, int(np.prod(shape, dtype=np.int64)))
        if size != wanted:
            raise self._bad(f"{size} bytes", f"{wanted} bytes for {dtype}{list(shape)}")
        if start + size > total:
            raise self._bad(f"{total} bytes", f"data up to byte {start + size}")
        return from_bytes(self._bytes[start : start + size], dtype, shape)
