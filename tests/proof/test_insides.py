"""Artifacts from the inside: NeuralNetwork files walked, damaged ones named at the right layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.formats.coreml import TARGET as COREML
from lading.formats.mlmodel import TARGET as MLMODEL
from lading.formats.onnx import TARGET as ONNX
from lading.interface import Options
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.proof import between, compare, divergence, probes
from lading.proof.insides import artifact, wide
from lading.proof.judge import compared
from lading.proof.original import Original
from tests import toys

Change = Callable[[Any], None]


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


def edited(path: Path, folder: Path, layer: str, change: Change) -> Path:
    """A copy of a NeuralNetwork file; the convolution that gives the value `layer` is changed."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(path.read_bytes())
    change(next(one for one in spec.neuralNetwork.layers if layer in one.output).convolution)
    (folder / path.name).write_bytes(spec.SerializeToString())
    return folder / path.name


def heavier(one: Any) -> None:
    """All weights of the layer, 1 % more."""
    if one.weights.float16Value:
        values = np.frombuffer(one.weights.float16Value, np.float16)
        one.weights.float16Value = (values * np.float16(1.01)).tobytes()
    else:
        values = np.asarray(one.weights.floatValue, np.float32) * np.float32(1.01)
        del one.weights.floatValue[:]
        one.weights.floatValue.extend(values)


def unbiased(one: Any) -> None:
    one.hasBias = False
    one.ClearField("bias")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_right_network_departs_nowhere(files: dict[str, Path], precision: str) -> None:
    found = divergence.walk(files[precision], toys.interface(), inputs(), precision)
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
    found = divergence.walk(path, toys.interface(), inputs(), precision)
    here = next((one for one in found.stations if one.value == found.first), None)
    assert here is not None, found.told
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
        record, one = matched(MLMODEL.describe(path), toys.interface())
        original = Original(one, probes.make(one))
        judged = {c.runtime: c for c in compared(record, path, original, lambda *_: None)}
        plain = {m.name: m for m in judged["neuralnetwork"].metrics}
        assert plain["logits psnr"].passed
        assert plain["logits graph psnr"].gate == 90.0
        assert judged["neuralnetwork"].verdict == verdict
        assert all("graph" not in m.name for m in judged["neuralnetwork_fp16"].metrics)


def test_overflow_in_the_fp16_reading_alone_is_walked_there(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """fp32 is right, fp16 is not: the walk is in the reading that failed."""
    one = toys.interface()
    with_torch = {n: v * np.float32(3e4) for n, v in inputs().items()}  # the stem overflows
    found = divergence.walk(files["fp32"], one, with_torch, "fp16", "float16")
    assert (found.runtime, found.precision) == ("neuralnetwork_fp16", "float16")
    assert found.first == "conv2d"
    right = divergence.walk(files["fp32"], one, with_torch, "fp32")
    assert right.first == ""


def test_which_reading_failed_decides_where_it_is_walked(files: dict[str, Path]) -> None:
    one = toys.interface()
    drawn = probes.make(one)[:1]
    record = MLMODEL.describe(files["fp32"])
    runtime = next(r for r in between_runtimes() if r.name == "neuralnetwork_fp16")
    failed = compare.failed(record, runtime, 0, "overflow")
    (found,) = divergence.explain(record, files["fp32"], one, drawn, [failed])
    assert (found.runtime, found.first) == ("neuralnetwork_fp16", "")


def between_runtimes() -> Any:
    from lading.runtimes import runtimes_for

    return runtimes_for("mlmodel")


def test_the_reading_in_fp32_of_a_side(files: dict[str, Path]) -> None:
    half = artifact(files["fp16"], "float16")
    plain = wide(half)
    assert plain is not None
    assert (half.precision, plain.precision) == ("float16", "float32")
    assert wide(plain) is None
    assert wide(artifact(files["onnx"])) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [("fp32", "program"), ("onnx", "fp32"), ("program", "fp16"), ("fp16", "onnx")],
)
def test_any_two_formats(files: dict[str, Path], first: str, second: str) -> None:
    found = between.compare(files[first], files[second], None)
    assert found.comparison.verdict == "pass", found.comparison.reason
    assert found.walk.first == ""
    assert found.walk.aligned >= 7


def test_the_original_beside_a_network_and_one_value_in_both(files: dict[str, Path]) -> None:
    found = between.compare(Path("net.pth"), files["fp32"], toys.interface(), "network.down")
    assert found.comparison.verdict == "pass"
    assert [one.side for one in found.values] == ["net.pth", str(files["fp32"])]
    assert [one.name for one in found.values] == ["network.down", "conv2d_1"]
    np.testing.assert_allclose(found.values[0].first, found.values[1].first, rtol=1e-5)


def test_a_damaged_network_beside_a_program(files: dict[str, Path], tmp_path: Path) -> None:
    path = edited(files["fp32"], tmp_path, "conv2d_1", heavier)
    for pair in ((path, files["program"]), (files["program"], path)):
        found = between.compare(*pair, None)
        assert found.comparison.verdict == "fail"
        assert "conv" in found.walk.told.split(":")[0]


def test_labels_can_be_looked_at_in_both(tmp_path: Path) -> None:
    one = toys.interface(Options("labels"))
    graph = capture(one, "export")
    ONNX.convert(graph, Settings(), tmp_path / "net.onnx")
    MLMODEL.convert(graph, Settings("fp32"), tmp_path / "net.mlmodel")
    found = between.compare(tmp_path / "net.onnx", tmp_path / "net.mlmodel", None, "labels")
    assert found.comparison.verdict == "pass"
    assert [value.name for value in found.values] == ["labels", "labels"]
    assert [value.shape for value in found.values] == [(1, 16, 16)] * 2
    assert found.told.startswith("agreement ")
    assert found.walk.first == ""


def test_a_classifier_in_two_formats(tmp_path: Path) -> None:
    """Its class is a text and its probabilities a dictionary: neither is an array."""
    from tests.formats.test_classifiers import FACTS, interface

    one = interface()
    graph, settings = capture(one, "export"), Settings("fp32", facts=FACTS)
    COREML.convert(graph, settings, tmp_path / "net.mlpackage")
    MLMODEL.convert(graph, settings, tmp_path / "net.mlmodel")
    for path in (tmp_path / "net.mlpackage", tmp_path / "net.mlmodel"):
        beside = between.compare(Path("net.pth"), path, one)
        assert beside.comparison.verdict == "pass", beside.comparison.reason
        assert [m.name for m in beside.comparison.metrics] == ["probabilities psnr"]
    found = between.compare(tmp_path / "net.mlpackage", tmp_path / "net.mlmodel", None)
    assert found.comparison.verdict == "pass", found.comparison.reason
    assert found.walk.first == ""
