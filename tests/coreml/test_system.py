"""Core ML itself: off a Mac it says so, and nothing is loaded."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from lading.conversion.graphs import Graphs
from lading.coreml import stand_in, system
from lading.formats.coreml import FORMAT
from lading.interface.settings import Settings
from tests.memories import RUNNING, Running, interface, made


@pytest.mark.parametrize("name", ["Linux", "Windows"])
def test_off_a_mac(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: name)
    assert system.unavailable() == f"Core ML exists on macOS only; this is {name}"


def test_on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert system.unavailable() is None


def test_a_memory_is_carried_on_as_here(tmp_path: Path) -> None:
    """Through coremltools' own model and state, nothing but Core ML itself stood in for."""
    one = interface(made(Running), *RUNNING)
    graph, _ = Graphs(one).take("decomposed")
    path = tmp_path / "net.mlpackage"
    FORMAT.convert(graph, Settings("fp32", deployment="iOS18"), path)
    x = np.random.default_rng(0).standard_normal((4, 1, 5)).astype(np.float32)
    wanted = FORMAT.open(path).side().run({"x": x})
    with stand_in():
        side = system.System(path)
        for _ in range(2):  # each time from its beginning
            got = side.run({"x": x})
    assert side.outputs == ("output", "h", "count", "mean")
    assert all(np.allclose(got[name], wanted[name], atol=1e-6) for name in side.outputs)
    assert got["count"].tolist() == [4]
