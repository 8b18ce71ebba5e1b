"""Files end to end: a small ensemble, to both formats, run and compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lading import api
from lading.evidence import Route
from lading.families.keyboard_layout import network

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
    assert {one.path for one in bill.artifacts} == {
        "model_production.mlpackage",
        "model_production.onnx",
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
