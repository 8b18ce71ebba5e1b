"""Targets by name, by file, and the systems they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.errors import RequestError
from lading.formats import artifact_target, target, targets
from lading.interface.settings import DEPLOYMENTS, deployment


def test_the_shelf() -> None:
    assert {name: one.suffix for name, one in targets().items()} == {
        "coreml": ".mlpackage",
        "mlmodel": ".mlmodel",
        "onnx": ".onnx",
    }
    assert target("onnx").name == "onnx"


def test_an_unknown_target() -> None:
    with pytest.raises(RequestError) as caught:
        target("tflite")
    assert str(caught.value) == (
        "--to tflite\n  found     'tflite'\n  expected  coreml or mlmodel or onnx\n"
        "  remedy    use --to coreml"
    )


@pytest.mark.parametrize(("name", "kind"), [("a.onnx", "onnx"), ("b.ONNX", "onnx"),
                                            ("a.mlpackage", "coreml")])  # fmt: skip
def test_an_artifacts_target_is_its_suffix(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).touch()
    assert artifact_target(tmp_path / name).name == kind


def test_what_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        artifact_target(tmp_path / "a.onnx")
    assert caught.value.found == "no such file"
    (tmp_path / "a.pth").touch()
    with pytest.raises(RequestError) as caught:
        artifact_target(tmp_path / "a.pth")
    assert str(caught.value) == (
        f"{tmp_path / 'a.pth'}\n"
        "  found     suffix '.pth'\n"
        "  expected  an artifact: .mlpackage or .mlmodel or .onnx\n"
        "  remedy    convert the checkpoint first: lading convert PATH"
    )


@pytest.mark.parametrize("known", DEPLOYMENTS)
def test_deployments(known: str) -> None:
    assert deployment(known.lower().replace("os", "os ")) == known


@pytest.mark.parametrize("text", ["iOS14", "16", "", "watchOS9", "iOS16.1", "macOS11"])
def test_unknown_deployments(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        deployment(text)
    assert caught.value.expected == "--ios 15, 16, 17, 18 or --macos 12, 13, 14, 15"
