"""Walks: what is aligned, and the first value that departs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from lading.conversion.capture import capture
from lading.formats import open_artifact
from lading.formats.coreml import FORMAT as COREML
from lading.formats.onnx import FORMAT as ONNX
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.interface.side import EVERYTHING, Made
from lading.proof import divergence, probes
from lading.proof.alignment import distance
from lading.proof.compare import every_runtime
from lading.proof.divergence import departing
from lading.proof.original import Original
from lading.record import Station, Walk
from tests import toys
from tests.mutants.court import carry
from tests.mutants.right_strangers import subject


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, interface = tmp_path_factory.mktemp("walk"), toys.interface()
    graph = capture(interface, "export")
    paths = {"onnx": folder / "net.onnx"}
    ONNX.convert(graph, Settings(), paths["onnx"])
    for precision in ("fp16", "fp32"):
        paths[precision] = folder / f"{precision}.mlpackage"
        COREML.convert(graph, Settings(precision), paths[precision])  # type: ignore[arg-type]
    return paths


def inputs() -> Any:
    return probes.make(toys.interface())[0].inputs


def walk(path: Path, *more: Any) -> Walk:
    return divergence.walk(open_artifact(path), *more)


def edited(path: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(str(path))
    change(model.graph)
    onnx.save(model, str(folder / "edited.onnx"))
    return folder / "edited.onnx"


@pytest.mark.parametrize(
    ("kind", "precision"), [("onnx", "fp32"), ("fp16", "fp16"), ("fp32", "fp32")]
)
def test_a_right_artifact_is_aligned_and_departs_nowhere(
    files: dict[str, Path], kind: str, precision: str
) -> None:
    found = walk(files[kind], toys.interface(), inputs(), precision)
    assert found.first == ""
    assert found.aligned >= 0.9 * found.values
    paths = {one.module for one in found.stations if one.aligned_by == "module path"}
    assert {"network.stem", "network.norm", "network.down", "network.up", "network.head"} <= paths
    assert {one.source.split(":")[0] for one in found.stations} <= {
        "tests/toys.py",
        "task/processing.py",
    }


def slope(graph: Any) -> None:
    node = [n for n in graph.node if n.op_type == "LeakyRelu"][1]
    node.attribute[0].f = 0.3


def epsilon(graph: Any) -> None:
    node = next(n for n in graph.node if n.op_type == "InstanceNormalization")
    next(a for a in node.attribute if a.name == "epsilon").f = 0.5


def weight(graph: Any) -> None:
    one = next(i for i in graph.initializer if i.name.endswith("down.weight"))
    one.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(one), one.name))


@pytest.mark.parametrize(
    ("change", "op", "module"),
    [
        (slope, "LeakyRelu", "network"),
        (epsilon, "InstanceNormalization", "network.norm"),
        (weight, "Conv", "network.down"),
    ],
)
def test_the_first_that_departs_is_the_one_that_was_changed(
    files: dict[str, Path], tmp_path: Path, change: Any, op: str, module: str
) -> None:
    path = edited(files["onnx"], tmp_path, change)
    found = walk(path, toys.interface(), inputs(), "fp32")
    assert op in found.text
    assert module in found.text
    if found.first:
        here = next(one for one in found.stations if one.value == found.first)
        lost = found.text.partition("without a counterpart before it: ")[2]
        assert here.op == op or lost.startswith(op)
        before = found.stations[: found.stations.index(here)]
        assert all(one.error < 1e-5 for one in before)
        assert f"error {max((s.error for s in before), default=0.0):.2g} before it" in found.text


def test_an_fp16_program_is_walked_in_fp32_where_its_graph_is_wrong(tmp_path: Path) -> None:
    other = toys.interface()
    other.module.network.norm.eps = 0.5  # type: ignore[union-attr, assignment]
    path = tmp_path / "wrong.mlpackage"
    COREML.convert(capture(other, "export"), Settings("fp16"), path)
    found = walk(path, toys.interface(), inputs(), "fp16")
    assert found.precision == "float32"
    here = next(one for one in found.stations if one.value == found.first)
    assert (here.op, here.module) == ("instance_norm", "network.norm")


def test_the_originals_values_have_their_line_and_module() -> None:
    original = TorchSide(toys.interface())
    values = original.run(inputs(), EVERYTHING)
    heads = [one for one in original.graph if one.name == "network.head"]
    assert len(heads) == 1
    assert heads[0].module_output
    assert heads[0].source.startswith("tests/toys.py:")
    assert values["network.head"].shape == (1, 3, 16, 16)


def test_distance_forgives_a_layout_and_not_a_transposition() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert distance(x, x.transpose(0, 2, 1)) == 0.0
    square = x.reshape(4, 6)[:, :4]
    assert distance(square, square.T) > 0.5


def test_nan_departs_at_once() -> None:
    assert departing([0.0, float("nan"), 0.5], "fp16") == 1
    assert departing([], "fp32") is None


def test_a_value_without_counterpart_that_leads_nowhere_good_is_named() -> None:
    station = Station("a", "Conv", "", "", "value", 0.0, 0.0, 1.0)
    chain = [Made("a", "Conv"), Made("b", "Mul", reads=("a",)), Made("c", "Add", reads=("b",))]
    lost = divergence._lost([station], chain)
    assert lost is not None
    assert lost.name == "b"
    good = [station, Station("c", "Add", "", "", "value", 0.0, 0.0, 1.0)]
    assert divergence._lost(good, chain) is None


class Assigned(torch.nn.Module):
    """A slice of a result is overwritten: in place, where a capture may lose it."""

    def __init__(self, *, lost: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lost = torch.nn.Conv2d(2, 4, 3, padding=1), lost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        if not self.lost:
            y[:, :, ::2] = y[:, :, ::2] * 0.5
        return y


def test_a_slice_assignment_that_was_lost_is_named(tmp_path: Path) -> None:
    sound = subject("assigned", Assigned().eval(), {"x": (1, 2, 8, 8)})
    path = carry(sound, "onnx", tmp_path / "a", Assigned(lost=True).eval())
    one, artifact = sound.interface(), open_artifact(path)
    original = Original(one, probes.make(one))
    comparisons = list(every_runtime(original, artifact, artifact.record, lambda *_: None))
    assert comparisons[0].verdict == "fail"
    (found,) = divergence.explain(artifact, artifact.record, one, original.drawn, comparisons)
    assert "of the original without a counterpart" in found.text
    assert "test_divergence.py" in found.text
    assert "copy_" in found.text
