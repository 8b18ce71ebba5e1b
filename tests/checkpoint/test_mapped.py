"""A checkpoint is opened once, and what was only looked over does not stay in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import lading
from lading.checkpoint.mapped import Mapped

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


def test_what_is_forgotten_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 1024)
    source = Mapped(path)
    before = source.tensor(0, source.size).clone()
    source.forget(1, source.size)
    assert torch.equal(source.tensor(0, source.size), before)
