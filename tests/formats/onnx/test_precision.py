"""Half-precision ONNX files of other tools: what they are called, and how they are gated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lading import cli
from lading import page as report
from lading.conversion.capture import capture
from lading.formats.onnx import FORMAT
from lading.interface import Options, wrap
from lading.interface.matching import matched
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.proof import compare, divergence, probes
from lading.proof.metrics import psnr
from lading.proof.original import Original
from lading.record.wording import subject
from tests import toys

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "net.onnx"
    FORMAT.convert(capture(toys.interface(), "export"), Settings(), path)
    return path


def halved(path: Path, folder: Path, *, ends: bool = False, islands: tuple[str, ...] = ()) -> Path:
    """The file as tools for half precision write it: weights and arithmetic in float16, with casts
    at the ends, or none (`ends`), and around operations that stay in float32 (`islands`)."""
    model = onnx.load(str(path))
    graph = model.graph
    del graph.value_info[:]
    wide = {n for node in graph.node if node.op_type in islands for n in node.input[1:]}
    for one in graph.initializer:
        if one.data_type == FULL and one.name not in wide:
            one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one).astype("f2"), one.name))
    nodes: list[Any] = []
    given, gives = graph.input[0], graph.output[0]
    if ends:
        for value in (given, gives):
            value.type.tensor_type.elem_type = HALF
    else:
        nodes.append(helper.make_node("Cast", [given.name], ["entered"], to=HALF))
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == given.name and not ends:
                node.input[place] = "entered"
        for place, name in enumerate(node.output):
            if name == gives.name and not ends:
                node.output[place] = "leaving"
        if node.op_type in islands:
            was, made = node.input[0], node.output[0]
            node.input[0], node.output[0] = f"{was}_wide", f"{made}_wide"
            nodes.append(helper.make_node("Cast", [was], [f"{was}_wide"], to=FULL))
            nodes.append(node)
            nodes.append(helper.make_node("Cast", [f"{made}_wide"], [made], to=HALF))
        else:
            nodes.append(node)
    if not ends:
        nodes.append(helper.make_node("Cast", ["leaving"], [gives.name], to=FULL))
    copies = [onnx.NodeProto.FromString(one.SerializeToString()) for one in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "half.onnx"))
    return folder / "half.onnx"


def test_fp32_is_fp32(plain: Path) -> None:
    record = FORMAT.open(plain).record
    assert record.precision == "fp32"
    assert "precision" not in record.details
    assert record.details["weights"].endswith(" in fp32")


@pytest.mark.parametrize("ends", [False, True])
def test_weights_and_arithmetic_in_half(plain: Path, tmp_path: Path, ends: bool) -> None:
    record = FORMAT.open(halved(plain, tmp_path, ends=ends)).record
    assert record.precision == "fp16"
    assert "mixed" not in record.details["precision"]
    assert record.details["precision"].endswith(" operations in fp16")
    assert record.details["weights"].endswith(" in fp16")
    assert record.inputs[0].dtype == ("float16" if ends else "float32")


def test_islands_are_told(plain: Path, tmp_path: Path) -> None:
    record = FORMAT.open(halved(plain, tmp_path, islands=("InstanceNormalization",))).record
    assert record.precision == "fp16"
    told = record.details["precision"]
    assert told.startswith("mixed: ")
    assert "1 operations in fp32" in told
    assert " in fp16, 8 in fp32" in record.details["weights"]


def test_weights_alone_in_half(tmp_path: Path) -> None:
    """Stored in float16, cast when loaded, computed in float32: rounded all the same."""
    weight = numpy_helper.from_array(np.ones((2, 2), np.float16), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["wide"], to=FULL),
        helper.make_node("MatMul", ["x", "wide"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, FULL, [1, 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [weight])
    onnx.save(helper.make_model(graph), str(tmp_path / "w.onnx"))
    record = FORMAT.open(tmp_path / "w.onnx").record
    assert (record.precision, record.details["weights"]) == ("fp16", "4 in fp16")
    assert record.details["precision"] == "1 operations in fp32"


def judged(path: Path) -> Any:
    artifact = FORMAT.open(path)
    record, interface = matched(artifact.record, toys.interface())
    original = Original(interface, probes.make(interface))
    (comparison,) = compare.every_runtime(original, artifact, record, lambda *_: None)
    return comparison


def measured(comparison: Any, name: str) -> Any:
    return next(one for one in comparison.measurements if subject(one) == name)


@pytest.mark.parametrize("ends", [False, True])
def test_it_is_gated_as_fp16_and_passes(plain: Path, tmp_path: Path, ends: bool) -> None:
    comparison = judged(halved(plain, tmp_path, ends=ends))
    assert comparison.verdict == "pass", comparison.reason
    psnr = measured(comparison, "logits psnr")
    assert psnr.gate == 40.0
    assert "fp16" in psnr.why
    graph = measured(comparison, "logits graph psnr")
    assert graph.gate > 60.0
    assert graph.value > 90.0


def test_a_wrong_graph_that_rounding_hides_fails(plain: Path, tmp_path: Path) -> None:
    """A slope of 0.02 for 0.01 leaves more than 40 dB, and is no rounding."""
    path = halved(plain, tmp_path)
    model = onnx.load(str(path))
    node = [n for n in model.graph.node if n.op_type == "LeakyRelu"][1]
    node.attribute[0].f = 0.02
    onnx.save(model, str(path))
    comparison = judged(path)
    assert measured(comparison, "logits psnr").passed
    assert comparison.verdict == "fail"
    assert "logits graph psnr" in comparison.reason


def test_a_wrong_one_fails_and_its_operation_is_named(plain: Path, tmp_path: Path) -> None:
    path = halved(plain, tmp_path, ends=True)
    model = onnx.load(str(path))
    node = [n for n in model.graph.node if n.op_type == "LeakyRelu"][1]
    node.attribute[0].f = 0.9
    onnx.save(model, str(path))
    artifact = FORMAT.open(path)
    comparison = judged(path)
    assert comparison.verdict == "fail"
    record, interface = matched(artifact.record, toys.interface())
    drawn = probes.make(interface)
    record = replace(record, path="rejected/A.onnx")  # where the bill has it, not where it lies
    (walk,) = divergence.explain(artifact, record, interface, drawn, [comparison])
    assert "LeakyRelu" in walk.text
    assert walk.artifact == "rejected/A.onnx"


def test_the_weights_are_traced_and_the_bill_says_fp16(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    words = [
        "convert",
        str(small_checkpoint),
        "-o",
        str(tmp_path / "out"),
        "--to",
        "onnx",
        "--quiet",
    ]
    assert cli.main(words) == 0
    path = halved(tmp_path / "out" / "Dataset001_CAMUS.onnx", tmp_path)
    words = ["verify", str(path), "--against", str(small_checkpoint), "--quiet"]
    assert cli.main([*words, "-o", str(tmp_path / "told")]) == 0
    bill = report.read(tmp_path / "told")
    assert bill.artifacts[0].precision == "fp16"
    assert bill.artifacts[0].details["precision"].endswith(" operations in fp16")
    assert bill.provenance[0].finding == "made from this checkpoint"
    assert any(one.evidence == "float32 cast to float16" for one in bill.provenance[0].constants)


def test_the_fp32_reading_declares_no_half(plain: Path, tmp_path: Path) -> None:
    """ONNX Runtime computes either in fp32 on a CPU; another provider would not."""
    side = FORMAT.open(halved(plain, tmp_path)).side("float32")
    assert not [one for one in side.model.graph.initializer if one.data_type == HALF]
    casts = [a.i for n in side.model.graph.node if n.op_type == "Cast" for a in n.attribute]
    assert set(casts) == {FULL}
    network = wrap(toys.net().half().float(), toys.task(), Options())
    feed = {"image": toys.noise((1, 1, 16, 16))}
    assert psnr(TorchSide(network).run(feed)["logits"], side.run(feed)["logits"]) > 110.0
