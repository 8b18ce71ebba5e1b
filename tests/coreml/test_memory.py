"""What a Core ML file remembers, read back as it was meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.conversion.graphs import Graphs
from lading.coreml import load
from lading.coreml.memory import KEY, noted, unfolded
from lading.errors import ProgramError, RequestError
from lading.formats import format_named
from lading.interface.original import TorchSide
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


class Itself(nn.Module):
    """What it gives is what it keeps, and it keeps what it was given as well."""

    h: torch.Tensor
    last: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("h", torch.zeros(1, 4))
        self.register_buffer("last", torch.ones(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.h = torch.tanh(self.linear(x - self.last) + self.h)
        self.last.copy_(x)
        return self.h


class Leaning(nn.Module):
    """A background that leans towards what comes, as `lerp_` writes it."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((1, 4), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean.lerp_(x, 0.1)
        return x - self.mean


class Most(nn.Module):
    """The largest that ever came: before the first there is none."""

    most: torch.Tensor
    told: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("most", torch.full((1, 4), float("-inf")), persistent=False)
        self.register_buffer("told", torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.most = torch.maximum(self.most, x)
        self.told.mul_(0.5).add_(x.mean())
        return self.most + self.told


@pytest.mark.parametrize("kind", [Itself, Leaning, Most])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_whatever_is_kept_is_carried_on(kind: type[nn.Module], precision: Any, tmp_path: Path
) -> None:  # fmt: skip
    one = interface(made(kind), "x:float32[1,4]")
    graph, _ = Graphs(one).take("export")
    path, form = tmp_path / "net.mlpackage", format_named("coreml")
    form.convert(graph, Settings(precision, deployment="iOS18"), path)
    x = np.random.default_rng(0).standard_normal((5, 1, 4)).astype(np.float32)
    side, wanted = form.open(path).side(), TorchSide(one).run({"x": x})
    got = side.run({"x": x})
    assert set(got) == set(wanted) == set(side.outputs)
    for name, value in wanted.items():
        assert np.allclose(got[name], value, atol=1e-6 if precision == "fp32" else 5e-3), name


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_coremltools_reads_the_program_and_no_name_stands_twice(
    precision: Any, tmp_path: Path
) -> None:
    """Its reader infers the type of every operation again."""
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load as read

    graph, _ = Graphs(interface(made(Running), *RUNNING)).take("decomposed")
    path = tmp_path / "net.mlpackage"
    format_named("coreml").convert(graph, Settings(precision, deployment="iOS18"), path)
    spec = ct.utils.load_spec(str(path))
    weights = path / "Data" / "com.apple.CoreML" / "weights"
    program = read(spec, spec.specificationVersion, file_weights_dir=str(weights))
    assert list(program.functions["main"].inputs) == ["x", "begun", "h", "count", "mean"]
    (function,) = spec.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    names = [value.name for op in block.operations for value in op.outputs]
    names += [value.name for value in function.inputs]
    assert sorted(names) == sorted(set(names))
    called = [op.attributes["name"].immediateValue.tensor.strings.values[0]
              for op in block.operations]  # fmt: skip
    assert sorted(called) == sorted(set(called))
