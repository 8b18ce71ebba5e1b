"""Archives and headers that lie about what they hold, each made here and refused."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lading.checkpoint import read
from lading.errors import CheckpointError, UnsafeFileError


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    torch.save({"w": torch.arange(1000.0), "b": torch.arange(7)}, path)
    return path


def rezip(path: Path, edit: Callable[[dict[str, bytes]], None], method: int = 0) -> Path:
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    edit(entries)
    with zipfile.ZipFile(path, "w", method) as new:
        for name, data in entries.items():
            new.writestr(name, data)
    return path


def refusal(path: Path, kind: type[CheckpointError] = UnsafeFileError) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert type(caught.value) is kind
    assert str(path) in caught.value.subject
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", ["model/../../evil", "/etc/evil", "C:/evil", "model\\evil"])
def test_names_that_leave_the_archive(name: str, good: Path) -> None:
    rezip(good, lambda entries: entries.update({name: b"x"}))
    if "\\" in name:  # zipfile writes the name as it is given
        assert b"model\\evil" in good.read_bytes()
    assert "leads elsewhere" in refusal(good).found


def test_two_entries_of_one_name(good: Path) -> None:
    with zipfile.ZipFile(good, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("model/data.pkl", b"cos\nsystem\n.")
    assert "two entries named 'model/data.pkl'" in refusal(good).found


def test_a_bomb_by_its_declared_size(good: Path) -> None:
    big = bytes(400 << 20)
    rezip(good, lambda entries: entries.update({"model/data/9": big}), zipfile.ZIP_DEFLATED)
    assert good.stat().st_size < 1 << 20
    found = refusal(good).found
    assert "unpack to 419," in found
    assert "limit" in found


def test_an_entry_that_reaches_into_the_next(good: Path) -> None:
    raw = bytearray(good.read_bytes())
    directory = raw.rindex(b"model/data/0") - 46
    size = struct.unpack_from("<L", raw, directory + 20)[0] + 256
    struct.pack_into("<2L", raw, directory + 20, size, size)
    good.write_bytes(raw)
    assert "overlaps the one before it" in refusal(good).found


def test_two_entries_in_one_place(good: Path) -> None:
    raw = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        infos = archive.infolist()
    # Point the second storage's directory entry at the first one's place.
    places = [one for one in infos if "/data/" in one.filename]
    directory = raw.rindex(places[1].filename.encode()) - 46
    assert raw[directory : directory + 4] == b"PK\x01\x02"
    raw[directory + 42 : directory + 46] = struct.pack("<L", places[0].header_offset)
    good.write_bytes(raw)
    assert "in the directory and" in refusal(good).found


def test_a_name_that_differs_between_directory_and_entry(good: Path) -> None:
    raw = bytearray(good.read_bytes())
    at = raw.index(b"model/data/0")
    raw[at : at + 12] = b"model/data/X"
    good.write_bytes(raw)
    assert "'model/data/0' in the directory" in refusal(good).found


def test_damaged_bytes_are_seen_by_their_checksum(good: Path) -> None:
    raw = bytearray(good.read_bytes())
    at = raw.index(struct.pack("<3f", 500, 501, 502))
    raw[at] ^= 1
    good.write_bytes(raw)
    problem = refusal(good, CheckpointError)
    assert problem.subject.endswith("entry model/data/0")
    assert problem.found.startswith("damaged bytes: checksum ")


def test_an_archive_without_checksums_says_so(good: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(1000.0)}, good)
    finally:
        torch.serialization.set_crc32_options(True)
    checkpoint = read(good)
    assert torch.equal(checkpoint.tensors["w"], torch.arange(1000.0))
    assert any("no checksums" in step for step in checkpoint.record.steps)


@pytest.mark.parametrize("kept", [4, 30, 100, 0.5, 0.9, 0.999])
def test_a_truncated_zip(kept: float, good: Path) -> None:
    raw = good.read_bytes()
    good.write_bytes(raw[: int(kept if kept > 1 else kept * len(raw))])
    assert "cut short or damaged" in refusal(good, CheckpointError).found


def test_compressed_entries_read_the_same(good: Path) -> None:
    before = read(good)
    packed = good.with_name("packed.pth")
    packed.write_bytes(good.read_bytes())
    rezip(packed, lambda entries: None, zipfile.ZIP_DEFLATED)
    after = read(packed)
    assert after.record.bytes < before.record.bytes
    assert list(after.tensors) == ["w", "b"]
    assert all(torch.equal(after.tensors[name], before.tensors[name]) for name in "wb")


def test_a_compressed_entry_that_is_damaged(good: Path) -> None:
    rezip(good, lambda entries: None, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(good) as archive:
        info = archive.getinfo("model/data/0")
    raw = bytearray(good.read_bytes())
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    raw[at] ^= 0xFF
    good.write_bytes(raw)
    assert "damaged bytes" in refusal(good, CheckpointError).found


def test_a_big_endian_archive(good: Path) -> None:
    rezip(good, lambda entries: entries.update({"model/byteorder": b"big"}))
    assert "big-endian" in refusal(good, CheckpointError).found


def test_a_storage_that_is_not_there(good: Path) -> None:
    rezip(good, lambda entries: entries.pop("model/data/0") and None)
    assert "which the archive does not hold" in refusal(good, CheckpointError).found


def safetensors(path: Path, header: object, data: bytes, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(begin: int, end: int, shape: tuple[int, ...] = (2,), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "data", "kind", "found"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, UnsafeFileError, "overlaps"),
        ({"a": entry(0, 8), "b": entry(12, 20)}, 20, UnsafeFileError, "hole"),
        ({"a": entry(4, 12)}, 12, UnsafeFileError, "hole"),
        ({"a": entry(0, 8)}, 12, CheckpointError, "12 bytes of data, where 8 belong"),
        ({"a": entry(0, 8)}, 4, CheckpointError, "4 bytes of data, where 8 belong"),
        ({"a": entry(0, 4)}, 4, CheckpointError, "which takes 8"),
        ({"a": entry(8, 0)}, 8, CheckpointError, "which takes 8"),
        ({"a": entry(0, 8, (-2,))}, 8, CheckpointError, "shape [-2]"),
        ({"a": entry(0, 8, (1 << 61, 1 << 61))}, 8, CheckpointError, "which takes"),
        ({"a": entry(0, 8, dtype="F7")}, 8, CheckpointError, "dtype F7"),
        ({"a": {"dtype": "F32"}}, 8, CheckpointError, "without dtype, shape"),
        ({"__metadata__": {"a": 1}}, 0, CheckpointError, "no map of texts"),
        (b'{"a":1,"a":2}', 0, CheckpointError, "comes twice"),
        (b"{broken", 0, CheckpointError, "no JSON"),
        (b'{"a":' + b"[" * 100_000, 0, CheckpointError, "no JSON"),
        ({}, 0, CheckpointError, "no network"),
    ],
)
def test_safetensors_headers(
    header: object, data: int, kind: type[CheckpointError], found: str, tmp_path: Path
) -> None:
    path = safetensors(tmp_path / "m.safetensors", header, bytes(data))
    assert found in refusal(path, kind).found


def test_a_huge_safetensors_header(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "m.safetensors", b"{}", b"", length=1 << 39)
    assert "header of 549,755,813,888 bytes" in refusal(path).found
    path = safetensors(tmp_path / "m.safetensors", b"{}", b"", length=1000)
    assert "the header alone takes 1,008" in refusal(path, CheckpointError).found
