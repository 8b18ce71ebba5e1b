"""``lading compare``: two files beside each other, and one value in both."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from lading import cli
from lading.conversion.capture import capture
from lading.formats.onnx import FORMAT
from lading.interface.settings import Settings
from tests import toys


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "net.onnx"
    FORMAT.convert(capture(toys.interface(), "export"), Settings(), path)
    return path


@pytest.fixture(scope="module")
def wrong(right: Path) -> Path:
    model = onnx.load(str(right))
    node = [n for n in model.graph.node if n.op_type == "LeakyRelu"][1]
    node.attribute[0].f = 0.3
    path = right.with_name("wrong.onnx")
    onnx.save(model, str(path))
    return path


def test_the_same_twice(right: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(right), str(right)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("PASS")
    assert "psnr equal at" in shown


def test_one_that_differs_and_the_value_where_it_does(
    right: Path, wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(right), str(wrong), "--stop-at", "conv2d"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("FAIL")
    assert "LeakyRelu" in shown
    assert "relative L2 0" in shown  # the value before it is one and the same
    assert shown.count("Conv conv2d 1×") == 2


def test_json_lists_the_stations(
    right: Path, wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(right), str(wrong), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "fail"
    assert told["walk"]["aligned"] == len(told["walk"]["stations"]) > 2


def test_a_name_that_nobody_has_ends_with_two(
    right: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(right), str(right), "--stop-at", "nowhere"]) == 2
    assert "no value of that name on either side" in capsys.readouterr().err


def test_two_checkpoints_end_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "a.pth", "b.pth"]) == 2
    assert "two checkpoints" in capsys.readouterr().err
