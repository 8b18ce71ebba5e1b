"""An ONNX file's memory: inputs that have a value of their own, and outputs that go back in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from lading.conversion.graphs import Graphs
from lading.errors import ProgramError
from lading.formats import open_artifact
from lading.formats.onnx import FORMAT
from lading.interface.settings import Settings
from tests.memories import RUNNING, Running, interface, made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    graph, _ = Graphs(interface(made(Running), *RUNNING)).take("export")
    FORMAT.convert(graph, Settings("fp32"), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_it_runs_elsewhere_as_the_network_does(path: Path) -> None:
    session, network, x = onnxruntime.InferenceSession(path), made(Running), np.ones((1, 5), "f4")
    names = [one.name for one in session.get_outputs()]
    assert [one.name for one in session.get_inputs()] == ["x"]
    memory: dict[str, np.ndarray] = {}
    with torch.no_grad():
        for _ in range(3):
            made_ = dict(zip(names, session.run(None, {"x": x, **memory}), strict=True))
            assert np.allclose(made_["output"], network(torch.ones(1, 5)).numpy(), atol=1e-5)
            memory = {n.replace("_out", "_in"): v for n, v in made_.items() if n != "output"}
    assert memory["count_in"].tolist() == [3]


def test_it_says_what_it_keeps(path: Path) -> None:
    record = open_artifact(path).record
    assert [port.name for port in record.inputs] == ["x"]
    assert [port.name for port in record.outputs] == ["output"]
    assert [(s.port.name, s.port.dtype, s.begins) for s in record.states] == [
        ("h", "float32", "values"), ("count", "int32", "zeros"), ("mean", "float32", "values")
    ]  # fmt: skip


@pytest.mark.parametrize("lost", ["h_in", "h_out"])
def test_a_note_that_does_not_fit_is_refused(lost: str, path: Path) -> None:
    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        value.name = "other" if value.name == lost else value.name
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ProgramError, match="no h_in with its first value, or no h_out"):
        _ = open_artifact(path).record
