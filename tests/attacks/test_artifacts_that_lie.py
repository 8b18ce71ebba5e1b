"""Artifacts, arrays and notes that used to hang, fill memory or end in a traceback: one of a kind.

Each is described, or refused by an error of lading's that says where; and the command line ends
with status 0 or 2 and no traceback.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lading import cli
from lading.errors import InputError, LadingError, ProgramError
from lading.formats import open_artifact
from lading.page import sheet
from lading.proof.golden import index
from lading.task import pictures
from tests.fuzz import coreml
from tests.fuzz.artifacts import graphs
from tests.fuzz.kind import lay

SPEC = "Data/com.apple.CoreML/model.mlmodel"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"
make = helper.make_node


def port(name: str, shape: Any = (1,), kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def onnx_file(
    path: Path, nodes: Any, inputs: Any, outputs: Any, held: Any = (), **more: Any
) -> Path:
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(held))
    onnx.save(helper.make_model(graph, opset_imports=imports, **more), path)
    return path


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Status and all that `lading inspect` prints; under a second."""
    begun = time.process_time()
    status = cli.main(["inspect", str(path)])
    assert time.process_time() - begun < 3
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert "Traceback" not in text
    assert status in (0, 2)
    return status, text


# ------------------------------------------------------------------------------------------- .onnx
def test_functions_that_call_one_another_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forty deep: 2^40 operations, for who would unfold them."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    functions = []
    for k in range(40):
        kind, domain = (f"f{k - 1}", "f") if k else ("Identity", "")
        nodes = [make(kind, ["a"], ["b"], domain=domain), make(kind, ["b"], ["c"], domain=domain)]
        functions.append(helper.make_function("f", f"f{k}", ["a"], ["c"], nodes, opsets))
    path = onnx_file(
        tmp_path / "a.onnx", [make("f39", ["x"], ["y"], domain="f")], [port("x")], [port("y")],
        functions=functions,
    )  # fmt: skip
    status, text = inspected(path, capsys)
    assert status == 0
    assert "functions: f.f0, f.f1" in text
    assert open_artifact(path).record.details["operations"].startswith("Identity 2, f0 2, ")


def test_what_is_no_tensor_and_what_has_no_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = helper.make_tensor_sequence_value_info("l", TensorProto.FLOAT, None)
    odd = port("o", [2], 99)
    path = onnx_file(
        tmp_path / "a.onnx", [make("SequenceAt", ["l", "i"], ["y"])],
        [lists, port("i", [], TensorProto.INT64), odd], [port("y", None)],
    )  # fmt: skip
    status, text = inspected(path, capsys)
    assert status == 0
    for line in ("takes l sequence scalar", "takes i int64 scalar", "takes o type 99 2",
                 "cannot be run here: l is a sequence"):  # fmt: skip
        assert line in text
    empty = onnx_file(tmp_path / "b.onnx", [make("Constant", [], ["y"], value_float=1.0)], [], [])
    assert inspected(empty, capsys)[0] == 0
    assert cli.main(["run", str(empty), "--input", "1"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_weights_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed, outside = graphs()[2], onnx.ModelProto.FromString(graphs()[-1])
    onnx.save(outside, path := tmp_path / "a.onnx")
    assert "missing: 1 tensors in w.bin, which is not there" in inspected(path, capsys)[1]
    (tmp_path / "w.bin").write_bytes(POINTER)
    assert "which is a Git LFS pointer: git lfs pull" in inspected(path, capsys)[1]
    for elsewhere in ("../w.bin", "/etc/passwd", "a\0b", ""):
        outside.graph.initializer[0].external_data[0].value = elsewhere
        onnx.save(outside, path)
        assert "1 tensors in" in inspected(path, capsys)[1]
        with pytest.raises(ProgramError):
            open_artifact(path).constants()
    stripped = onnx.ModelProto.FromString(packed)
    stripped.graph.initializer[0].ClearField("raw_data")
    onnx.save(stripped, path)
    text = inspected(path, capsys)[1]
    assert "cannot be run here: weights are missing, 1 tensors of which only the shape" in text
    with pytest.raises(ProgramError):
        open_artifact(path).constants()
    path.write_bytes(POINTER)
    status, text = inspected(path, capsys)
    assert status == 2
    assert "git lfs pull" in text


def test_whole_numbers_are_counted_as_such_and_branches_too(tmp_path: Path) -> None:
    for number, weights, kind in ((2, "108 in int8, 1 in fp32", "DequantizeLinear 1"),
                                  (3, "", "Neg 1")):  # fmt: skip
        (tmp_path / "a.onnx").write_bytes(graphs()[number])
        told = open_artifact(tmp_path / "a.onnx").record.details
        assert told.get("weights", "") == weights
        assert kind in told["operations"]


def described(path: Path, weights: str) -> float:
    """Processor seconds, without collections of garbage: one alone may take half a second."""
    gc.disable()
    try:
        begun = time.process_time()
        assert open_artifact(path).record.details["weights"] == weights
        return time.process_time() - begun
    finally:
        gc.enable()


def test_many_names_take_their_number_of_steps(tmp_path: Path) -> None:
    took = []
    for count in (5_000, 20_000):
        held = [helper.make_tensor(f"w{k}", 1, [1], b"\0\0\0\0", raw=True) for k in range(count)]
        nodes = [make("Add", [f"v{k}", f"w{k}"], [f"v{k + 1}"]) for k in range(count)]
        path = onnx_file(tmp_path / "a.onnx", nodes, [port("v0")], [port(f"v{count}")], held)
        took.append(min(described(path, f"{count:,} in fp32") for _ in range(3)))
    assert took[1] < 12 * max(took[0], 0.05)  # four times as many; quadratic would be sixteen


# ----------------------------------------------------------------------------- .mlpackage, .mlmodel
@pytest.fixture(scope="module")
def programs() -> list[dict[str, bytes]]:
    return coreml.programs()


def manifest(path: Any) -> bytes:
    told = {"itemInfoEntries": {"1": {"path": path}}, "rootModelIdentifier": "1"}
    return json.dumps(told).encode()


MANIFESTS: dict[str, bytes] = {
    "deep": b"[" * 100_000,
    "long": b'{"a": "' + b"x" * (5 << 20) + b'"}',
    "no text": b"\xff\xfe",
    "empty": b"",
    "a list": b"[]",
    "zero byte": manifest("a\0b"),
    "surrogate": b'{"itemInfoEntries": {"1": {"path": "\\ud800"}}, "rootModelIdentifier": "1"}',
    "long name": manifest("x" * 5000),
    "elsewhere": manifest("../../../etc/passwd"),
    "no path": manifest([[1]]),
    "a ring of links": manifest("ring"),
    "the folder": manifest("."),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_names_nothing(
    name: str, programs: list[dict[str, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.mlpackage"
    lay({**programs[2], "Manifest.json": MANIFESTS[name]}, path)
    (path / "Data" / "ring").symlink_to("ring")
    status, text = inspected(path, capsys)
    assert status == 2
    assert len(text) < 2000
    with pytest.raises(ProgramError, match="mlpackage"):
        open_artifact(path)


def edited(files: dict[str, bytes], change: Callable[[Any], None]) -> dict[str, bytes]:
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model.FromString(files[SPEC])
    change(spec)
    return {**files, SPEC: spec.SerializeToString()}


def operations(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def literal(spec: Any) -> Any:
    """The first constant that is a number and stands in the program."""
    values = (op.attributes["val"] for op in operations(spec) if op.type == "const")
    return next(
        one for one in values
        if one.WhichOneof("value") == "immediateValue"
        and one.immediateValue.tensor.WhichOneof("value") != "strings"
    )  # fmt: skip


def weight(spec: Any) -> Any:
    return next(
        op.attributes["val"] for op in operations(spec)
        if op.type == "const" and op.attributes["val"].WhichOneof("value") == "blobFileValue"
    )  # fmt: skip


def told_wrong(spec: Any) -> None:
    literal(spec).immediateValue.tensor.strings.values.append("1" * 5000)


def unknown_type(spec: Any) -> None:
    literal(spec).type.tensorType.dataType = 4711


def far_away(spec: Any) -> None:
    weight(spec).blobFileValue.offset = 2**64 - 64


def vast(spec: Any) -> None:
    kind = literal(spec).type.tensorType
    for _ in range(3):
        kind.dimensions.add().constant.size = 2**62


def elsewhere(spec: Any) -> None:
    weight(spec).blobFileValue.fileName = "@model_path/\0"


@pytest.mark.parametrize("change", [told_wrong, unknown_type, far_away, vast, elsewhere])
def test_a_program_whose_constants_lie_is_described_and_not_run(
    change: Any, programs: list[dict[str, bytes]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "net.mlpackage"
    lay(edited(programs[0], change), path)
    status, text = inspected(path, capsys)
    assert status == 0
    assert "cannot be run here: " in text
    assert "conv 1" in open_artifact(path).record.details["operations"]
    with pytest.raises(ProgramError) as caught:
        open_artifact(path).side()
    assert len(str(caught.value)) < 1500


def test_types_that_are_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = coreml.model("neuralNetwork")
    spec.description.input[0].type.multiArrayType.dataType = 77
    picture = spec.description.input.add(name="p")
    picture.type.imageType.colorSpace = 99
    layer = spec.neuralNetwork.layers.add(name="r", input=["x"], output=["y"])
    layer.pooling.type = 55
    (tmp_path / "a.mlmodel").write_bytes(spec.SerializeToString())
    status, text = inspected(tmp_path / "a.mlmodel", capsys)
    assert status == 0
    assert "pooling 1" in text
    assert "cannot be run here: layer r (pooling): type 55" in text


def test_a_pointer_in_the_place_of_weights(
    programs: list[dict[str, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.mlpackage"
    where = "Data/com.apple.CoreML/weights/weight.bin"
    lay({**programs[0], where: POINTER * 2}, path)
    text = inspected(path, capsys)[1]
    assert "cannot be run here: " in text
    assert "missing: weights/weight.bin is a Git LFS pointer: git lfs pull" in text
    lay({name: data for name, data in programs[0].items() if name != where}, path)
    assert "missing: weights/weight.bin is not there" in inspected(path, capsys)[1]
    for name, at in ((SPEC, path), (None, tmp_path / "a.mlmodel")):
        if name:
            lay({**programs[0], name: POINTER}, path)
        else:
            at.write_bytes(POINTER)
        status, text = inspected(at, capsys)
        assert status == 2
        assert "git lfs pull" in text


# ------------------------------------------------------------------------------------------- notes
@pytest.mark.parametrize("deep", ["[" * 50_000, '{"a":' * 50_000, "1" * 5000, "\ud800"])
def test_notes_in_metadata(deep: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.ModelProto.FromString(graphs()[0])
    del model.metadata_props[:]
    for key in ("task", "options", "labels", "vocabulary"):
        if deep == "\ud800":
            continue
        model.metadata_props.add(key=f"lading.{key}", value=deep)
    onnx.save(model, tmp_path / "a.onnx")
    assert inspected(tmp_path / "a.onnx", capsys)[0] == 0
    if deep != "\ud800":
        with pytest.raises(ProgramError, match=r"a\.onnx"):
            open_artifact(tmp_path / "a.onnx").noted()


# ------------------------------------------------------------------------------------------ arrays
HEADERS: dict[str, str] = {
    "373 GiB": "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000,)}",
    "2 PiB of text": "{'descr': '<U9', 'fortran_order': False, 'shape': (60000000000000,)}",
    "below nothing": "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}",
    "deep": "(" * 9000,
    "unfinished": "{'descr': '<f4'",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "no type": "{'descr': '<q99', 'fortran_order': False, 'shape': (1,)}",
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_array_that_claims_to_be_another(name: str, tmp_path: Path) -> None:
    text = HEADERS[name].encode() + b"\n"
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16))
    with pytest.raises(InputError, match=r"x\.npy"):
        pictures.read_array(path)


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for data in (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\xff" * 40, b"BM" + b"\xff" * 60, b""):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"x\.png"):
            pictures.read(path, 1)


# ------------------------------------------------------------------------------ bills and golden
@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"schema": ' + b"[" * 900 + b"]" * 900 + b"}", b"\xff", b"null", b""]
)
def test_a_bill_that_is_none(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "lading.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"lading\.json"):
        sheet.read(tmp_path)
    (tmp_path / "index.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"index\.json"):
        index.load(tmp_path)


# ------------------------------------------------------------------------------------ the terminal
def test_names_in_a_file_do_not_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "\x1b]0;owned\x07[bold]a[/nothing]\n  PASS \u202egnp"
    nodes = [make("Relu", ["x"], [nasty])]
    path = onnx_file(tmp_path / "a.onnx", nodes, [port("x")], [port(nasty)], ir_version=8)
    np.save(tmp_path / "x.npy", np.ones(1, np.float32))
    for command in (["inspect", str(path)], ["run", str(path), "--input", str(tmp_path / "x.npy")],
                    ["inspect", str(path), "--json"]):  # fmt: skip
        assert cli.main(command) == 0
        text = capsys.readouterr().out
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "[bold]a[/nothing]" in text
        assert not any(line.startswith("  PASS") for line in text.splitlines())


def test_a_device_is_no_place_for_a_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(os.devnull).stat()
    (tmp_path / "a.onnx").write_bytes(graphs()[0])
    for out in (os.devnull, str(tmp_path)):
        assert cli.main(["run", str(tmp_path / "a.onnx"), "--input", "1", "-o", out]) == 2
        assert "choose another -o" in capsys.readouterr().err
    assert Path(os.devnull).stat().st_rdev == before.st_rdev
    with pytest.raises(LadingError):
        open_artifact(Path(os.devnull))
