"""The pages for a researcher, an app developer and an engineer: from an empty folder with what the
page takes for granted in it, every command and every Python block in the order of the page."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading import cli
from lading import page as report

PAGES = Path(__file__).parent.parent / "docs/for"

NET = """
import torch

def make():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4, 2))
"""


def blocks(name: str, language: str = "") -> list[str]:
    text = (PAGES / name).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(name: str) -> list[list[str]]:
    lines = [line for block in blocks(name) for line in block.splitlines()]
    assert all(line.startswith("lading ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


def ran(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    status = cli.main(words)
    shown = capsys.readouterr()
    assert status == 0, shown.out + shown.err
    return shown.out


def picture(path: Path, seed: int, size: int = 32) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def folder(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the checkpoint and pictures; the researcher leaves the artifacts in it."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copy(small_checkpoint, folder / "checkpoint_best.pth")
    for number, name in enumerate(("pictures", "more")):
        (folder / name).mkdir()
        picture(folder / name / "a.png", number)
    picture(folder / "echo.png", 7)
    return folder


def test_a_researcher(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    inspect, convert, verify, run = commands("researcher.md")
    shown = ran(inspect, capsys)
    assert "nnU-Net v2" in shown
    assert "tensors" in shown
    shown = ran(convert, capsys)
    assert shown.startswith("PASS  both files give what the original gives")
    assert {"CAMUS.mlpackage", "CAMUS.onnx", "lading.json", "report.html", "golden"} <= {
        path.name for path in Path("out").iterdir()
    }
    assert any("a.png" in probe.source for probe in report.read(Path("out")).probes)
    assert ran(verify, capsys).startswith("PASS")
    assert report.read(Path("checked")).verdict == "pass"
    assert "background" in ran(run, capsys)
    seen()


def seen() -> None:
    """The class numbers and their drawing, as a reader of the page looks at them."""
    labels = np.asarray(Image.open("labels.png"))
    assert labels.shape == (32, 32)
    assert set(np.unique(labels)) <= {0, 1, 2}
    with Image.open("drawn.png") as page:
        drawn = page.convert("RGB")
    assert drawn.height > drawn.width  # the legend stands below
    shown = {colour for _, colour in drawn.getcolors(1 << 20) or []}
    assert {(0, 0, 0), (230, 159, 0), (86, 180, 233)} <= shown


def test_an_app_developer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    if not Path("out").exists():
        pytest.skip("the researcher's way failed")
    for suffix in ("mlpackage", "onnx"):
        Path(f"out/CAMUS.{suffix}").rename(f"Model.{suffix}")
    inspect, whose, run, verify, compare = commands("app-developer.md")
    assert "float32" in ran(inspect, capsys)
    assert "made from" in ran(whose, capsys)
    ran(run, capsys)
    seen()
    assert ran(verify, capsys).startswith("PASS")
    ran(compare, capsys)
    (block,) = blocks("app-developer.md", "python")
    given: dict[str, Any] = {"array": np.zeros((1, 1, 32, 32), np.float32)}
    exec(block, given)  # the page's own words
    assert given["outputs"]


def test_an_engineer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    made: dict[str, Any] = {}
    exec(NET, made)
    torch.save(made["make"]().state_dict(), "weights.pt")
    (convert,) = commands("engineer.md")
    assert ran(convert, capsys).startswith("PASS")
    (block,) = blocks("engineer.md", "python")
    block = block.replace('"out"', '"again"')
    given: dict[str, Any] = {"net": made["make"]().eval(), "example": torch.rand(1, 3, 64, 64)}
    exec(block, given)
    assert given["bill"].verdict == "pass"
