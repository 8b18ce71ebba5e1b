"""Two folders changing places in one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.base import exchange as module
from lading.base.exchange import exchange


def test_each_is_where_the_other_was(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system or file system cannot")
    assert [(tmp_path / name / "file").read_text() for name in "ab"] == ["b", "a"]


def test_where_it_cannot_be_done_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    assert not exchange(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *_, **__: object())
    assert not exchange(tmp_path / "a", tmp_path / "a")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
