"""One judge: what `verify` refuses, `compare`, golden vectors and `demo` never pass."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from lading import cli
from lading.cli.demos import segmentation
from lading.conversion import graphs
from lading.conversion.capture import capture
from lading.formats import formats, open_artifact
from lading.interface import Interface
from lading.job.compare import compare
from lading.job.convert import convert
from lading.job.request import Compare, Convert, Verify
from lading.job.verify import verify
from lading.proof import golden, probes
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from tests.mutants import edited, suite
from tests.mutants.court import carry, judge

NAME = "Dataset001_CAMUS"


@dataclass(frozen=True)
class Right:
    """A checkpoint, and the folder of its right conversion."""

    checkpoint: Path
    folder: Path

    def artifact(self, suffix: str = ".onnx") -> Path:
        return self.folder / f"{NAME}{suffix}"

    def asked(self, wrong: Path) -> dict[str, str]:
        """What everybody who judges says of a file, `verify` first."""
        said: dict[str, Any] = {
            "verify": verify(Verify(wrong, self.checkpoint)),
            "compare with the checkpoint": compare(Compare(self.checkpoint, wrong)),
            "golden vectors": replayed(self.folder / golden.FOLDER, wrong),
        }
        for suffix in {".onnx", wrong.suffix}:
            said[f"compare with {suffix}"] = compare(Compare(self.artifact(suffix), wrong))
        return {name: one.verdict for name, one in said.items()}


def replayed(folder: Path, artifact: Path) -> golden.Replay:
    return golden.replay(folder, artifact, lambda *_: None)


def refused(said: dict[str, str]) -> None:
    """Passes only where `verify` refuses and nobody passes."""
    assert said["verify"] == "fail"
    assert "pass" not in said.values(), said


@pytest.fixture(scope="module")
def right(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Right:
    """Scores."""
    out = tmp_path_factory.mktemp("judge") / "right"
    assert convert(Convert(small_checkpoint, out)).verdict == "pass"
    return Right(small_checkpoint, out)


@pytest.fixture(scope="module")
def labels(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Right:
    """A label map, in every format."""
    out = tmp_path_factory.mktemp("judge") / "labels"
    made = convert(Convert(small_checkpoint, out, to=tuple(formats()), output="labels"))
    assert made.verdict == "pass"
    return Right(small_checkpoint, out)


@pytest.mark.parametrize(
    ("output", "suffix"),
    [
        ("right", ".mlpackage"),
        ("labels", ".onnx"),
        ("labels", ".mlpackage"),
        ("labels", ".mlmodel"),
    ],
)
def test_all_pass_what_is_right(output: str, suffix: str, request: pytest.FixtureRequest) -> None:
    one: Right = request.getfixturevalue(output)
    said = one.asked(one.artifact(suffix))
    assert set(said.values()) == {"pass"}, said
    assert len(said) >= 4


# ------------------------------------------------------------------------------------ the exhibits
def test_a_slope_that_rounding_hides(right: Right, tmp_path: Path) -> None:
    """0.0102 where 0.01 was trained: as fp16 rounds, the outputs agree; the graph does not."""
    convert(
        Convert(right.checkpoint, tmp_path / "out", to=("coreml",), set=("negative_slope=0.0102",))
    )
    wrong = tmp_path / "out" / f"{NAME}.mlpackage"
    told = verify(Verify(wrong, right.checkpoint))
    rounds = [m for c in told.comparisons for m in c.measurements if m.reading == "declared"]
    assert all(m.passed for m in rounds)
    refused(right.asked(wrong))


def head(model: Any) -> tuple[Any, Any]:
    """Weight and bias of the last convolution of an ONNX file."""
    node = [one for one in model.graph.node if one.op_type == "Conv"][-1]
    held = {one.name: one for one in model.graph.initializer}
    return held[node.input[1]], held[node.input[2]]


def spoilt(right: Path, out: Path, change: Callable[[Any, Any], tuple[Any, Any]]) -> Path:
    """The file with other numbers in its last convolution."""
    model = onnx.load(str(right))
    stored = head(model)
    values = change(*(numpy_helper.to_array(one).copy() for one in stored))
    for one, value in zip(stored, values, strict=True):
        one.CopyFrom(numpy_helper.from_array(value.astype(np.float32), one.name))
    onnx.save(model, str(out))
    return out


def test_constant_everywhere(right: Right, tmp_path: Path) -> None:
    files = [
        spoilt(right.artifact(), tmp_path / name, lambda weight, bias: (weight * 0, bias * 0 + 1))
        for name in ("c1.onnx", "c2.onnx")
    ]
    refused(right.asked(files[0]))
    found = compare(Compare(*files))
    assert found.verdict == "fail"
    assert {f.name for c in found.comparisons for f in c.findings} >= {"constant"}


def test_not_a_number(right: Right, tmp_path: Path) -> None:
    def lost(weight: Any, bias: Any) -> tuple[Any, Any]:
        bias[0] = np.nan
        return weight, bias

    files = [spoilt(right.artifact(), tmp_path / name, lost) for name in ("n1.onnx", "n2.onnx")]
    refused(right.asked(files[0]))
    assert compare(Compare(*files)).verdict == "fail"


def test_labels_whose_scores_are_off(labels: Right, tmp_path: Path) -> None:
    """Every score 1 % higher: no label moves."""
    wrong = spoilt(labels.artifact(), tmp_path / "net.onnx", lambda w, b: (w * 1.01, b * 1.01))
    refused(labels.asked(wrong))


def test_labels_whose_scores_are_off_in_half_precision(labels: Right, tmp_path: Path) -> None:
    contents = torch.load(labels.checkpoint, weights_only=False)
    for name in ("weight", "bias"):
        contents["network_weights"][f"decoder.seg_layers.1.{name}"].mul_(1.01)
    torch.save(contents, tmp_path / "other.pth")
    for name, suffix in (("coreml", ".mlpackage"), ("mlmodel", ".mlmodel")):
        out = tmp_path / name
        convert(Convert(tmp_path / "other.pth", out, to=(name,), output="labels"))
        refused(labels.asked(out / f"{NAME}{suffix}"))


# ------------------------------------------------------------------------------------- the mutants
def mutants(path: Path, out: Path, shelf: dict[str, edited.Edit]) -> Iterator[tuple[str, Path]]:
    """Every edit of a right file that bites."""
    work = edited.edit_onnx if path.suffix == ".onnx" else edited.edit_coreml
    for kind, edit in shelf.items():
        wrong = out / f"wrong{path.suffix}"
        if work(path, wrong, edit):
            yield kind, wrong
            shutil.rmtree(wrong) if wrong.is_dir() else wrong.unlink()


@pytest.mark.parametrize(
    ("suffix", "kinds"),
    [
        (".onnx", ("a leaky slope changed", "a norm's epsilon times 100", "one channel swapped")),
        (".mlpackage", ("one channel swapped", "a leaky slope changed")),
    ],
)
def test_edits_of_a_checkpoints_files(
    suffix: str, kinds: tuple[str, ...], right: Right, tmp_path: Path
) -> None:
    shelf = edited.ONNX if suffix == ".onnx" else edited.COREML
    some = {kind: shelf[kind] for kind in kinds}
    seen = []
    for kind, wrong in mutants(right.artifact(suffix), tmp_path, some):
        refused(right.asked(wrong))
        seen.append(kind)
    assert seen == list(kinds)


def plainly_wrong(original: Original, path: Path) -> bool:
    """Whether its numbers refuse it, by more than two measurements of one distance differ by."""
    artifact = open_artifact(path)
    many = every_runtime(original, artifact, artifact.record, lambda *_: None)
    failed = [one for one in many if one.verdict == "fail"]
    missed = [m for one in failed for m in one.measurements if not m.passed]
    return any(one.findings or not one.measurements for one in failed) or any(
        m.gate is None or m.kind != "psnr" or not m.gate - m.value < 1.0 for m in missed
    )


@pytest.mark.parametrize("form", ["onnx", "fp16"])
def test_edits_of_a_small_networks_files(form: Any, tmp_path: Path) -> None:
    """Every kind there is, before all who see no checkpoint and so no weights of one."""
    subject = suite.SUBJECTS["toy"]()
    path = carry(subject, form, tmp_path / "right")
    artifact = open_artifact(path)
    original = Original(subject.interface(), probes.make(subject.interface()))
    original.widen(artifact)  # as a conversion does, before it writes any
    golden.write(tmp_path / "golden", original, [(artifact.record, artifact)], "00")
    assert replayed(tmp_path / "golden", path).verdict == "pass"
    assert compare(Compare(path, path)).verdict == "pass"
    passed, count = [], 0
    for kind, wrong in mutants(path, tmp_path, edited.ONNX if form == "onnx" else edited.COREML):
        if not plainly_wrong(original, wrong):
            assert kind in edited.WEIGHTS or not judge(subject, wrong).refused
            continue
        count += 1
        said = {
            "golden": replayed(tmp_path / "golden", wrong).verdict,
            "compare": compare(Compare(path, wrong)).verdict,
        }
        passed += [f"{kind}: {name}" for name, verdict in said.items() if verdict == "pass"]
    assert count >= 7
    assert not passed


def test_a_weight_less_off_than_sound_sums_is_refused_where_there_are_tensors(
    right: Right, tmp_path: Path
) -> None:
    one = {"one weight changed by 1 %": edited.ONNX["one weight changed by 1 %"]}
    _, wrong = next(mutants(right.artifact(), tmp_path, one))
    for said in (
        verify(Verify(wrong, right.checkpoint)),
        compare(Compare(right.checkpoint, wrong)),
    ):
        assert said.verdict == "fail"


# ---------------------------------------------------------------------------------------- the demo
def test_a_demo_whose_converter_is_wrong(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the file that was refused pass on the vectors that were written beside it."""

    def bent(one: Interface, *more: Any) -> Any:
        other = replace(one, module=copy.deepcopy(one.module))
        for module in other.module.modules():
            if isinstance(module, nn.LeakyReLU):
                module.negative_slope = 0.0102
        return capture(other, *more)

    monkeypatch.setattr(segmentation, "CHECKPOINT", small_checkpoint)
    monkeypatch.setattr(graphs, "capture", bent)
    assert cli.main(["demo", "-o", str(tmp_path / "out"), "--quiet"]) == 1
    lost = sorted((tmp_path / "out" / "rejected").iterdir())
    assert [path.suffix for path in lost] == [".mlpackage", ".onnx"]
    for path in lost:
        assert replayed(tmp_path / "out" / golden.FOLDER, path).verdict != "pass"
