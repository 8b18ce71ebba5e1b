"""A zip archive whose every entry is checked before anything is read.

Refused are names that leave the archive, entries that overlap or come twice, declared sizes far
beyond the file, and a wrong CRC of any byte. Stored entries are read in place; compressed ones,
which torch does not write but other zip tools do, are unpacked.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass

import torch

from lading.checkpoint.mapped import Mapped, Window, unreadable
from lading.checkpoint.shown import cut, shown
from lading.errors import CheckpointError, UnsafeFileError

#: Trained weights do not shrink; more than this times the file is no checkpoint but a bomb.
MAX_UNPACKED = 20
#: What any file may unpack to, however small it is.
FREE_UNPACKED = 64 << 20
#: What a user does about a file that was damaged on its way.
WHY_AGAIN = "copy or download it again, and compare its size or digest with the original's"
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


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
            self._zip = zipfile.ZipFile(Window(source))
        # all that `zipfile` makes of a directory that is damaged or made up
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
            raise CheckpointError(
                self.subject,
                found=f"a zip archive that is cut short or damaged ({source.size:,} bytes)",
                expected="a whole archive, with its directory at the end",
                remedy=WHY_AGAIN,
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
            raise self._trick(f"the entry name {shown(name)}, which leads elsewhere")
        if name in self.entries:
            raise self._trick(f"two entries named {shown(name)}")
        if info.flag_bits & 1:
            raise CheckpointError(
                self.subject,
                found=f"the entry {shown(name)} is encrypted",
                expected="an archive that can be read",
                remedy="unpack it with its password and save the checkpoint again",
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._trick(
                f"the entry {shown(name)} with compression method {info.compress_type}"
            )
        if name.endswith("/"):
            return
        start = info.header_offset
        header = self.source.data[start : start + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise self._trick(f"the entry {shown(name)} where the file has no entry")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        offset = start + _LOCAL_HEADER.size + name_length + extra_length
        inside = self.source.data[
            start + _LOCAL_HEADER.size : start + _LOCAL_HEADER.size + name_length
        ]
        if inside != name.encode("utf-8", "surrogateescape") and inside != name.encode(
            "cp437", "replace"
        ):
            raise self._trick(
                f"an entry that is {shown(name)} in the directory and {shown(inside)} in place"
            )
        if offset + info.compress_size > self.source.size:
            raise CheckpointError(
                self.subject,
                found=f"the entry {shown(name)} ends beyond the end of the file",
                expected="a whole archive",
                remedy=WHY_AGAIN,
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise self._trick(f"the stored entry {shown(name)} with two different sizes")
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
                raise self._trick(
                    f"the entry {shown(entry.info.filename)} overlaps the one before it"
                )
            end = entry.offset + entry.info.compress_size

    def _check_sum(self, name: str) -> None:
        entry = self.entries[name]
        if not entry.stored:
            return  # zipfile checks it while unpacking
        found = 0
        try:
            for piece in self.source.pieces(entry.offset, entry.offset + entry.info.file_size):
                found = zlib.crc32(piece, found)
        except OSError as problem:
            raise unreadable(self.source.path, problem) from None
        if found != entry.info.CRC:
            raise self._damaged(name, f"checksum {found:08x}, not {entry.info.CRC:08x}")

    def _damaged(self, name: str, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self.subject}, entry {cut(name, 200)}",
            found=f"damaged bytes: {found}",
            expected="the bytes that were written",
            remedy=WHY_AGAIN,
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
