"""Weight files, written and read by coremltools' own library, byte for byte."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.coreml.mil import blob
from lading.errors import ProgramError

storage = importlib.import_module("coremltools.libmilstoragepython")

RANGES = {
    "int4": (-8, 8),
    "uint1": (0, 2),
    "uint2": (0, 4),
    "uint3": (0, 8),
    "uint4": (0, 16),
    "uint6": (0, 64),
    "int8": (-128, 128),
    "uint8": (0, 256),
    "int16": (-(2**15), 2**15),
    "uint16": (0, 2**16),
    "int32": (-(2**31), 2**31),
    "uint32": (0, 2**32),
}


def writable(dtype: str, values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    if dtype in blob.SUB_BYTE:
        from coremltools.converters.mil.mil import types

        return values.astype(types.nptype_from_builtin(types.string_to_builtin(dtype)))
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", RANGES)
@given(count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_integers_come_back(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, count: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("blob") / "weight.bin"
    values = np.random.default_rng(seed).integers(*RANGES[dtype], count, dtype=np.int64)
    writer = storage._BlobStorageWriter(str(path))
    write = getattr(writer, f"write_{dtype}_data")
    first = write(writable(dtype, values))
    second = write(writable(dtype, values[::-1].copy()))
    del writer, write
    file = blob.BlobFile(path)
    assert file.array(first, dtype, (count,)).tolist() == values.tolist()
    assert file.array(second, dtype, (1, count))[0].tolist() == values[::-1].tolist()
    reader = storage._BlobStorageReader(str(path))
    theirs = getattr(reader, f"read_{dtype}_data")(first)
    assert np.asarray(theirs).astype(np.int64).tolist() == values.tolist()


@pytest.fixture
def floats(tmp_path: Path) -> tuple[Path, int, int, np.ndarray]:  # type: ignore[type-arg]
    path = tmp_path / "weight.bin"
    values = np.array([1.5, -0.0, np.inf, 2**-24, 65504], np.float32)
    writer = storage._BlobStorageWriter(str(path))
    full = writer.write_float_data(values)
    half = writer.write_fp16_data(values.astype(np.float16).view(np.uint16))
    del writer
    return path, full, half, values


def test_floats_come_back_and_are_mapped(floats: tuple[Path, int, int, np.ndarray]) -> None:  # type: ignore[type-arg]
    path, full, half, values = floats
    file = blob.BlobFile(path)
    got = file.array(full, "float32", (5,))
    assert got.tobytes() == values.tobytes()
    assert file.array(half, "float16", (5, 1)).tobytes() == values.astype(np.float16).tobytes()
    assert got.base is not None
    before = path.read_bytes()
    got[0] = 7  # the mapping is private
    assert path.read_bytes() == before


def test_what_does_not_fit_is_an_error(floats: tuple[Path, int, int, np.ndarray]) -> None:  # type: ignore[type-arg]
    path, full, half, _ = floats
    file = blob.BlobFile(path)
    with pytest.raises(ProgramError, match="float32"):
        file.array(full, "float16", (10,))
    with pytest.raises(ProgramError, match="24 bytes for float32"):
        file.array(full, "float32", (6,))
    with pytest.raises(ProgramError, match="no record at byte 8"):
        file.array(8, "float32", (5,))
    with pytest.raises(ProgramError, match="a record at byte 1000000"):
        file.array(10**6, "float32", (5,))
    path.write_bytes(path.read_bytes()[: half + 66])
    with pytest.raises(ProgramError, match="data up to byte"):
        blob.BlobFile(path).array(half, "float16", (5,))


def test_bfloat16_widens_exactly() -> None:
    raw = np.array([0x3F80, 0xC040, 0x7F80, 0x0001], np.uint16)
    want = [1.0, -3.0, np.inf, 2.0**-133]
    assert blob.from_bytes(raw.view(np.uint8), "bfloat16", (4,)).tolist() == want
    assert blob.size_of("bfloat16", 4) == 8
