"""Digests and sizes of files and folders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lading import cli
from lading.base import digests
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


def test_what_was_begun_is_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_LEAST", 5)
    made: list[int] = []
    digest = digests._digested
    monkeypatch.setattr(digests, "_digested", lambda file: (made.append(file), digest(file))[1])
    (path := tmp_path / "a").write_bytes(b"a weight")
    digests.begin(path)
    assert digests.of_path(path) == hashlib.sha256(b"a weight").hexdigest()
    assert len(made) == 1
    digests.begin(path)
    path.write_bytes(b"another!")  # as long, and written to since
    assert digests.of_path(path) == hashlib.sha256(b"another!").hexdigest()
    assert len(made) == 3
    path.write_bytes(b"less")
    for nothing in (path, tmp_path, tmp_path / "none"):
        digests.begin(nothing)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        digests.begin(tmp_path / "pipe")  # waits for nobody
    assert len(made) == 3
    digests._begun.clear()


@pytest.mark.parametrize("package", [False, True])
def test_a_large_file_is_read_once_as_long_as_nobody_writes_to_it(
    package: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_LEAST", 8)
    monkeypatch.setattr(digests, "_known", {})
    read: list[int] = []
    pieces = digests.pieces
    monkeypatch.setattr(
        digests, "pieces", lambda *where: (read.append(where[0]), pieces(*where))[1]
    )

    def settled() -> None:
        monkeypatch.setattr(digests.time, "time_ns", lambda: file.stat().st_ctime_ns + 10**9)

    file = tmp_path / "p" / "weight"
    path = file.parent if package else file
    folder(tmp_path / "p", {"weight": b"a weight"})
    first = of_path(path)
    assert of_path(path) == first
    assert len(read) == 2  # so new that a change might not show
    settled()
    assert [of_path(path), of_path(path)] == [first, first]
    assert len(read) == 3
    file.write_bytes(b"another!")
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    settled()
    assert of_path(path) != first
    assert len(read) == 4
    for number in range(2 * digests._KEPT):
        folder(tmp_path / str(number), {"a": b"a weight"})
        of_path(tmp_path / str(number) / "a")
    assert len(digests._known) == digests._KEPT


def test_a_command_begins_with_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(digests, "begin", lambda path: begun.append(path.name))
    for words in (["inspect", "a"], ["convert", "b"], ["verify", "c", "--against", "d"]):
        assert cli.main(words) == 2
    assert begun == ["a", "b", "c", "d"]


def test_without_pread_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread")
    (path := tmp_path / "a").write_bytes(b"a weight")
    with path.open("rb") as file:
        assert b"".join(digests.pieces(file.fileno(), 2, 6)) == b"weig"
    assert digests.of_path(path) == hashlib.sha256(b"a weight").hexdigest()
