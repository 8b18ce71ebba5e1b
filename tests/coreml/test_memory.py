"""What a Core ML file remembers, read back as it was meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading.conversion.graphs import Graphs
from lading.coreml import load
from lading.coreml.memory import KEY, noted, unfolded
from lading.errors import ProgramError, RequestError
from lading.formats import format_named
from lading.interface.settings import Settings
from lading.record import Port, State, to_json
from tests.memories import RUNNING, Running, interface, made


class Last(nn.Module):
    """Keeps what it was given, as real numbers and as whole ones, and gives what it had."""

    real: torch.Tensor
    whole: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("real", torch.zeros(1, 4))
        self.register_buffer("whole", torch.zeros(1, 4, dtype=torch.int64))

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        before = self.real + 0, self.whole + 0
        self.real.copy_(x)
        self.whole.copy_(n)
        return before


def written(folder: Path, precision: str) -> Path:
    one = interface(Last().eval(), "x:float32[1,4]", "n:int32[1,4]@-2147483648..2147483647")
    graph, _ = Graphs(one).take("export")
    path = folder / "last.mlpackage"
    settings = Settings(precision, deployment="iOS18")  # type: ignore[arg-type]
    format_named("coreml").convert(graph, settings, path)
    return path


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_numbers_come_back(precision: str, tmp_path: Path) -> None:
    """A float32 to one in its last place or two, every int32 exactly, infinities too."""
    model = load(written(tmp_path, precision))
    x = np.array([[1 / 3, -12345.678, np.inf, -1e-6]], np.float32)
    n = np.array([[2049, -(2**31), 2**31 - 1, -4_194_305]], np.int32)
    state, rest = model.make_state(), {"x": np.zeros((1, 4)), "n": np.zeros((1, 4), np.int32)}
    first = model.predict({"x": x, "n": n}, state=state)
    later = model.predict(rest, state=state)
    real, whole = model.outputs[0].name, model.outputs[1].name
    assert not first[real].any()
    assert later[whole].tolist() == n.tolist()
    near = 2.0**-22 if precision == "fp32" else 2.0**-10
    assert np.allclose(later[real], x, rtol=near, atol=2.0**-24)
    assert not model.predict(rest, state=state)[whole].any()


def test_halves_and_digits_are_put_together() -> None:
    halves = State(Port("h", "tensor", "float32", (1, 2)), held="halves")
    held = np.array([[1.0, -np.inf], [0.5, 0.0]], np.float32)
    assert unfolded(held, halves).tolist() == [[1.0 + 0.5 / 2048, -np.inf]]
    plain = State(Port("h", "tensor", "float32", (1, 2)))
    assert unfolded(held[:1], plain).tolist() == [[1.0, -np.inf]]


def test_the_first_call_alone_takes_the_values_of_the_checkpoint(tmp_path: Path) -> None:
    network = made(Running)
    graph, _ = Graphs(interface(network, *RUNNING)).take("decomposed")
    path = tmp_path / "net.mlpackage"
    format_named("coreml").convert(graph, Settings("fp32", deployment="iOS18"), path)
    model = load(path)
    assert {port.name for port in model.states} == {"h", "count", "mean", "begun"}
    state, x = model.make_state(), {"x": np.ones((1, 5), np.float32)}
    with torch.no_grad():
        for _ in range(3):
            wanted = network(torch.ones(1, 5)).numpy()
            assert np.allclose(model.predict(x, state=state)["output"], wanted, atol=1e-5)


def test_an_older_system_is_refused(tmp_path: Path) -> None:
    graph, _ = Graphs(interface(made(Running), *RUNNING)).take("decomposed")
    for deployment, asked in (("iOS17", "--ios 17"), ("macOS14", "--macos 14")):
        with pytest.raises(RequestError) as caught:
            format_named("coreml").convert(
                graph, Settings(deployment=deployment), tmp_path / "net.mlpackage"
            )
        assert caught.value.subject == asked
        assert "--ios 18 or --macos 15" in caught.value.remedy
    assert not (tmp_path / "net.mlpackage").exists()


def test_a_note_that_does_not_fit_is_refused() -> None:
    held = (Port("h", "tensor", "float16", (2, 3)),)
    fitting = State(Port("h", "tensor", "float32", (1, 3)), held="halves")
    assert noted({KEY: json.dumps([to_json(fitting)])}, held, "net") == (fitting,)
    assert noted({}, held, "net")[0].port.dtype == "float32"
    for text in ("nonsense", "[]", json.dumps([to_json(State(fitting.port))])):
        with pytest.raises(ProgramError, match="convert again"):
            noted({KEY: text}, held, "net")
