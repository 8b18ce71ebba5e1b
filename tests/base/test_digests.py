"""Digests and sizes of files and folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lading.base.digests import of_path, size_of


def folder(at: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(data)
    return at


def test_a_file_is_hashed_like_sha256sum(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than one chunk
    (tmp_path / "a").write_bytes(data)
    assert of_path(tmp_path / "a") == hashlib.sha256(data).hexdigest()
    assert size_of(tmp_path / "a") == len(data)


def test_a_folder_is_its_relative_paths_and_contents(tmp_path: Path) -> None:
    files = {"b": b"two", "a/c": b"one"}
    first = folder(tmp_path / "first", files)
    second = folder(tmp_path / "second", dict(reversed(files.items())))
    assert of_path(first) == of_path(second)
    assert of_path(first) == hashlib.sha256(b"a/c\x003\x00oneb\x003\x00two").hexdigest()
    assert size_of(first) == 6


def test_what_moves_between_files_or_names_is_seen(tmp_path: Path) -> None:
    kinds = [{"a": b"xy", "b": b""}, {"a": b"x", "b": b"y"}, {"a": b"xy"}, {"c": b"xy", "b": b""}]
    seen = {of_path(folder(tmp_path / str(n), files)) for n, files in enumerate(kinds)}
    assert len(seen) == len(kinds)
