"""Any two beside each other, of every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.formats import open_artifact
from lading.formats.coreml import FORMAT as COREML
from lading.formats.mlmodel import FORMAT as MLMODEL
from lading.formats.onnx import FORMAT as ONNX
from lading.interface import Interface, Options
from lading.interface.matching import matched
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.job.compare import compare
from lading.job.request import Compare
from lading.proof import probes, verdict
from lading.proof.between import Between, looked
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from lading.record.wording import subject
from tests import toys
from tests.proof.layers import edited, heavier


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


def beside_original(path: Path, interface: Interface, stop_at: str = "") -> Between:
    """The original beside a file, without a checkpoint."""
    artifact = open_artifact(path)
    record, one = matched(artifact.record, interface)
    original = Original(one, probes.make(one))
    comparisons = tuple(every_runtime(original, artifact, record, lambda *_: None))
    side = TorchSide(one, "net.pth")
    seen = looked(original, side, artifact, record, comparisons, stop_at=stop_at)
    return Between(verdict.overall(comparisons), comparisons, *seen)


@pytest.mark.parametrize(
    ("first", "second"),
    [("fp32", "program"), ("onnx", "fp32"), ("program", "fp16"), ("fp16", "onnx")],
)
def test_any_two_formats(files: dict[str, Path], first: str, second: str) -> None:
    found = compare(Compare(files[first], files[second]))
    assert found.verdict == "pass", found.comparisons
    assert found.walk.first == ""
    assert found.walk.aligned >= 7


def test_the_original_beside_a_network_and_one_value_in_both(files: dict[str, Path]) -> None:
    found = beside_original(files["fp32"], toys.interface(), "network.down")
    assert found.verdict == "pass"
    assert [one.side for one in found.values] == ["net.pth", str(files["fp32"])]
    assert [one.name for one in found.values] == ["network.down", "conv2d_1"]
    np.testing.assert_allclose(found.values[0].first, found.values[1].first, rtol=1e-5)


def test_a_damaged_network_beside_a_program(files: dict[str, Path], tmp_path: Path) -> None:
    path = edited(files["fp32"], tmp_path, "conv2d_1", heavier)
    for pair in ((path, files["program"]), (files["program"], path)):
        found = compare(Compare(*pair))
        assert found.verdict == "fail"
        assert "conv" in found.walk.text.split(":")[0]


def test_labels_can_be_looked_at_in_both(tmp_path: Path) -> None:
    one = toys.interface(Options("labels"))
    graph = capture(one, "export")
    ONNX.convert(graph, Settings(), tmp_path / "net.onnx")
    MLMODEL.convert(graph, Settings("fp32"), tmp_path / "net.mlmodel")
    found = compare(Compare(tmp_path / "net.onnx", tmp_path / "net.mlmodel", stop_at="labels"))
    assert found.verdict == "pass"
    assert [value.name for value in found.values] == ["labels", "labels"]
    assert [value.shape for value in found.values] == [(1, 16, 16)] * 2
    assert found.text.startswith("agreement ")
    assert found.walk.first == ""


def test_a_classifier_in_two_formats(tmp_path: Path) -> None:
    """Its class is a text and its probabilities a dictionary: neither is an array."""
    from tests.formats.test_classifiers import FACTS, interface

    one = interface()
    graph, settings = capture(one, "export"), Settings("fp32", facts=FACTS)
    COREML.convert(graph, settings, tmp_path / "net.mlpackage")
    MLMODEL.convert(graph, settings, tmp_path / "net.mlmodel")
    for path in (tmp_path / "net.mlpackage", tmp_path / "net.mlmodel"):
        beside = beside_original(path, one)
        assert beside.verdict == "pass", beside.comparisons
        names = {subject(m) for one in beside.comparisons for m in one.measurements}
        assert {"probabilities psnr", "probabilities label_agreement"} <= names
    found = compare(Compare(tmp_path / "net.mlpackage", tmp_path / "net.mlmodel"))
    assert found.verdict == "pass", found.comparisons
    assert found.walk.first == ""
