"""What the original says of itself is measured where a bill and golden vectors ask for it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lading.conversion.graphs import Graphs
from lading.formats import format_named
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.proof import compare, golden, noise, probes
from lading.proof.golden import make
from lading.proof.original import Original
from lading.proof.probes import Probe, telling
from tests import toys


def _probe(kind: str, calls: int = 0) -> Probe:
    return Probe(kind, kind, "", {"x": np.zeros(3, np.float32)}, calls=calls)


def test_the_users_own_come_first_and_what_looks_like_nothing_last() -> None:
    kinds = ("spike", "noise", "shapes", "data", "stripes", "own", "data")
    drawn = [_probe(kind) for kind in kinds]
    assert telling(drawn, range(7)) == [3, 6, 2, 4, 1, 0, 5]
    assert telling(drawn, [5, 1, 2]) == [2, 1, 5]
    several = [_probe("calls", 2), _probe("calls", 5)]
    assert telling(several, [0, 1]) == [1, 0]


def test_golden_vectors_measure_nothing_that_the_judge_has_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but what nothing else asks for: the share of classes that tie, one run a vector."""
    interface = toys.interface()
    graphs = Graphs(interface)
    original = Original(interface, probes.make(interface), graphs=graphs)
    form = format_named("coreml")
    path = tmp_path / "m.mlpackage"
    record = form.convert(graphs.take("export")[0], Settings("fp16"), path)
    opened = form.open(path)
    assert all(one.verdict != "fail" for one in compare.every_runtime(
        original, opened, record, lambda *_: None
    ))  # fmt: skip
    places = range(len(original.drawn))
    original.channels(interface.answers[0], places, "fp16")  # as where a channel is near its gate
    assert sorted(original._twins) == sorted(telling(original.drawn, places)[:2])

    monkeypatch.setattr(make, "MOST", 2)
    monkeypatch.setattr(make, "FURTHER", 0)
    runs: list[str] = []
    run, disturbed = TorchSide.run, noise.disturbed
    monkeypatch.setattr(TorchSide, "run", lambda *a: (runs.append("plain"), run(*a))[1])
    monkeypatch.setattr(noise, "disturbed", lambda *a: (runs.append("disturbed"), disturbed(*a))[1])
    index = golden.write(tmp_path / "golden", original, [(record, opened)], "0" * 64)
    assert [one.kind for one in index.vectors] == ["shapes", "stripes"]
    assert runs == []
