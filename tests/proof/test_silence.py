"""Silence is not success: whatever was not compared is `not run` or `fail`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
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
from lading.conversion.capture import capture
from lading.errors import ProgramError
from lading.formats import Runtime, open_artifact
from lading.formats.onnx import FORMAT as ONNX
from lading.interface.settings import Settings
from lading.interface.side import Side
from lading.job.request import Verify
from lading.job.verify import verify
from lading.proof import compare, divergence, readings
from lading.proof.original import Original
from lading.proof.probes import Probe, make
from lading.proof.reference import Graph
from lading.proof.verdict import overall
from lading.proof.weights import provenance
from lading.record import CheckpointRecord, Comparison, Provenance
from tests import toys
from tests.standin import Change, Changed, Fake, Given

MADE = Provenance("a", "b", "made from this checkpoint", ())


def judged(
    change: Change = lambda outputs: None,
    drawn: list[Probe] | None = None,
    expected: Callable[[list[Any]], Any] = lambda outputs: outputs,
    wide: Side | None = None,
    precision: str = "fp32",
    **changes: Any,
) -> Comparison:
    one = toys.interface()
    reference = Given(one, make(one)[:2] if drawn is None else drawn)
    reference.outputs = expected([dict(outputs) for outputs in reference.outputs])
    if wide:
        reference.alone = Graph(wide, reference.outputs, 0)
    artifact = Fake(one, Changed(one, change), precision, **changes)
    (comparison,) = compare.every_runtime(reference, artifact, artifact.record, lambda *_: None)
    return comparison


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


def test_a_graph_that_cannot_be_run_in_fp32_fails() -> None:
    def broken(outputs: dict[str, Any]) -> Any:
        raise ProgramError("graph", found="x", expected="y", remedy="z")

    one = judged(wide=Changed(toys.interface(), broken), precision="fp16")
    assert one.verdict == "fail"
    assert one.reason.startswith("noise-0: graph")


def test_a_graph_that_is_another_fails_though_the_rounded_one_agrees() -> None:
    other = Changed(toys.interface(), lambda o: {"logits": o["logits"] * np.float32(1.01)})
    one = judged(wide=other, precision="fp16")
    assert one.verdict == "fail"
    assert "graph psnr" in one.reason


def test_every_runtime_missing() -> None:
    one = toys.interface()
    artifact = Fake(one, Changed(one))
    gone = Runtime("fake", "Fake", unavailable=lambda: "not on this computer")
    reference = Given(one, make(one))
    absent = compare.in_runtime(reference, artifact, artifact.record, gone)
    assert absent.reason == "not on this computer"
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
    assert provenance.trace(open_artifact(path), file).finding == "not this network"
    assert provenance.owner([provenance.trace(open_artifact(path), file)]) is None


def test_a_checkpoint_without_tensors_owns_nothing(tmp_path: Path) -> None:
    value = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 5.0, 2.0, 9.0])
    node = helper.make_node("Identity", ["w"], ["v"])
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [], [value])), str(path))
    nothing = Checkpoint(CheckpointRecord("w.pth", "", 0, "torch zip"), {})
    assert provenance.trace(open_artifact(path), nothing).finding == "not this network"


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
    found = divergence.walk(open_artifact(path), one, make(one)[0].inputs, "fp32")
    assert (found.aligned, found.stations) == (0, ())
    assert "Sin" in found.text
    model.graph.node[0].op_type = "None"
    onnx.save(model, str(path))
    missing = divergence.walk(open_artifact(path), one, make(one)[0].inputs, "fp32")
    assert missing.text.startswith("not walked")


def test_a_dropout_in_training_mode_fails_whatever_a_runtime_makes_of_it(tmp_path: Path) -> None:
    from tests.mutants import edited

    one = toys.interface()
    path, wrong = tmp_path / "net.onnx", tmp_path / "wrong.onnx"
    made = ONNX.convert(capture(one, "export"), Settings(), path)
    assert ONNX.open(path).randomness() == ""
    assert edited.edit_onnx(path, wrong, edited.ONNX["dropout left on"])
    original = Original(one, make(one)[:1])
    many = compare.every_runtime(original, ONNX.open(wrong), made, lambda *_: None)
    (said,) = [c for c in many if c.probes == 0]
    assert said.verdict == "fail"
    assert "training mode" in said.reason
    assert readings.read(ONNX.open(path), made, original.drawn, original.outputs) == ()


def test_a_bill_of_nothing_compared_ends_with_one(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        (runtime,) = ONNX.runtimes
        gone = replace(runtime, unavailable=lambda: "gone for this test")
        patched.setattr(type(ONNX), "runtimes", (gone,))
        status = cli.main(
            ["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx", "--quiet",
             "--route", "trace"]
        )  # fmt: skip
    assert status == 1
    (made,) = (out / "rejected").glob("*.onnx")
    assert open_artifact(made).record.format == "onnx"
    assert '"verdict": "not run"' in (out / "lading.json").read_text()
    assert verify(Verify(made, small_checkpoint)).verdict == "pass"  # the file itself was right
