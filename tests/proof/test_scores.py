"""The scores behind labels: found in every format, judged, and said in words where they are not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from lading.checkpoint import read
from lading.conversion.capture import capture
from lading.formats.coreml import FORMAT as COREML
from lading.formats.mlmodel import FORMAT as MLMODEL
from lading.formats.onnx import FORMAT as ONNX
from lading.interface import Interface, Options, wrap
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.interface.side import Made
from lading.proof import compare, probes, scores, verdict
from lading.proof.original import Original
from lading.proof.weights import provenance
from lading.record import Comparison, Unproved
from lading.record.wording import left_open, subject
from tests import toys

FORMS: dict[str, tuple[Any, Settings]] = {
    "onnx": (ONNX, Settings()),
    "fp16": (COREML, Settings("fp16")),
    "fp32": (COREML, Settings("fp32")),
    "network": (MLMODEL, Settings("fp32")),
    "network fp16": (MLMODEL, Settings("fp16")),
}
REGIONS = {"activation": "sigmoid", "region_order": (1, 2, 3), "labels": ("a", "b", "c", "d")}


def one_weight(network: toys.Net) -> None:
    """The largest weight of a layer, 1 % more."""
    flat = network.down.weight.view(-1)
    flat[flat.abs().argmax()] *= 1.01


def channels(network: toys.Net) -> None:
    """Every class's score 1 % higher: no label changes."""
    network.head.weight.mul_(1.01)
    assert network.head.bias is not None
    network.head.bias.mul_(1.01)


def interface(change: Callable[[Any], None] | None = None, **task: Any) -> Interface:
    network = toys.net()
    if change:
        with torch.no_grad():
            change(network)
    return wrap(network, toys.task(**task), Options("labels"))


@functools.lru_cache(maxsize=1)
def original() -> Original:
    one = interface()
    return Original(one, probes.make(one))


def judge(path: Path, kind: Any, against: Original) -> list[Comparison]:
    artifact = kind.open(path)
    record, _ = matched(artifact.record, against.interface)
    many = compare.every_runtime(against, artifact, record, lambda *_: None)
    return [one for one in many if one.verdict != "not run"]


def carried(form: str, one: Interface, folder: Path) -> tuple[Path, Any]:
    kind, settings = FORMS[form]
    path = folder / f"net{kind.suffix}"
    kind.convert(capture(one, "export"), settings, path)
    return path, kind


def named(one: Comparison, name: str) -> Any:
    return next((m for m in one.measurements if subject(m) == name), None)


@pytest.mark.parametrize("form", FORMS)
def test_a_right_one_passes_and_its_scores_were_seen(form: str, tmp_path: Path) -> None:
    for one in judge(*carried(form, interface(), tmp_path), original()):
        assert one.verdict == "pass", one.reason
        metric = named(one, "labels scores psnr")
        assert metric is not None
        half = form == "fp16" or "fp16" in (form.split()[-1], one.runtime.split("_")[-1])
        assert metric.gate == 40.0 if half else metric.gate > 60.0
        assert metric.value > (50.0 if half else 100.0)
        assert one.unproved == ()
        graph = named(one, "labels graph scores psnr")
        whole = form == "fp16" or (form == "network fp16" and one.runtime == "neuralnetwork")
        assert (graph is not None) == whole
        if graph:
            assert graph.value > 100.0


@pytest.mark.parametrize(
    ("form", "change"),
    [("onnx", one_weight), ("fp32", one_weight), ("network", one_weight)]
    + [(form, channels) for form in ("onnx", "fp16", "fp32", "network")],
)
def test_a_small_error_that_moves_no_label_fails(
    form: str, change: Callable[[Any], None], tmp_path: Path
) -> None:
    first = judge(*carried(form, interface(change), tmp_path), original())[0]
    assert named(first, "labels label_agreement").passed  # that alone would have passed it
    assert first.verdict == "fail"
    assert "scores psnr" in first.reason
    assert "misses its gate" in first.reason


def test_one_weight_in_an_fp16_program_is_found_by_its_origin(tmp_path: Path) -> None:
    """1 % of one weight is less than fp16 rounds, and nobody knows what that constant was before:
    the scores stay within their gates, and the weights are another's."""
    torch.save(toys.net().state_dict(), tmp_path / "net.pt")
    checkpoint = read(tmp_path / "net.pt")
    path, kind = carried("fp16", interface(one_weight), tmp_path)
    first = judge(path, kind, original())[0]
    graph = named(first, "labels graph scores psnr")
    assert "unknown origin" in graph.why
    assert graph.value < 100.0
    source = provenance.trace(kind.open(path), checkpoint)
    assert source.finding == "same architecture, other weights"
    assert verdict.overall([first], [source]) == "fail"


@pytest.mark.parametrize("form", ["onnx", "fp16", "network"])
def test_regions_painted_over_each_other(form: str, tmp_path: Path) -> None:
    one = interface(**REGIONS)
    against = Original(one, probes.make(one))
    path, kind = carried(form, one, tmp_path)
    right = judge(path, kind, against)[0]
    assert right.verdict == "pass", right.reason
    assert named(right, "labels scores psnr") is not None
    wrong = judge(
        *carried(
            form,
            interface(channels, **REGIONS),
            tmp_path / "..",
        ),
        against,
    )[0]
    assert named(wrong, "labels label_agreement").passed
    assert wrong.verdict == "fail"


def rewired(path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(str(path))
    change(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def before_argmax(graph: Any, op: str, **attributes: Any) -> None:
    place = next(i for i, node in enumerate(graph.node) if node.op_type == "ArgMax")
    argmax = graph.node[place]
    graph.node.insert(place, helper.make_node(op, [argmax.input[0]], ["between"], **attributes))
    graph.node[place + 1].input[0] = "between"


def test_probabilities_of_another_tool_are_held_against_probabilities(tmp_path: Path) -> None:
    path, kind = carried("onnx", interface(), tmp_path)
    rewired(path, lambda graph: before_argmax(graph, "Softmax", axis=1))
    (one,) = judge(path, kind, original())
    assert one.verdict == "pass", one.reason
    assert named(one, "labels scores psnr").value > 100.0


def test_another_order_of_axes_is_no_error(tmp_path: Path) -> None:
    path, kind = carried("onnx", interface(), tmp_path)

    def last(graph: Any) -> None:
        before_argmax(graph, "Transpose", perm=[0, 2, 3, 1])
        argmax = next(n for n in graph.node if n.op_type == "ArgMax")
        next(a for a in argmax.attribute if a.name == "axis").i = 3

    rewired(path, last)
    (one,) = judge(path, kind, original())
    assert one.verdict == "pass", one.reason
    assert named(one, "labels scores psnr").value > 100.0


def test_where_the_scores_are_not_found_the_bill_says_so(tmp_path: Path) -> None:
    path, kind = carried("onnx", interface(), tmp_path)

    def blurred(graph: Any) -> None:
        """Arithmetic between the argmax and the labels: nothing of the scores' size is near."""
        last = graph.node[-1]
        name = last.output[0]
        last.output[0] = "chosen"
        zero = helper.make_tensor("zero", TensorProto.INT32, [], [0])
        graph.initializer.append(zero)
        graph.node.append(helper.make_node("Add", ["chosen", "zero"], [name]))

    rewired(path, blurred)
    (one,) = judge(path, kind, original())
    assert one.verdict == "pass"
    assert named(one, "labels scores psnr") is None
    assert one.unproved == (Unproved("scores", "no value that labels is chosen from was found"),)
    (notice,) = left_open([one])
    assert notice == (
        f"{path} in onnxruntime: only labels were compared, not the scores behind them: "
        "no value that labels is chosen from was found"
    )


class Chosen(nn.Module):
    """A network that gives labels of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmax(1)


def test_a_network_that_gives_labels_itself() -> None:
    from lading.record import Port, Task

    ports = [Port("x", "tensor", "float32", (1, 3, 4, 4)),
             Port("y", "tensor", "int32", (1, 4, 4), meaning="labels")]  # fmt: skip
    task = Task("module", (ports[0],), (ports[1],))
    assert scores.behind(wrap(Chosen(), task, Options())) is None
    assert scores.behind(toys.interface()) is None


def test_only_choosing_lies_between_scores_and_labels() -> None:
    graph = [
        Made("deep", "Conv", reads=("x",)),
        Made("scores", "Relu", reads=("deep",)),
        Made("row", "Slice", reads=("scores",)),
        Made("there", "Greater", reads=("row", "zero")),
        Made("labels", "Where", reads=("there", "one", "none")),
    ]
    near = [one.name for one in scores.candidates(graph, "labels")]
    assert near == ["there", "row", "scores"]
    assert scores.candidates(graph, "nowhere") == []


def test_nan_scores_fail(tmp_path: Path) -> None:
    def broken(network: Any) -> None:
        network.head.bias[0] = float("nan")

    first = judge(*carried("onnx", interface(broken), tmp_path), original())[0]
    assert first.verdict == "fail"
    assert np.isnan(named(first, "labels scores psnr").value)
