"""torch's zip archives (since 1.6): ``NAME/data.pkl`` and one entry a storage, ``NAME/data/0``.

Every entry is checked before anything is read: names that leave the archive, entries that overlap
or come twice, declared sizes far beyond the file, and the CRC of every byte. Stored entries are
read in place; compressed ones, which torch does not write but other zip tools do, are unpacked.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import torch

from lading.checkpoint.allowed import ELEMENTS
from lading.checkpoint.inert import Named
from lading.checkpoint.mapped import Mapped
from lading.checkpoint.rebuild import Storage
from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError, UnsafeFileError

#: Trained weights do not shrink; more than this times the file is no checkpoint but a bomb.
MAX_UNPACKED = 20
#: What any file may unpack to, however small it is.
FREE_UNPACKED = 64 << 20
_STEP = 1 << 22
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_WHY_AGAIN = "copy or download it again, and compare its size or digest with the original's"


@dataclass(frozen=True)
class Entry:
    """One entry of the archive: where its bytes begin in the file, and what the directory says."""

    info: zipfile.ZipInfo
    offset: int

    @property
    def stored(self) -> bool:
        """Whether the bytes lie in the file as they are."""
        return self.info.compress_type == zipfile.ZIP_STORED


class Archive:
    """The entries of a zip file, all checked.

    Attributes:
        entries: by name.
        checked: whether the archive holds checksums (torch can be asked to leave them out).
    """

    def __init__(self, source: Mapped) -> None:
        """Read the directory of `source`.

        Raises:
            CheckpointError: the archive is cut short or damaged.
            UnsafeFileError: it plays tricks with names or sizes.
        """
        self.source = source
        self.subject = str(source.path)
        try:
            # The mapping is a file object that neither copies nor reads ahead.
            self._zip = zipfile.ZipFile(_as_file(source))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
            raise CheckpointError(
                self.subject,
                found=f"a zip archive that is cut short or damaged ({source.size:,} bytes)",
                expected="a whole archive, with its directory at the end",
                remedy=_WHY_AGAIN,
            ) from None
        self.entries: dict[str, Entry] = {}
        for info in self._zip.infolist():
            self._admit(info)
        self._check_overlap()
        self.checked = any(entry.info.CRC for entry in self.entries.values())
        if self.checked:
            for name in self.entries:
                self._check_sum(name)

    def _trick(self, found: str) -> UnsafeFileError:
        return UnsafeFileError(
            self.subject,
            found=found,
            expected="an archive as torch.save writes it",
            remedy="do not open it with other tools; ask its author for a safetensors file",
        )

    def _admit(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        parts = name.replace("\\", "/").split("/")
        if name != info.orig_filename or "\\" in name or ":" in parts[0] or ".." in parts:
            raise self._trick(f"the entry name {info.orig_filename!r}, which leads elsewhere")
        if name.startswith("/"):
            raise self._trick(f"the entry name {name!r}, which leads elsewhere")
        if name in self.entries:
            raise self._trick(f"two entries named {name!r}")
        if info.flag_bits & 1:
            raise CheckpointError(
                self.subject,
                found=f"the entry {name!r} is encrypted",
                expected="an archive that can be read",
                remedy="unpack it with its password and save the checkpoint again",
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._trick(f"the entry {name!r} with compression method {info.compress_type}")
        if name.endswith("/"):
            return
        start = info.header_offset
        header = self.source.data[start : start + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise self._trick(f"the entry {name!r} where the file has no entry")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        offset = start + _LOCAL_HEADER.size + name_length + extra_length
        inside = self.source.data[
            start + _LOCAL_HEADER.size : start + _LOCAL_HEADER.size + name_length
        ]
        if inside != name.encode("utf-8", "surrogateescape") and inside != name.encode(
            "cp437", "replace"
        ):
            raise self._trick(f"an entry that is {name!r} in the directory and {inside!r} in place")
        if offset + info.compress_size > self.source.size:
            raise CheckpointError(
                self.subject,
                found=f"the entry {name!r} ends beyond the end of the file",
                expected="a whole archive",
                remedy=_WHY_AGAIN,
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise self._trick(f"the stored entry {name!r} with two different sizes")
        self.entries[name] = Entry(info, offset)

    def _check_overlap(self) -> None:
        unpacked = sum(entry.info.file_size for entry in self.entries.values())
        limit = MAX_UNPACKED * self.source.size + FREE_UNPACKED
        if unpacked > limit:
            raise self._trick(
                f"{self.source.size:,} bytes that unpack to {unpacked:,} (limit {limit:,})"
            )
        end = 0
        for entry in sorted(self.entries.values(), key=lambda one: one.info.header_offset):
            if entry.info.header_offset < end:
                raise self._trick(f"the entry {entry.info.filename!r} overlaps the one before it")
            end = entry.offset + entry.info.compress_size

    def _check_sum(self, name: str) -> None:
        entry = self.entries[name]
        if not entry.stored:
            return  # zipfile checks it while unpacking
        found, memory = 0, memoryview(self.source.data)
        end = entry.offset + entry.info.file_size
        for start in range(entry.offset, end, _STEP):
            found = zlib.crc32(memory[start : min(start + _STEP, end)], found)
        if found != entry.info.CRC:
            raise self._damaged(name, f"checksum {found:08x}, not {entry.info.CRC:08x}")

    def _damaged(self, name: str, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self.subject}, entry {name}",
            found=f"damaged bytes: {found}",
            expected="the bytes that were written",
            remedy=_WHY_AGAIN,
        )

    def read(self, name: str) -> bytes:
        """The bytes of entry `name`, a copy.

        Raises:
            CheckpointError: they do not unpack.
        """
        entry = self.entries[name]
        if entry.stored:
            return self.source.data[entry.offset : entry.offset + entry.info.file_size]
        try:
            return self._zip.read(entry.info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as problem:
            raise self._damaged(name, str(problem)) from None

    def tensor(self, name: str) -> torch.Tensor:
        """The bytes of entry `name` as uint8 of one dimension; a view where they are stored."""
        entry = self.entries[name]
        if entry.stored:
            return self.source.tensor(entry.offset, entry.info.file_size)
        raw = bytearray(self.read(name))
        return torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0).byte()


def _as_file(source: Mapped) -> Any:
    source.data.seek(0)
    return _Window(source)


class _Window(io.RawIOBase):
    """The mapping as a file that zipfile may close without closing the mapping."""

    def __init__(self, source: Mapped) -> None:
        self._data = source.data
        self._size = source.size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise OSError("a place before the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._size, self._at + count)
        piece = self._data[self._at : end] if end > self._at else b""
        self._at += len(piece)
        return piece


def read(source: Mapped) -> tuple[Any, list[str]]:
    """The object in a torch zip archive, and the steps taken.

    Raises:
        CheckpointError: it is another kind of archive, or damaged.
        UnsafeFileError: it would run code or unpack to far more than it holds.
    """
    archive = Archive(source)
    roots = [name[: -len("data.pkl")] for name in archive.entries if name.endswith("/data.pkl")]
    roots += [""] if "data.pkl" in archive.entries else []
    if len(roots) != 1 or any(name.endswith("constants.pkl") for name in archive.entries):
        raise _other_archive(archive)
    (root,) = roots
    steps = ["opened the zip archive that torch.save wrote"]
    if not archive.checked:
        steps.append("the archive holds no checksums: damage to its bytes cannot be seen")
    order = archive.read(f"{root}byteorder") if f"{root}byteorder" in archive.entries else b"little"
    if order != b"little":
        raise big_endian(str(source.path))
    storages: dict[str, torch.Tensor] = {}

    def persistent(identity: Any) -> Storage:
        if not (isinstance(identity, tuple) and len(identity) == 5 and identity[0] == "storage"):
            raise machine.malformed(f"a storage described as {str(identity)[:100]}")
        _, kind, key, _, numel = identity
        dtype, name = element_type(kind), f"{root}data/{key}"
        check_not_quantised(kind, str(source.path))
        if dtype is None or not isinstance(numel, int):
            raise machine.malformed(f"a storage of type {kind} with {numel!r} elements")
        if not isinstance(key, str) or name not in archive.entries:
            raise machine.malformed(f"a storage {key!r}, which the archive does not hold")
        held = archive.entries[name].info.file_size
        if not 0 <= numel * dtype.itemsize <= held:
            raise CheckpointError(
                f"{source.path}, entry {name}",
                found=f"{held:,} bytes",
                expected=f"{numel:,} elements of {dtype}, {numel * dtype.itemsize:,} bytes",
                remedy=_WHY_AGAIN,
            )
        if key not in storages:
            storages[key] = archive.tensor(name)
        return Storage(storages[key][: numel * dtype.itemsize], dtype, f"storage {key}")

    where = f"{source.path}, entry {root}data.pkl"
    machine = Machine(archive.read(f"{root}data.pkl"), where=where, persistent=persistent)
    return machine.run(), steps


def element_type(kind: Any, suffix: str = "Storage") -> torch.dtype | None:
    """The dtype of a storage class such as ``torch.FloatStorage``; None if it is none."""
    if not isinstance(kind, Named) or not kind.name.endswith(suffix):
        return None
    if kind.module not in ("torch", "torch.cuda", "torch.storage"):
        return None
    return ELEMENTS.get(kind.name.removesuffix(suffix))


def check_not_quantised(kind: Any, subject: str) -> None:
    """Refuse the storage classes of quantised tensors, ``torch.QInt8Storage`` and its kin.

    Raises:
        CheckpointError: `kind` is one of them.
    """
    if isinstance(kind, Named) and kind.name.startswith(("QInt", "QUInt")):
        raise CheckpointError(
            subject,
            found=f"quantised tensors ({kind.name})",
            expected="tensors of plain numbers",
            remedy="give the checkpoint from before quantisation",
        )


def big_endian(subject: str) -> CheckpointError:
    """The error for a file from a big-endian computer."""
    return CheckpointError(
        subject,
        found="tensors written on a big-endian computer",
        expected="little-endian tensors",
        remedy="load and save it once with torch.load and torch.save on a little-endian computer",
    )


def _other_archive(archive: Archive) -> CheckpointError:
    names = list(archive.entries)
    if any(name.endswith("constants.pkl") for name in names):
        found = "a TorchScript archive: a program with its weights, not a checkpoint"
        remedy = "where you trust the file: torch.save(torch.jit.load(path).state_dict(), new_path)"
    elif any(name.endswith(("/archive_format", "archive_version")) for name in names):
        found = "a program that torch.export saved, not a checkpoint"
        remedy = "give the checkpoint that it was exported from"
    elif any(name.endswith("Manifest.json") for name in names):
        found = "a zipped Core ML package, the result of a conversion"
        remedy = "give the PyTorch checkpoint that it was made from"
    elif names and all(name.endswith(".npy") for name in names):
        found = "a numpy archive (.npz)"
        remedy = "save the weights as safetensors: safetensors.numpy.save_file(dict, path)"
    else:
        listed = ", ".join(names[:5]) or "no entries"
        found = f"a zip archive without exactly one data.pkl ({listed})"
        remedy = "if it holds a checkpoint, unpack it and give the file inside"
    return CheckpointError(
        archive.subject, found=found, expected="an archive that torch.save wrote", remedy=remedy
    )
