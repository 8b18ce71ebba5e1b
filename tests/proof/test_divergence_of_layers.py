"""NeuralNetwork files walked layer by layer: damaged ones are named at the right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.formats.coreml import FORMAT as COREML
from lading.formats.mlmodel import FORMAT as MLMODEL
from lading.formats.onnx import FORMAT as ONNX
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.proof import alone, compare, divergence, noise, probes
from lading.proof.original import Original
from lading.record import Comparison
from lading.record.wording import subject
from tests import toys
from tests.proof.layers import Change, edited, heavier


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, interface = tmp_path_factory.mktemp("insides"), toys.interface()
    graph = capture(interface, "export")
    made = {
        "onnx": (ONNX, Settings(), folder / "net.onnx"),
        "program": (COREML, Settings("fp32"), folder / "net.mlpackage"),
        "fp32": (MLMODEL, Settings("fp32"), folder / "fp32.mlmodel"),
        "fp16": (MLMODEL, Settings("fp16"), folder / "fp16.mlmodel"),
    }
    for kind, settings, path in made.values():
        kind.convert(graph, settings, path)
    return {name: path for name, (_, _, path) in made.items()}


def inputs() -> Any:
    return probes.make(toys.interface())[0].inputs


def unbiased(one: Any) -> None:
    one.hasBias = False
    one.ClearField("bias")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_right_network_departs_nowhere(files: dict[str, Path], precision: str) -> None:
    found = divergence.walk(MLMODEL.open(files[precision]), toys.interface(), inputs(), precision)
    assert (found.first, found.runtime, found.precision) == ("", "neuralnetwork", "float32")
    assert found.aligned == found.values == 8
    paths = {one.module for one in found.stations if one.aligned_by == "module path"}
    assert {"network.stem", "network.norm", "network.down", "network.up", "network.head"} <= paths


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("change", [heavier, unbiased])
@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("conv2d_1", "network.down"),
        ("conv_transpose2d_has_output_shape", "network.up"),
        ("logits", "network.head"),
    ],
)
def test_the_damaged_layer_is_named(
    files: dict[str, Path], tmp_path: Path, layer: str, module: str, change: Change, precision: str
) -> None:
    path = edited(files[precision], tmp_path, layer, change)
    found = divergence.walk(MLMODEL.open(path), toys.interface(), inputs(), precision)
    here = next((one for one in found.stations if one.value == found.first), None)
    assert here is not None, found.text
    assert (here.op, here.module) == ("convolution", module)
    assert found.first == layer
    before = found.stations[: found.stations.index(here)]
    assert all(one.error < 1e-3 for one in before)


def test_a_wrong_graph_that_rounding_hides_fails(files: dict[str, Path], tmp_path: Path) -> None:
    """A slope of 0.02 for 0.01 in a file with fp16 weights."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(files["fp16"].read_bytes())
    layer = [one for one in spec.neuralNetwork.layers if one.HasField("activation")][1]
    layer.activation.leakyReLU.alpha = 0.02
    (tmp_path / "net.mlmodel").write_bytes(spec.SerializeToString())
    for path, verdict in ((files["fp16"], "pass"), (tmp_path / "net.mlmodel", "fail")):
        artifact = MLMODEL.open(path)
        record, one = matched(artifact.record, toys.interface())
        original = Original(one, probes.make(one))
        every = compare.every_runtime(original, artifact, record, lambda *_: None)
        judged = {c.runtime: c for c in every}
        plain = {subject(m): m for m in judged["neuralnetwork"].measurements}
        assert plain["logits psnr"].passed
        exact = (noise.HIGHEST_REASON, alone.GRAPH_REASON)  # no constant was guessed
        assert plain["logits graph psnr"].why.startswith(exact)
        assert judged["neuralnetwork"].verdict == verdict
        assert all(m.reading != "graph" for m in judged["neuralnetwork_fp16"].measurements)


def test_overflow_in_the_fp16_reading_alone_is_walked_there(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """fp32 is right, fp16 is not: the walk is in the reading that failed."""
    one = toys.interface()
    with_torch = {n: v * np.float32(3e4) for n, v in inputs().items()}  # the stem overflows
    found = divergence.walk(MLMODEL.open(files["fp32"]), one, with_torch, "fp16", "float16")
    assert (found.runtime, found.precision) == ("neuralnetwork_fp16", "float16")
    assert found.first == "conv2d"
    right = divergence.walk(MLMODEL.open(files["fp32"]), one, with_torch, "fp32")
    assert right.first == ""


def test_which_reading_failed_decides_where_it_is_walked(files: dict[str, Path]) -> None:
    one, artifact = toys.interface(), MLMODEL.open(files["fp32"])
    failed = Comparison("a", "neuralnetwork_fp16", "torch", 0, (), (), "fail", "overflow")
    drawn = probes.make(one)[:1]
    (found,) = divergence.explain(artifact, artifact.record, one, drawn, [failed])
    assert (found.runtime, found.first) == ("neuralnetwork_fp16", "")


def test_the_readings_of_a_network(files: dict[str, Path]) -> None:
    for path in (files["fp32"], files["fp16"]):
        sides = [MLMODEL.open(path).side(reading) for reading in ("float16", "float32", "declared")]
        assert [side.reading for side in sides] == ["float16", "float32", "float32"]
