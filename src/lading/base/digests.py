"""Digests and sizes of what lies on disk, a file or a package (a folder) alike.

A file's digest is made by a thread of its own, beside whatever else there is to do. A command that
knows which file it will read may `begin` it while libraries are still being loaded.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_CHUNK = 1 << 22
#: Files below are digested when they are asked for: that takes no time.
_LEAST = 1 << 24
#: What a file is as long as nobody writes to it.
_Identity = tuple[int, ...]
_begun: dict[_Identity, Future[str]] = {}
#: The last digests of large files and packages that were asked for.
_known: dict[tuple[_Identity, ...], str] = {}
_KEPT = 8
#: Nanoseconds after which a file that is written to again shows it in its times: systems count
#: those in steps of a few milliseconds.
_STEP = 50_000_000


def begin(path: Path) -> None:
    """Begins the digest of a large file; of anything else, nothing happens."""
    try:
        if not path.is_file() or path.stat().st_size < _LEAST:
            return
        with path.open("rb") as file:
            _begun[_identity(os.fstat(file.fileno()))] = _digested(file.fileno())
    except OSError:
        return  # whoever reads it says what is wrong


def of_open(file: int) -> Future[str]:
    """SHA-256 as hex of an open file, as it is now; raises OSError where it cannot be read."""
    return _begun.pop(_identity(os.fstat(file)), None) or _digested(file)


def of_path(path: Path) -> str:
    """SHA-256 as hex of a file's bytes, or of a folder's relative paths and files in order."""
    files = [path] if path.is_file() else _files(path)
    stats, now = [file.stat() for file in files], time.time_ns()
    key = tuple(map(_identity, stats))
    if key in _known:
        return _known[key]
    found = _of_file(path) if path.is_file() else _of_package(path, files)
    large = sum(one.st_size for one in stats) >= _LEAST
    if large and all(now - max(one.st_ctime_ns, one.st_mtime_ns) > _STEP for one in stats):
        _known[key] = found
        for old in [*_known][:-_KEPT]:
            del _known[old]
    return found


def _of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return of_open(stream.fileno()).result()


def _of_package(path: Path, files: Sequence[Path]) -> str:
    state = hashlib.sha256()
    for file in files:
        state.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            for piece in pieces(stream.fileno(), 0, file.stat().st_size):
                state.update(piece)
    return state.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else _files(path)))


def pieces(file: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes ``[start, end)`` of an open file, in order.

    Raises:
        OSError: it cannot be read.
    """
    for at in range(start, end, _CHUNK):
        yield _read(file, min(_CHUNK, end - at), at)


def _read(file: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, size, at)
    os.lseek(file, at, os.SEEK_SET)  # Windows
    return os.read(file, size)


def _digested(file: int) -> Future[str]:
    own, size = os.dup(file), os.fstat(file).st_size

    def digest() -> str:
        try:
            state = hashlib.sha256()
            for piece in pieces(own, 0, size):
                state.update(piece)
            return state.hexdigest()
        finally:
            os.close(own)

    beside = ThreadPoolExecutor(1)
    made = beside.submit(digest)
    # without pread all who read an open file move one place in it: one after the other
    beside.shutdown(wait=not hasattr(os, "pread"))
    return made


def _identity(known: os.stat_result) -> _Identity:
    return known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())
