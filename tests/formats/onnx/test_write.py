"""ONNX files: what the ports say, equal numbers, the same bytes, nothing of this computer."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lading.conversion.capture import capture
from lading.errors import ConversionError, ProgramError
from lading.formats.onnx import FORMAT, pieces
from lading.formats.onnx.graph import MODULE_KEY
from lading.formats.onnx.write import OPEN
from lading.interface import Interface, Options, Sizes
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.record import ArtifactRecord
from tests.toys import interface, noise

ROUTES = ["export", "trace"]
SETTINGS = Settings(
    author="A. Author", license="CC0-1.0", description="a toy", facts={"lading.version": "0.1"}
)


def convert(
    one: Interface, path: Path, route: Any = "export", settings: Settings = SETTINGS
) -> ArtifactRecord:
    return FORMAT.convert(capture(one, route, FORMAT.axes(one.options)), settings, path)


def assert_equal(one: Interface, path: Path, x: Any) -> None:
    got = FORMAT.open(path).side().run({"image": x})
    expected = TorchSide(one).run({"image": x})
    for port in one.outputs:
        value, wanted = got[port.name], expected[port.name]
        assert (value.dtype, value.shape) == (np.dtype(port.dtype), wanted.shape)
        if port.dtype == "int32":
            assert (value == wanted).mean() > 0.99  # ties aside
        else:  # float32 sums in another order, of scores up to some tens
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("output", ["probabilities", "labels"])
def test_the_file_is_what_the_ports_say(tmp_path: Path, route: Any, output: Any) -> None:
    one = interface(Options(output, ("zscore",)))
    path = tmp_path / "net.onnx"
    record = convert(one, path, route)
    assert (record.format, record.path, record.precision) == ("onnx", "net.onnx", "fp32")
    assert (record.route, record.details["opset"]) == (route, "18")
    assert record.bytes == path.stat().st_size
    assert (record.inputs, record.outputs) == (one.inputs, one.outputs)
    said = FORMAT.open(path).record
    for mine, theirs in zip(
        (*one.inputs, *one.outputs), (*said.inputs, *said.outputs), strict=True
    ):
        assert (theirs.name, theirs.dtype, theirs.shape) == (mine.name, mine.dtype, mine.shape)
    assert said.sha256 == record.sha256
    assert_equal(one, path, 100 * noise((1, 1, 16, 16), 5))


@pytest.mark.parametrize(
    ("route", "opset"),
    [("export", 21), ("trace", 18), ("trace", 20)],
)
def test_the_opset_that_was_asked_for(tmp_path: Path, route: Any, opset: int) -> None:
    path = tmp_path / "net.onnx"
    record = convert(interface(), path, route, Settings(opset=opset))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {one.domain: one.version for one in model.opset_import}[""] == opset
    assert record.details["opset"] == str(opset)
    assert_equal(interface(), path, noise((1, 1, 16, 16)))


def test_an_opset_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    for route in ROUTES:
        with pytest.raises(ConversionError) as caught:
            convert(interface(), tmp_path / "net.onnx", route, Settings(opset=99))
        assert caught.value.expected == "a graph whose every operation ONNX opset 99 can say"
        assert caught.value.subject == f"ONNX by {route}"
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("route", ROUTES)
def test_open_axes(tmp_path: Path, route: Any) -> None:
    one = interface(Options("labels", ("zscore",), dynamic=("batch", "size")))
    path = tmp_path / "net.onnx"
    record = convert(one, path, route)
    assert record.inputs[0].ranges == ((1, OPEN), (1, 1), (2, OPEN), (2, OPEN))
    assert len(record.outputs[0].ranges) == len(record.outputs[0].shape)
    assert FORMAT.open(path).record.inputs[0].shape == (-1, 1, -1, -1)
    for shape in ((1, 1, 16, 16), (2, 1, 16, 16), (3, 1, 24, 40)):
        assert_equal(one, path, 50 * noise(shape))


@pytest.mark.parametrize(
    ("sizes", "ranges"),
    [
        (Sizes(listed=((8, 24), (32, 24))), ((1, 1), (1, 1), (8, 32), (16, 24))),
        (Sizes(ranges=((8, 32), (16, 16))), ((1, 1), (1, 1), (8, 32), (16, 16))),
    ],
)
def test_sizes(tmp_path: Path, sizes: Sizes, ranges: Any) -> None:
    one = interface(Options(sizes=sizes))
    path = tmp_path / "net.onnx"
    record = convert(one, path)
    assert record.inputs[0].ranges == ranges
    assert record.inputs[0].enumerated == ()
    for height, width in sizes.listed or ((8, 16), (32, 16)):
        assert_equal(one, path, noise((1, 1, height, width)))


def test_a_picture_arrives_as_the_array_of_its_values(tmp_path: Path) -> None:
    one = interface(Options(image="rgb", bake=("zscore",)), channels=3)
    path = tmp_path / "net.onnx"
    record = convert(one, path)
    assert (record.inputs[0].kind, record.inputs[0].color) == ("tensor", None)
    assert record.inputs[0].value_range == (0.0, 255.0)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    assert_equal(one, path, x)


@pytest.mark.parametrize("route", ROUTES)
def test_metadata(tmp_path: Path, route: Any) -> None:
    path = tmp_path / "net.onnx"
    convert(interface(), path, route)
    model = onnx.load(path)
    assert (model.producer_name, model.producer_version) == ("lading", "0.1")
    assert model.doc_string == "a toy"
    said = dict(FORMAT.open(path).record.details)
    assert said.pop("opset").startswith("ai.onnx ")
    assert "ConvTranspose 1" in said.pop("operations")
    assert said.pop("weights").endswith(" in fp32")
    assert said == {"author": "A. Author", "license": "CC0-1.0", "lading.version": "0.1"}
    convert(interface(), path, "trace", Settings())
    assert set(FORMAT.open(path).record.details) == {"opset", "operations", "weights"}


def test_nodes_keep_their_module_paths(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    convert(interface(Options("probabilities", ("zscore",))), path)
    paths = {
        node.op_type: prop.value
        for node in onnx.load(path).graph.node
        for prop in node.metadata_props
        if prop.key == MODULE_KEY
    }
    assert paths["ConvTranspose"] == "network.up"
    assert paths["Softmax"] == "head"
    assert paths["Sqrt"].startswith("prepare")


#: What would differ on another computer or another day.
FOREIGN = [
    str(Path.home()).encode(),
    str(Path(__file__).resolve().parents[3]).encode(),
    os.uname().nodename.encode() if hasattr(os, "uname") else b"\0",
    b"site-packages",
    b".py",
    b"/tmp/",
]
#: 2026-11-21, 21:45:10, and version-4 UUIDs.
CHANCE = re.compile(
    rb"20\d\d-[01]\d-[0-3]\d|[0-2]\d:[0-5]\d:[0-5]\d|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]",
    re.IGNORECASE,
)


def strip_weights(data: bytes) -> bytes:
    """The file without its numbers, which may spell anything."""
    model = onnx.load_model_from_string(data)
    for one in model.graph.initializer:
        one.ClearField("raw_data")
    return model.SerializeToString()


BAKED = Options("labels", ("zscore",), dynamic=("size",))


def test_the_same_bytes_here_and_in_another_process(tmp_path: Path) -> None:
    for name in "ab":
        for route in ROUTES:
            convert(interface(BAKED), tmp_path / f"{name}-{route}.onnx", route)
    code = (
        "from pathlib import Path; from tests.formats.onnx.test_write import *\n"
        "for route in ROUTES: convert(interface(BAKED), Path(f'c-{route}.onnx'), route)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=env, cwd=tmp_path, capture_output=True
    )
    for route in ROUTES:
        data, *others = ((tmp_path / f"{name}-{route}.onnx").read_bytes() for name in "abc")
        assert others == [data, data]
        bare = strip_weights(data)
        assert [word for word in FOREIGN if word in bare] == []
        assert CHANCE.findall(bare) == []


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model at all")
    with pytest.raises(ProgramError) as caught:
        FORMAT.open(tmp_path / "a.onnx")
    assert caught.value.expected == "an ONNX model"


def test_an_operation_that_onnx_cannot_say(tmp_path: Path) -> None:
    import dataclasses

    import torch
    from torch import nn

    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    one = dataclasses.replace(interface(), module=Odd())
    with pytest.raises(ConversionError) as caught:
        convert(one, tmp_path / "net.onnx")
    assert caught.value.subject == "ONNX by export"
    assert caught.value.remedy == "try the other route (--route), or a newer --opset"
    assert not (tmp_path / "net.onnx").exists()


def test_a_full_disk_is_no_fault_of_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pieces, "write", full)
    with pytest.raises(OSError, match="No space left"):
        convert(interface(), tmp_path / "m.onnx")


def test_what_the_checker_refuses_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Any) -> None:
        raise onnx.checker.ValidationError("no such operation")

    monkeypatch.setattr(onnx.checker, "check_model", refused)
    with pytest.raises(ConversionError, match="no such operation"):
        convert(interface(), tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]
