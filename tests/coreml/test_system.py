"""Core ML itself: off a Mac it says so, and nothing is loaded."""

from __future__ import annotations

import platform

import pytest

from lading.coreml import system


@pytest.mark.parametrize("name", ["Linux", "Windows"])
def test_off_a_mac(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: name)
    assert system.unavailable() == f"Core ML exists on macOS only; this is {name}"


def test_on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert system.unavailable() is None
