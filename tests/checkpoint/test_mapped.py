"""A checkpoint is opened once, and what was only looked over does not stay in memory."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import lading
from lading.checkpoint.mapped import Mapped
from lading.errors import CheckpointError

PEAK = """
from lading.cli import main
assert main(["inspect", "c.pth", "--quiet"]) == 0
print([one.split()[1] for one in open("/proc/self/status") if "VmHWM" in one][0])
"""


def saved(folder: Path, rows: int) -> Path:
    folder.mkdir()
    torch.save({f"layer{n}.weight": torch.ones(rows, 1000) for n in range(8)}, folder / "c.pth")
    return folder / "c.pth"


def test_inspect_opens_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened, work = saved(tmp_path / "a", 10), list[Path](), Path.open

    def counted(self: Path, *more: Any, **named: Any) -> Any:
        opened.append(self)
        return work(self, *more, **named)

    monkeypatch.setattr(Path, "open", counted)
    lading.inspect(path)
    assert opened.count(path) == 1


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells the peak")
def test_inspect_needs_less_memory_than_the_file(tmp_path: Path) -> None:
    peaks = []
    for name, rows in (("small", 10), ("large", 3000)):
        folder = saved(tmp_path / name, rows).parent
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PEAK],
            cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        peaks.append(int(run.stdout.split()[-1]) * 1000)
    more = (tmp_path / "large" / "c.pth").stat().st_size
    assert peaks[1] - peaks[0] < more / 2


def test_the_digest_is_of_all_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "bytes").write_bytes(data := bytes(range(256)) * 5)
    for size in (1, 100, 1280, 5000):
        monkeypatch.setattr("lading.base.digests._CHUNK", size)
        source = Mapped(path)
        assert source.sha256 == hashlib.sha256(data).hexdigest()
        assert b"".join(source.pieces(7, 501)) == data[7:501]


def test_a_disk_that_cannot_be_read_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pread = saved(tmp_path / "a", 10), os.pread

    def broken(file: int, size: int, at: int) -> bytes:
        if at > 0:
            raise OSError(5, "Input/output error")
        return pread(file, size, at)

    monkeypatch.setattr("lading.base.digests._CHUNK", 100_000)
    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(CheckpointError) as caught:
        lading.inspect(path)
    assert (caught.value.subject, caught.value.found) == (str(path), "Input/output error")


def test_nothing_stays_open(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", 10)
    open_now = Path("/proc/self/fd")
    if not open_now.is_dir():
        pytest.skip("Linux tells what is open")
    lading.inspect(path)
    before = len(list(open_now.iterdir()))
    for _ in range(5):
        lading.inspect(path)
    gc.collect()
    assert len(list(open_now.iterdir())) <= before
