"""The Python verbs: light to import, typed, the same results as the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lading
from lading.api import ArtifactInspection, Inspection


def test_importing_lading_imports_neither_torch_nor_coremltools() -> None:
    code = "import lading, sys; print([n for n in ('torch', 'coremltools') if n in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="carry"):
        lading.carry  # noqa: B018


def test_inspect_convert_verify(small_checkpoint: Path, tmp_path: Path) -> None:
    looked = lading.inspect(small_checkpoint)
    assert isinstance(looked, Inspection)
    assert looked.recognition["features_per_stage"] == [8, 16, 32]
    assert looked.recognition["labels"] == ["background", "LeftVentricle", "Myocardium"]
    assert looked.summary is not None
    assert looked.summary.unexplained == 0
    stages: list[str] = []
    bill = lading.convert(
        small_checkpoint, tmp_path / "out", to=["onnx"], output="labels", bake=["zscore"],
        input_image="grayscale", progress=lambda stage, detail: stages.append(stage),
    )  # fmt: skip
    assert bill.verdict == "pass"
    assert stages[0] == "read"
    assert stages[-1] == "write"
    made = tmp_path / "out" / bill.artifacts[0].path
    shown = lading.inspect(made)
    assert isinstance(shown, ArtifactInspection)
    assert shown.artifact.outputs[0].shape == (1, 32, 32)
    assert lading.verify(made, small_checkpoint).verdict == "pass"


def test_inspect_shows_a_conflict_and_why_the_ledger_stays_open(
    altered: Callable[[Callable[[Any], None]], Path],
) -> None:
    def disagree(contents: Any) -> None:
        plans = contents["init_args"]["plans"]["configurations"]["2d"]
        plans["architecture"]["arch_kwargs"]["features_per_stage"] = [8, 16, 64]

    path = altered(disagree)
    looked = lading.inspect(path)
    assert isinstance(looked, Inspection)
    assert [c.name for c in looked.recognition.conflicts] == ["features_per_stage"]
    assert looked.summary is None
    assert "--set" in looked.refused
    settled = lading.inspect(path, set={"features_per_stage": "8,16,32"})
    assert isinstance(settled, Inspection)
    assert settled.refused == ""
    assert settled.recognition.conflicts[0].settled


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"to": ["tflite"]}, "--to tflite"),
        ({"ios": 12}, "--ios 12"),
        ({"shapes": "big"}, "--shapes big"),
        ({"shapes": "40x40"}, "--shapes 40x40"),
        ({"shapes": "33x32"}, "--shapes 33x32"),
        ({"input_image": "rgb", "bake": ["zscore"]}, "--input-image rgb"),
        ({"input_image": "grayscale"}, "--input-image grayscale"),
        ({"set": {"no_such": "1"}}, "no_such"),
        ({"data": "nowhere"}, "nowhere"),
    ],
)
def test_a_wrong_request_is_one_error_and_writes_nothing(
    options: dict[str, Any], subject: str, small_checkpoint: Path, tmp_path: Path
) -> None:
    if subject == "--shapes 40x40":  # a multiple of 4: right
        assert lading.convert(small_checkpoint, tmp_path / "ok", to=["onnx"], **options)
        return
    with pytest.raises(lading.LadingError) as caught:
        lading.convert(small_checkpoint, tmp_path / "out", **options)
    assert subject in caught.value.subject
    assert caught.value.exit_status == 2
    assert not (tmp_path / "out").exists()
