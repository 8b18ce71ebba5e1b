"""Core ML itself: off a Mac it says so, and nothing is loaded."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from lading.errors import RuntimeUnavailableError
from lading.runtimes.coreml import RUNTIME


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_off_a_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    reason = f"Core ML exists on macOS only; this is {system}"
    assert RUNTIME.unavailable() == reason
    with pytest.raises(RuntimeUnavailableError) as caught:
        RUNTIME.load(tmp_path / "a.mlpackage")
    assert str(caught.value) == (
        "Core ML (this Mac)\n"
        f"  found     {reason}\n"
        "  expected  a computer that has it\n"
        "  remedy    use another runtime; see `lading doctor`"
    )


def test_on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert RUNTIME.unavailable() is None
