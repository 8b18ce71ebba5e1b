"""Files end to end: a small ensemble, to both formats, run and compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lading import api
from lading.coreml import mil, neuralnetwork
from lading.formats import open_artifact
from lading.network.families.keyboard_layout import network
from lading.network.families.keyboard_layout.alphabet import CHARACTERS, LABELS, encode
from lading.record import Route

CNN = network.CNNPlan(
    vocabulary=189, width=8, filters=6, wide=(10, 12), wide_kernels=(3, 5), deep=8, deep_kernel=3,
    hidden=(16, 12), classes=9,
)  # fmt: skip
TRANSFORMER = network.TransformerPlan(
    vocabulary=189, width=16, table=(1, 32, 16), encoder="transformer", layers=2, heads=8,
    feed_forward=24, final_norm=False, norm_first=False, activation="gelu", scale=1.0, hidden=8,
    classes=9,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    module = network.Ensemble(CNN, TRANSFORMER, ())
    with torch.no_grad():  # as sure of itself as a trained network
        module.cnn.fc3.weight.mul_(20)
        module.transformer.fc2.weight.mul_(20)
    path = tmp_path_factory.mktemp("layout") / "model_production.pth"
    torch.save({"epoch": 1, "model_state_dict": module.state_dict()}, path)
    return path


def test_both_formats_are_equal(checkpoint: Path, tmp_path: Path) -> None:
    bill = api.convert(checkpoint, tmp_path / "out")
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    # Core ML too by the export route: its slices over whole axes are aliases there.
    assert {one.route for one in bill.artifacts} == {"export"}
    assert {one.path for one in bill.artifacts} == {
        "LayoutClassifier.mlpackage",
        "LayoutClassifier.onnx",
    }
    for artifact in bill.artifacts:
        (ids,), (scores,) = artifact.inputs, artifact.outputs
        assert (ids.name, ids.dtype, ids.shape) == ("input_ids", "int32", (1, 20))
        assert (scores.name, scores.dtype, scores.shape) == ("classLogits", "float32", (1, 9))
    assert bill.capture is not None
    assert "attention fast path" in {one.name for one in bill.capture.repairs}
    where = next(r.where for r in bill.capture.repairs if r.name == "attention fast path")
    assert where == ("network.transformer.transformer",)


@pytest.mark.parametrize("route", ["export", "trace"])
def test_onnx_by_either_route(checkpoint: Path, tmp_path: Path, route: Route) -> None:
    bill = api.convert(
        checkpoint, tmp_path / "out", to=("onnx",), route=route, output="probabilities"
    )
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    assert bill.artifacts[0].route == route
    assert bill.capture is not None
    names = {one.name for one in bill.capture.repairs}
    assert ("plain sizes" in names) is (route == "trace")


def test_core_ml_in_fp32_with_labels(checkpoint: Path, tmp_path: Path) -> None:
    bill = api.convert(
        checkpoint, tmp_path / "out", to=("coreml",), precision="fp32", output="labels"
    )
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    assert bill.artifacts[0].outputs[0].dtype == "int32"


@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_neural_network_with_its_words(checkpoint: Path, tmp_path: Path, route: Route) -> None:
    """The one file that the app asks for: fp32, equal in both readings, and it knows its words."""
    bill = api.convert(checkpoint, tmp_path / "out", to=("mlmodel",), route=route, precision="fp32")
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    (artifact,) = bill.artifacts
    assert artifact.path == "LayoutClassifier.mlmodel"
    assert {one.runtime: one.verdict for one in bill.comparisons} == {
        "neuralnetwork": "pass", "neuralnetwork_fp16": "pass", "coreml": "not run",
    }  # fmt: skip
    path = tmp_path / "out" / artifact.path
    details = open_artifact(path).record.details
    assert json.loads(details["lading.vocabulary"]) == CHARACTERS
    assert len(CHARACTERS) == 188
    assert tuple(json.loads(details["lading.labels"])) == LABELS
    again = api.verify(path, checkpoint)
    assert again.verdict == "pass", [one.reason for one in again.comparisons]
    model = neuralnetwork.load(path)
    (ids,) = model.inputs
    assert (ids.name, ids.dtype, ids.shape) == ("input_ids", "int32", (1, 20))
    half = model.predict({"input_ids": [encode("ghbdtn")]}, precision="float16")["classLogits"]
    assert half.shape == (1, 9)


def test_a_classifier_of_every_format(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bill = api.convert(
        checkpoint, out, to=("coreml", "mlmodel", "onnx"), classifier=True, precision="fp32"
    )
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    ids = np.array([encode("ghbdtn")], np.int32)
    package = mil.load(out / "LayoutClassifier.mlpackage").predict({"input_ids": ids})
    file = neuralnetwork.load(out / "LayoutClassifier.mlmodel").predict({"input_ids": ids})
    onnx = (
        open_artifact(out / "LayoutClassifier.onnx").side().run({"input_ids": ids})["probabilities"]
    )
    assert package["classLabel"] == file["classLabel"] == LABELS[int(onnx.argmax())]
    for one in (package, file):
        assert tuple(one["probabilities"]) == LABELS
        np.testing.assert_allclose(list(one["probabilities"].values()), onnx[0], atol=1e-6)
    for artifact in bill.artifacts:
        assert api.verify(out / artifact.path, checkpoint).verdict == "pass"


def test_onnx_takes_any_batch(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bill = api.convert(checkpoint, out, to=("onnx",), dynamic=("batch",))
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    side = open_artifact(out / "LayoutClassifier.onnx").side()
    texts = ["ghbdtn", "привет", "hello", "שלום", "руддщ", "a", "tv"]
    ids = np.array([encode(text) for text in texts], np.int32)
    together = side.run({"input_ids": ids})["classLogits"]
    assert together.shape == (7, 9)
    for row, one in zip(ids, together, strict=True):
        alone = side.run({"input_ids": row[None]})["classLogits"]
        assert alone.shape == (1, 9)
        np.testing.assert_allclose(alone[0], one, rtol=1e-5, atol=1e-4)
    network_itself = original(checkpoint, ids)
    np.testing.assert_allclose(together, network_itself, rtol=1e-4, atol=1e-4)


def original(checkpoint: Path, ids: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> object:
    """The original's scores."""
    module = network.Ensemble(CNN, TRANSFORMER, ()).eval()
    module.load_state_dict(torch.load(checkpoint)["model_state_dict"])
    with torch.no_grad():
        return module(torch.from_numpy(ids)).numpy()
