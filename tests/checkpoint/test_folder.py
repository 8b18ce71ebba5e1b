"""nnU-Net's model folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lading.checkpoint import read
from lading.errors import CheckpointError, RequestError


def fold(home: Path, name: str, *stages: str) -> Path:
    folder = home / f"fold_{name}"
    folder.mkdir(parents=True)
    for at, stage in enumerate(stages):
        torch.save(
            {"network_weights": {"w": torch.tensor([at])}}, folder / f"checkpoint_{stage}.pth"
        )
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "Dataset027" / "nnUNetTrainer__nnUNetPlans__2d"
    home.mkdir(parents=True)
    (home / "plans.json").write_text(json.dumps({"plans_name": "nnUNetPlans"}))
    (home / "dataset.json").write_text(json.dumps({"labels": {"background": 0}}))
    return home


def test_the_only_fold_and_its_final_checkpoint(home: Path) -> None:
    fold(home, "0", "best", "final", "latest")
    (home / "fold_1").mkdir()  # a fold that was never trained
    checkpoint = read(home)
    assert checkpoint.tensors["w"].item() == 1
    assert checkpoint.record.path == str(home / "fold_0" / "checkpoint_final.pth")
    assert checkpoint.sides == {
        "plans.json": {"plans_name": "nnUNetPlans"},
        "dataset.json": {"labels": {"background": 0}},
    }
    assert checkpoint.record.steps[:2] == (
        "took fold 0, the only one",
        "took checkpoint_final.pth of fold_0 (--which takes the others: best, latest)",
    )
    assert checkpoint.record.steps[-1] == "read dataset.json beside it"
    assert read(home, which="best").tensors["w"].item() == 0
    assert read(home / "fold_0").tensors["w"].item() == 1
    assert read(home / "fold_0" / "checkpoint_latest.pth").sides == checkpoint.sides


def test_only_a_best_checkpoint(home: Path) -> None:
    fold(home, "all", "best")
    assert "took checkpoint_best.pth of fold_all" in read(home).record.steps
    with pytest.raises(CheckpointError) as caught:
        read(home, which="final")
    assert caught.value.found == "no checkpoint_final.pth, but best"
    assert caught.value.remedy == "use --which best"


def test_several_folds(home: Path) -> None:
    fold(home, "0", "final")
    fold(home, "3", "best", "final")
    with pytest.raises(RequestError) as caught:
        read(home)
    assert caught.value.found == "several folds: 0, 3"
    assert caught.value.remedy == "use --fold 0"
    assert read(home, fold="3").tensors["w"].item() == 1
    assert read(home, fold="fold_3").tensors["w"].item() == 1
    with pytest.raises(CheckpointError, match="no fold 2, but 0, 3"):
        read(home, fold="2")


def test_a_folder_of_model_folders(home: Path) -> None:
    fold(home, "0", "final")
    with pytest.raises(CheckpointError) as caught:
        read(home.parent)
    assert caught.value.found == f"a folder of model folders: {home.name}"
    assert caught.value.remedy == f"give {home}"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path)
    assert caught.value.found == "a folder without a checkpoint"
    (tmp_path / "Manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="a Core ML package"):
        read(tmp_path)


def test_a_side_file_that_is_no_json(home: Path) -> None:
    fold(home, "0", "final")
    (home / "plans.json").write_text("{broken")
    with pytest.raises(CheckpointError, match="no readable JSON") as caught:
        read(home)
    assert caught.value.subject == str(home / "plans.json")


def test_json_beside_a_file_outside_a_model_folder_is_left_alone(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "m.pth")
    (tmp_path / "dataset.json").write_text("{}")
    assert read(tmp_path / "m.pth").sides == {}
