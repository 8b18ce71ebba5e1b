"""Silence is not success: whatever was not compared is `not run` or `fail`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from lading import cli
from lading.checkpoint import Checkpoint
from lading.errors import ProgramError
from lading.formats import artifact_target
from lading.formats.onnx import TARGET as ONNX
from lading.interface import Interface
from lading.interface.settings import Settings
from lading.job import pipeline
from lading.proof import divergence, hazards, readings
from lading.proof.compare import compare, not_run, reference
from lading.proof.probes import Probe, make
from lading.proof.verdict import overall
from lading.proof.weights import provenance
from lading.record import ArtifactRecord, CheckpointRecord, Comparison, Metric, Provenance
from lading.runtimes import runtimes
from lading.runtimes.torch import Eager
from tests import toys

MADE = Provenance("a", "b", "made from this checkpoint", ())


class Fake:
    """A session whose outputs are the reference's, changed."""

    name, title, formats, precision = "fake", "Fake", ("fake",), None
    rounded = 0

    def __init__(self, one: Interface, change: Callable[[dict[str, Any]], Any]) -> None:
        self.session, self.change = Eager(one), change

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        outputs = {name: value.copy() for name, value in self.session.run(inputs).items()}
        return self.change(outputs) or outputs


def record(one: Interface, **changes: Any) -> ArtifactRecord:
    plain = ArtifactRecord("fake", "a.fake", 1, "00", "fp32", one.inputs, one.outputs, "export")
    return replace(plain, **changes)


def judged(
    change: Callable[[dict[str, Any]], Any] = lambda outputs: None,
    drawn: list[Probe] | None = None,
    expected: Callable[[list[Any]], Any] = lambda outputs: outputs,
    graph: Any = None,
    **changes: Any,
) -> Comparison:
    one = toys.interface()
    drawn = make(one)[:2] if drawn is None else drawn
    wanted = expected(reference(Eager(one), drawn))
    fake: Any = Fake(one, change)
    return compare(record(one, **changes), fake, fake, drawn, wanted, one.task, graph=graph)


def test_the_judge_passes_what_is_equal() -> None:
    assert judged().verdict == "pass"


def test_zero_probes() -> None:
    one = judged(drawn=[])
    assert (one.verdict, one.probes) == ("not run", 0)
    assert overall([one], [MADE]) == "not run"


def test_zero_values() -> None:
    one = judged(lambda o: {"logits": np.zeros((1, 3, 0, 16), np.float32)})
    assert one.verdict == "fail"
    ports = toys.interface().outputs
    empty = replace(ports[0], shape=(1, 3, 0, 16))

    def nothing(outputs: Any) -> Any:
        return [{"logits": np.zeros((1, 3, 0, 16), np.float32)} for _ in outputs]

    both = judged(
        lambda o: {"logits": np.zeros((1, 3, 0, 16), np.float32)},
        expected=nothing,
        outputs=(empty,),
    )
    assert both.verdict == "fail"
    assert "nothing to compare" in both.reason


def test_zero_outputs() -> None:
    assert judged(lambda o: {"none": np.zeros(1)}, outputs=()).verdict == "fail"


@pytest.mark.parametrize("side", ["artifact", "original", "both"])
def test_an_output_missing_on_a_side(side: str) -> None:
    def lost(outputs: dict[str, Any]) -> Any:
        return {"other": outputs["logits"]}

    one = judged(
        lost if side != "original" else lambda o: None,
        expected=(lambda all_: [lost(o) for o in all_]) if side != "artifact" else lambda o: o,
    )
    assert one.verdict == "fail"
    assert "output 'logits'" in one.reason


@pytest.mark.parametrize("side", ["artifact", "original", "both"])
@pytest.mark.parametrize("share", [1, 768])
def test_nan_on_a_side(side: str, share: int) -> None:
    def spoiled(outputs: dict[str, Any]) -> Any:
        outputs["logits"].reshape(-1)[:share] = np.nan
        return outputs

    one = judged(
        spoiled if side != "original" else lambda o: None,
        expected=(lambda all_: [spoiled(o) for o in all_]) if side != "artifact" else lambda o: o,
    )
    assert one.verdict == "fail"
    assert overall([one], [MADE]) == "fail"


def test_a_metric_that_is_nan_meets_no_gate() -> None:
    assert not Metric("x", float("nan"), None, "higher", "").passed
    assert not Metric("x", float("nan"), float("-inf"), "higher", "").passed
    assert not Metric("x", float("nan"), float("inf"), "lower", "").passed


def test_a_graph_that_cannot_be_read_in_fp32_fails() -> None:
    class Broken:
        rounded = 0

        def run(self, inputs: Any) -> Any:
            raise ProgramError("graph", found="x", expected="y", remedy="z")

    assert judged(graph=Broken()).verdict == "fail"


def test_a_graph_that_is_another_fails_though_the_rounded_one_agrees() -> None:
    other: Any = Fake(toys.interface(), lambda o: {"logits": o["logits"] * np.float32(1.01)})
    one = judged(graph=other)
    assert one.verdict == "fail"
    assert "graph psnr" in one.reason


def test_every_runtime_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = toys.interface()
    kind: Any = next(iter(runtimes().values()))
    absent = not_run(record(one), kind, "not on this computer")
    assert absent.verdict == "not run"
    assert overall([absent, absent], [MADE]) == "not run"
    good = replace(absent, artifact="other", verdict="pass")
    assert overall([absent, good], [MADE]) == "not run"  # one artifact was compared, one was not


def test_weights_of_another_fail_what_agrees() -> None:
    good = Comparison("a", "x", "torch", 1, (), (), "pass")
    other = replace(MADE, finding="same architecture, other weights")
    assert overall([good], [MADE]) == "pass"
    assert overall([good], [other]) == "fail"


def test_an_artifact_without_weights_is_not_made_from_anything(tmp_path: Path) -> None:
    path = tmp_path / "empty.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), str(path))
    tensors = {"w": torch.randn(3, 3)}
    file = Checkpoint(CheckpointRecord("w.pth", "", 0, "torch zip"), tensors)
    assert provenance.trace(path, file).finding == "not this network"
    assert provenance.owner([provenance.trace(path, file)]) is None


def test_a_checkpoint_without_tensors_owns_nothing(tmp_path: Path) -> None:
    value = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 5.0, 2.0, 9.0])
    node = helper.make_node("Identity", ["w"], ["v"])
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [], [value])), str(path))
    nothing = Checkpoint(CheckpointRecord("w.pth", "", 0, "torch zip"), {})
    assert provenance.trace(path, nothing).finding == "not this network"


def test_a_walk_that_aligns_nothing_says_so(tmp_path: Path) -> None:
    one = toys.interface()
    shape = list(one.inputs[0].shape)
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)]
    scores = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)]
    node = helper.make_node("Sin", ["image"], ["logits"])
    model = helper.make_model(helper.make_graph([node], "g", ports, scores))
    model.ir_version = 10
    model.opset_import[0].version = 18
    path = tmp_path / "sine.onnx"
    onnx.save(model, str(path))
    found = divergence.walk(path, one, make(one)[0].inputs, "fp32")
    assert (found.aligned, found.stations) == (0, ())
    assert "Sin" in found.told
    missing = divergence.walk(tmp_path / "none.onnx", one, make(one)[0].inputs, "fp32")
    assert missing.told.startswith("not walked")


def test_a_dropout_in_training_mode_fails_whatever_a_runtime_makes_of_it(tmp_path: Path) -> None:
    from lading.conversion.capture import capture
    from lading.job.voyage import Original, compared
    from tests.mutants import edited

    one = toys.interface()
    path, wrong = tmp_path / "net.onnx", tmp_path / "wrong.onnx"
    made = ONNX.convert(capture(one, "export"), Settings(), path)
    assert hazards.chance(path) == ""
    assert edited.edit_onnx(path, wrong, edited.ONNX["dropout left on"])
    original = Original(one, make(one)[:1])
    (said,) = [c for c in compared(made, wrong, original, lambda *_: None) if c.probes == 0]
    assert said.verdict == "fail"
    assert "training mode" in said.reason
    assert readings.read(path, made, original.drawn, original.outputs) == ()


def test_a_bill_of_nothing_compared_ends_with_one(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lading.runtimes import onnxruntime

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        gone = lambda self: "gone for this test"  # noqa: E731
        patched.setattr(onnxruntime.OnnxRuntime, "unavailable", gone)
        status = cli.main(
            ["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx", "--quiet",
             "--route", "trace"]
        )  # fmt: skip
    assert status == 1
    (made,) = (out / "rejected").glob("*.onnx")
    assert artifact_target(made).describe(made).format == "onnx"
    assert '"verdict": "not run"' in (out / "lading.json").read_text()
    assert pipeline.verify(made, small_checkpoint).verdict == "pass"  # the file itself was right
