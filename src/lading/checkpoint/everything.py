"""Every pickle in a file, whatever the file is: behind the first, beside it, packed inside.

What a reader has read already is not walked again; everything else is: further programs in a row,
all members of archives, archives in archives, packed files, numpy's arrays of objects.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from mmap import mmap
from typing import Any

from lading.checkpoint.mapped import Mapped, Window
from lading.checkpoint.mentions import Mentions
from lading.checkpoint.opcodes import ACTIONS
from lading.checkpoint.program import Program
from lading.checkpoint.shown import cut
from lading.checkpoint.sweep import sweep
from lading.errors import UnsafeFileError

#: Archives in archives; bytes of one member that are looked at.
MAX_DEPTH, MAX_MEMBER = 3, 64 << 20
#: How a member of an archive is called behind the archive's own name.
_WORDS = {"zip": "entry", "tar": "member"}


def look_over(source: Mapped) -> None:
    """Notes in `source.mentions` every name in the file's pickles that was not read yet.

    Raises:
        UnsafeFileError: the file unpacks to far more than it holds.
    """
    _Look(source).piece(str(source.path), source.data, 0)


class _Look:
    def __init__(self, source: Mapped) -> None:
        self.source = source

    def piece(self, where: str, data: bytes | mmap, depth: int) -> None:
        """One file, or one member of an archive."""
        if depth > MAX_DEPTH:
            return
        head = data[:512]
        members = _members(head)
        if members:
            self.archive(where, data, depth, *members)
        elif packed := _unpacker(head):
            self.piece(f"{where}, unpacked", self.unpacked(where, data, packed), depth + 1)
        elif head.startswith(b"\x93NUMPY"):
            self.programs(where, data, _after_header(head))
        elif head[:1] in ACTIONS:
            self.programs(where, data, self.source.mentions.ended.get(where, 0))

    def programs(self, where: str, data: bytes | mmap, begin: int) -> None:
        """The programs that lie in a row from `begin` on."""
        mentions = self.source.mentions
        program = Program(data, where=where, position=begin, account=self.source.account)
        # What does not say that it is a pickle may be any text: a name in it has to be one that
        # could be imported, and to be called, or to stand in a program that ends.
        pickled = begin > 0 or data[:1] == b"\x80"
        found, ended = mentions if pickled else Mentions(), False
        while program.position < program.end and sweep(program, found):
            ended = True
        if not pickled:
            mentions.adopt(found, ended)

    def archive(
        self, where: str, data: bytes | mmap, depth: int, kind: str, listed: Callable[[Any], Any]
    ) -> None:
        """All members of an archive; what cannot be unpacked is left."""
        try:
            for name, head, whole in listed(io.BytesIO(data) if isinstance(data, bytes)
                                            else Window(self.source)):  # fmt: skip
                inner = f"{where}, {_WORDS[kind]} {cut(name, 200)}"
                storage = name in self.source.mentions.storages and not depth
                if storage and not head.startswith(b"\x80"):
                    continue
                self.source.account.charge(inner, work=20)
                if head[:1] in ACTIONS or _members(head) or _unpacker(head) or head[:1] == b"\x93":
                    piece = whole()
                    self.source.account.charge(inner, work=len(piece) / 500, size=len(piece))
                    self.piece(inner, piece, depth + 1)
        except UnsafeFileError:
            raise
        # damaged or made up: the members before were looked into, nobody can unpack the rest
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, ValueError,
                LookupError, OSError, EOFError, struct.error, NotImplementedError, RuntimeError,
                OverflowError):  # fmt: skip
            return

    def unpacked(self, where: str, data: bytes | mmap, packed: Any) -> bytes:
        """The beginning of what a packed file holds, as far as it unpacks."""
        try:
            piece: bytes = packed(data)
        except (zlib.error, OSError, lzma.LZMAError, ValueError, EOFError):
            piece = b""
        self.source.account.charge(where, work=len(piece) / 500, size=len(piece))
        return piece


def _members(head: bytes) -> tuple[str, Callable[[Any], Any]] | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip", _of_zip
    if len(head) == 512 and is_tar(head):
        return "tar", _of_tar
    return None


def _of_zip(file: Any) -> Iterator[tuple[str, bytes, Callable[[], bytes]]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            try:
                with _opened(archive, info) as member:
                    head = member.read(512)
            # a member that nobody can unpack, encrypted or damaged; the others are looked into
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError,
                    OSError, ValueError):  # fmt: skip
                continue

            def whole(info: zipfile.ZipInfo = info) -> bytes:
                with _opened(archive, info) as member:
                    return _until_broken(member)

            yield info.filename, head, whole


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    member: Any = archive.open(info)
    member._expected_crc = None  # a wrong checksum hides nothing
    return member


def _of_tar(file: Any) -> Iterator[tuple[str, bytes, Callable[[], bytes]]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                head = member.read(512)
                member.seek(0)
                yield info.name, head, lambda member=member: member.read(MAX_MEMBER)  # type: ignore[misc]


def _until_broken(member: Any) -> bytes:
    """What a member holds, as far as it unpacks."""
    pieces: list[bytes] = []
    held = 0
    while held < MAX_MEMBER:
        try:
            piece = member.read(1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
            break
        if not piece:
            break
        pieces.append(piece)
        held += len(piece)
    return b"".join(pieces)


def _unpacker(head: bytes) -> Any:
    """What unpacks a file that begins with `head`; None where it is not packed."""
    if head.startswith(b"\x1f\x8b"):
        return lambda data: zlib.decompressobj(31).decompress(data, MAX_MEMBER)
    if head[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return lambda data: zlib.decompressobj().decompress(data, MAX_MEMBER)
    if head.startswith(b"BZh"):
        return lambda data: bz2.BZ2Decompressor().decompress(data[:], MAX_MEMBER)
    if head.startswith(b"\xfd7zXZ"):
        return lambda data: lzma.LZMADecompressor(memlimit=MAX_MEMBER).decompress(
            data[:], MAX_MEMBER
        )
    return None


def _after_header(head: bytes) -> int:
    """Where a ``.npy`` file's values begin; an array of objects has a pickle there."""
    if head[6:7] == b"\x01":
        return 10 + int.from_bytes(head[8:10], "little")
    return 12 + int.from_bytes(head[8:12], "little")


def is_tar(head: bytes) -> bool:
    """Whether `head`, the first 512 bytes of a file, are a tar header with a right checksum.

    >>> is_tar(b"")
    False
    """
    if len(head) < 512:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True
