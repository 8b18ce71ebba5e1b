"""Digests and sizes of what lies on disk, a file or a package (a folder) alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


def of_path(path: Path) -> str:
    """SHA-256 as hex of a file's bytes, or of a folder's relative paths and files in order."""
    state = hashlib.sha256()
    if path.is_file():
        _feed(state, path)
    else:
        for file in _files(path):
            state.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
            _feed(state, file)
    return state.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else _files(path)))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _feed(state: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
