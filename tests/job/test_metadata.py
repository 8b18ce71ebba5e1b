"""What a file's description says with no arithmetic behind it: the order of colours, the scale and
bias of a picture, the order of classes. Changed, none passes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from coremltools.proto import Model_pb2

from lading import cli

NET = """
import torch

def make():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 6, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(6, 4))
"""
OWN = ["--input", "image:float32[1,3,16,16]@0..1", "--model"]
PICTURE = ["--input-image", "rgb", "--scale", "0.00784313725", "--bias=-1,-0.9,-0.8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    (folder / "net.py").write_text(NET)
    made: dict[str, Any] = {}
    exec(NET, made)
    torch.save(made["make"]().state_dict(), folder / "weights.pt")
    words = ["--to", "coreml", "--to", "mlmodel", *PICTURE, *OWN, f"{folder / 'net.py'}:make"]
    out = ["-o", str(folder / "out"), "--name", "net", "--quiet"]
    assert cli.main(["convert", str(folder / "weights.pt"), *out, *words]) == 0
    return folder


def verified(folder: Path, artifact: Path, *more: str) -> int:
    words = ["--against", str(folder / "weights.pt"), "--quiet", "-o", "-", *more]
    return cli.main(["verify", str(artifact), *words, *OWN, f"{folder / 'net.py'}:make"])


def edited(artifact: Path, out: Path, edit: Callable[[Any], None]) -> Path:
    """A copy with its description changed."""
    copy = out / artifact.name
    if artifact.is_dir():
        shutil.copytree(artifact, copy)
    else:
        shutil.copy(artifact, copy)
    (file,) = copy.rglob("*.mlmodel") if copy.is_dir() else (copy,)
    spec = Model_pb2.Model()
    spec.ParseFromString(file.read_bytes())
    edit(spec)
    file.write_bytes(spec.SerializeToString())
    return copy


def blue_first(spec: Any) -> None:
    spec.description.input[0].type.imageType.colorSpace = 30  # BGR


def other_bias(spec: Any) -> None:
    spec.neuralNetwork.preprocessing[0].scaler.redBias += 0.1


def other_scale(spec: Any) -> None:
    spec.neuralNetwork.preprocessing[0].scaler.channelScale *= 1.02


@pytest.mark.parametrize("suffix", [".mlpackage", ".mlmodel"])
def test_the_order_of_colours(suffix: str, folder: Path, tmp_path: Path) -> None:
    right = folder / "out" / f"net{suffix}"
    assert verified(folder, right) == 0
    assert verified(folder, edited(right, tmp_path, blue_first)) != 0


@pytest.mark.parametrize("edit", [other_bias, other_scale])
def test_scale_and_bias_of_a_picture(
    edit: Callable[[Any], None], folder: Path, tmp_path: Path
) -> None:
    right = folder / "out/net.mlmodel"
    spec = Model_pb2.Model()
    spec.ParseFromString(right.read_bytes())
    if not spec.neuralNetwork.preprocessing:
        pytest.skip("scale and bias are operations of the file, which every probe runs")
    assert verified(folder, edited(right, tmp_path, edit)) == 1


def test_scale_and_bias_that_are_said_beside_it(folder: Path) -> None:
    """Another scale than the file has is another network."""
    said = ["--input-image", "rgb", "--scale", "0.008", "--bias=-1,-0.9,-0.8"]
    assert verified(folder, folder / "out/net.mlpackage", *said) == 1
