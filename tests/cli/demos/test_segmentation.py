"""`lading demo`: the embedded checkpoint all the way, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lading import cli
from lading.cli.demos import segmentation


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "lading-demo"
    assert cli.main(["demo", "-o", str(folder), "--quiet"]) == 0
    return folder


def test_the_bill_passes_with_every_phantom_as_a_probe(out: Path) -> None:
    bill = json.loads((out / "lading.json").read_text())
    assert bill["verdict"] == "pass"
    assert sum(probe["kind"] == "data" for probe in bill["probes"]) == 4
    assert {c["runtime"] for c in bill["comparisons"] if c["verdict"] == "pass"} == {
        "mil",
        "onnxruntime",
    }
    assert bill["task"]["labels"] == ["background", "LeftVentricle", "Myocardium"]


def test_the_picture_shows_five_columns_of_every_phantom(out: Path) -> None:
    with Image.open(out / segmentation.PICTURE) as page:
        assert page.width > 5 * 160
        assert page.height > 4 * 160
        colours = {colour for _, colour in page.convert("RGB").getcolors(1 << 20)}
    assert {(230, 159, 0), (86, 180, 233)} <= colours  # ventricle and myocardium were found


def test_again_in_the_same_folder(out: Path) -> None:
    before = (out / "Phantoms.onnx").read_bytes()
    assert cli.main(["demo", "-o", str(out), "--quiet"]) == 0
    assert (out / "Phantoms.onnx").read_bytes() == before


def test_the_shipped_files_are_small() -> None:
    assert segmentation.CHECKPOINT.stat().st_size <= 3_000_000
