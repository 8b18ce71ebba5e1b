"""``lading whose``: one, or none, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from lading import cli


def weights(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(6, 5, generator=generator), "b": torch.randn(7, generator=generator)}


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    stored = [numpy_helper.from_array(v.numpy(), k) for k, v in weights(0).items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_read"]) for name in weights(0)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], stored)), str(path))
    return path


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[str]:
    paths = [tmp_path / name for name in ("theirs.pth", "mine.pth")]
    torch.save(weights(1), paths[0])
    torch.save(weights(0), paths[1])
    return [str(path) for path in paths]


def test_it_names_the_one(
    artifact: Path, checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["whose", str(artifact), *checkpoints]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert f"wasmadefrom{checkpoints[1]}" in shown
    assert "sameweights" not in shown
    assert "samearchitecture,otherweights" in shown


def test_it_names_none(
    artifact: Path, checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["whose", str(artifact), checkpoints[0]]) == 1
    assert "made from none of these" in " ".join(capsys.readouterr().out.split())


def test_json_holds_the_evidence(
    artifact: Path, checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["whose", str(artifact), *checkpoints, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["made_from"] == checkpoints[1]
    findings = [one["finding"] for one in told["provenance"]]
    assert findings == ["same architecture, other weights", "made from this checkpoint"]
    fates = {one["name"]: one["fate"] for one in told["provenance"][1]["constants"]}
    assert fates == {"a": "identical", "b": "identical"}


def test_a_file_that_is_not_there_ends_with_two(
    checkpoints: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["whose", str(tmp_path / "none.onnx"), checkpoints[0]]) == 2
    assert "remedy" in capsys.readouterr().err
