"""GELU with its half last: the same bits, and one operation in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from lading.formats.onnx.gelu import reorder

#: As the exporter spells it.
SPELT = """(float[64] x, float[64] z) => (float[64] y)
    <float one = {1}, float half = {0.5}, float r = {1.4142135}> {
    d = Div(x, r)
    e = Erf(d)
    s = Add(e, one)
    h = Mul(half, s)
    y = Mul(x, h) }"""


def read(text: str) -> Any:
    model = parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> g {text}')
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: Any) -> Any:
    chance = np.random.default_rng(0)
    x, z = (8 * chance.standard_normal(64).astype(np.float32) for _ in range(2))
    return ReferenceEvaluator(model).run(None, {"x": x, "z": z})[0]


@pytest.mark.parametrize("turned", [("", ""), ("(half, s)", "(s, half)"), ("(x, h)", "(h, x)")])
def test_the_same_bits(tmp_path: Path, turned: tuple[str, str]) -> None:
    model = read(SPELT.replace(*turned))
    before = run(model)
    assert reorder(model.graph) == 1
    onnx.checker.check_model(model, full_check=True)
    assert run(model).tobytes() == before.tobytes()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    assert [node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node] == ["Gelu"]
    assert reorder(model.graph) == 0


@pytest.mark.parametrize(
    "changed",
    [
        ("half = {0.5}", "half = {0.25}"),
        ("one = {1}", "one = {2}"),
        ("Erf(d)", "Tanh(d)"),
        ("y = Mul(x, h)", "y = Mul(z, h)"),  # of another value than the function is
        ("y = Mul(x, h)", "k = Mul(x, h)\n y = Add(k, h)"),  # what was halved is read again
        ("float[64] y)", "float[64] y, float[64] h)"),  # or leaves the graph
    ],
)
def test_what_is_no_gelu_is_left(changed: tuple[str, str]) -> None:
    model = read(SPELT.replace(*changed))
    before = model.SerializeToString()
    assert reorder(model.graph) == 0
    assert model.SerializeToString() == before
