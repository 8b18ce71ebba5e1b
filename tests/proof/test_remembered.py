"""A file with a memory passes where it is right, call after call, and fails where it is wrong.

Each wrong file gives what the original gives in a first call, or nearly; what comes later gives it
away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lading.conversion.graphs import Graphs
from lading.errors import RequestError
from lading.formats import Artifact, format_named, open_artifact
from lading.interface import Interface
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.proof import compare, golden, judge
from lading.proof.beside import Beside
from lading.proof.original import Original
from lading.proof.probes import make
from lading.record import ArtifactRecord, Comparison
from tests.memories import (
    DECODER,
    RUNNING,
    Decoder,
    Exchanged,
    NextPlace,
    Reset,
    Running,
    interface,
    made,
)

FORMATS = [("coreml", "fp32"), ("coreml", "fp16"), ("onnx", "fp32")]
INPUTS = {Decoder: DECODER, NextPlace: DECODER, Exchanged: DECODER, Running: RUNNING,
          Reset: RUNNING}  # fmt: skip


@cache
def original(kind: type) -> Original:
    one = interface(made(kind), *INPUTS[kind])
    return Original(one, make(one))


def written(
    one: Interface, form: str, precision: Any, folder: Path
) -> tuple[Artifact, ArtifactRecord]:
    """The file of a network, and its record."""
    kind = format_named(form)
    graph, _ = Graphs(one).take("decomposed")
    path = folder / f"net{kind.suffix}"
    record = kind.convert(graph, Settings(precision, deployment="iOS18"), path)
    return kind.open(path, own=True), record


def held(reference: Any, artifact: Artifact, record: ArtifactRecord) -> Comparison:
    found = compare.every_runtime(reference, artifact, record, lambda *_: None)
    return next(one for one in found if one.verdict != "not run")


@pytest.mark.parametrize("kind", [Decoder, Running])
@pytest.mark.parametrize(("form", "precision"), FORMATS)
def test_what_is_right_passes(kind: type, form: str, precision: str, tmp_path: Path) -> None:
    reference = original(kind)
    artifact, record = written(reference.interface, form, precision, tmp_path)
    found = held(reference, artifact, record)
    assert found.verdict == "pass", found.reason
    gated = {number.output for number in found.gated}
    assert gated == {port.name for port in record.answers}
    assert {state.port.name for state in record.states} < gated
    # read again, by what the file itself says
    again, fitted = matched(artifact.record, reference.interface)
    assert again.states == record.states
    assert again.precision == record.precision == precision
    assert [port.name for port in fitted.answers] == [port.name for port in record.answers]


def others(kind: type, **buffers: torch.Tensor) -> Callable[[], Interface]:
    return lambda: interface(made(kind, **buffers), *INPUTS[kind])


WRONG: dict[str, tuple[type, Callable[[], Interface]]] = {
    "written one place further": (Decoder, others(NextPlace)),
    "keys and values exchanged": (Decoder, others(Exchanged)),
    "reset at each call": (Running, others(Reset)),
    "begun with another hidden state": (Running, others(Running, h=torch.zeros(1, 7))),
    "begun with another count": (Running, others(Running, count=torch.tensor(3))),
    "begun with a cache that is not empty": (
        Decoder, others(Decoder, v_cache=torch.full((1, 6, 8), 0.5)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("form", "precision"), FORMATS)
def test_what_is_wrong_fails(wrong: str, form: str, precision: str, tmp_path: Path) -> None:
    kind, other = WRONG[wrong]
    artifact, record = written(other(), form, precision, tmp_path)
    found = held(original(kind), artifact, record)
    assert found.verdict == "fail"
    assert any(not number.passed for number in found.measurements)


def unwritten(path: Path, state: str) -> None:
    """Takes away what writes to a state of a Core ML file."""
    import coremltools as ct

    place = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    spec = ct.utils.load_spec(str(place))
    (function,) = spec.mlProgram.functions.values()
    operations = function.block_specializations[function.opset].operations
    (found,) = [
        index for index, op in enumerate(operations)
        if op.type == "write_state" and op.inputs["input"].arguments[0].name == state
    ]  # fmt: skip
    del operations[found]
    place.write_bytes(spec.SerializeToString())


def handed_on(path: Path, state: str) -> None:
    """Lets an ONNX file give back of a state what it was given."""
    import onnx

    model = onnx.load(str(path))
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == f"{state}_out":
                node.output[place] = "thrown_away"
    same = onnx.helper.make_node("Identity", [f"{state}_in"], [f"{state}_out"])
    model.graph.node.append(same)
    onnx.save(model, str(path))


@pytest.mark.parametrize(("kind", "state"), [(Decoder, "v_cache"), (Running, "h"),
                                             (Running, "count")])  # fmt: skip
@pytest.mark.parametrize(("form", "precision"), FORMATS)
def test_a_state_that_is_never_written_fails(
    kind: type, state: str, form: str, precision: str, tmp_path: Path
) -> None:
    artifact, record = written(original(kind).interface, form, precision, tmp_path)
    (unwritten if form == "coreml" else handed_on)(artifact.path, state)
    changed = artifact.format.open(artifact.path, own=True)
    found = held(original(kind), changed, record)
    assert found.verdict == "fail"
    assert state in {number.output for number in found.measurements if not number.passed}


def test_a_file_that_forgets_all_of_it_is_refused(tmp_path: Path) -> None:
    one = original(Running).interface
    _, record = written(one, "onnx", "fp32", tmp_path)
    with pytest.raises(RequestError, match="one that keeps h float32"):
        matched(replace(record, states=()), one)


def test_one_call_alone_proves_nothing_of_a_memory(tmp_path: Path) -> None:
    one = interface(made(Running), *RUNNING)
    single = Original(one, [probe for probe in make(one) if not probe.calls])
    single.widen = lambda artifact: ()  # type: ignore[method-assign,assignment]
    artifact, record = written(one, "onnx", "fp32", tmp_path)
    found = held(single, artifact, record)
    assert (found.verdict, found.reason) == ("fail", judge.NOTHING_REMEMBERED)


@pytest.mark.parametrize("kind", [Decoder, Running])
def test_two_files_are_held_against_one_another(kind: type, tmp_path: Path) -> None:
    one = original(kind).interface
    (tmp_path / "a").mkdir()
    first, _ = written(one, "onnx", "fp32", tmp_path / "a")
    second, _ = written(one, "coreml", "fp32", tmp_path)
    beside = Beside(first, second)
    assert held(beside, second, beside.record).verdict == "pass"
    unwritten(second.path, "count" if kind is Running else "k_cache")
    changed = second.format.open(second.path)
    beside = Beside(first, changed)
    assert held(beside, changed, beside.record).verdict == "fail"


@pytest.mark.parametrize(("form", "precision"), FORMATS)
def test_golden_vectors_hold_calls(form: str, precision: str, tmp_path: Path) -> None:
    reference = original(Running)
    artifact, record = written(reference.interface, form, precision, tmp_path)
    held(reference, artifact, record)
    index = golden.write(tmp_path / "golden", reference, [(record, artifact)], "0" * 64)
    assert [state.port.name for state in index.states] == ["h", "count", "mean"]
    longest = index.vectors[0]
    assert longest.inputs["x"].shape == (6, 1, 5)
    assert {"output", "h", "count", "mean"} == set(longest.outputs)
    checked = golden.replay(tmp_path / "golden", artifact.path, lambda *_: None)
    assert checked.verdict == "pass", checked
    (unwritten if form == "coreml" else handed_on)(artifact.path, "mean")
    changed = golden.replay(tmp_path / "golden", artifact.path, lambda *_: None)
    assert changed.verdict == "fail"


def of_coremltools(network: torch.nn.Module, arguments: tuple[Any, ...], place: Path) -> Artifact:
    """What coremltools alone makes of a network's buffers."""
    import coremltools as ct

    names = {2: ("ids", "pos"), 1: ("x",)}[len(arguments)]
    program = torch.export.export(network, arguments).run_decompositions()
    inputs = [
        ct.TensorType(name, tuple(one.shape), np.int32 if "int" in str(one.dtype) else np.float32)
        for name, one in zip(names, arguments, strict=True)
    ]
    model = ct.convert(
        program, inputs=inputs, outputs=[ct.TensorType("output")], skip_model_load=True,
        minimum_deployment_target=ct.target.iOS18,
    )  # fmt: skip
    model.save(str(place))
    return open_artifact(place)


def test_a_file_of_coremltools_own_is_judged_by_the_same(tmp_path: Path) -> None:
    """It begins every state with zeros: of a network that does not, the file is another network."""
    arguments: tuple[Any, ...] = (torch.tensor([[3]]), torch.tensor([2]))
    artifact = of_coremltools(made(Decoder), arguments, tmp_path / "decoder.mlpackage")
    reference = original(Decoder)
    record, _ = matched(artifact.record, reference.interface)
    assert held(reference, artifact, record).verdict == "pass"
    artifact = of_coremltools(made(Running), (torch.zeros(1, 5),), tmp_path / "running.mlpackage")
    reference = original(Running)
    record, _ = matched(artifact.record, reference.interface)
    found = held(reference, artifact, record)
    assert found.verdict == "fail"
    assert "h psnr" in found.reason
