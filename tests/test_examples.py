"""The help of every command: it fits a screen, and its examples are run as they stand.

Each example runs in a folder that holds the files it names. A command whose example names a file
that nobody makes here fails, so that a new command brings its files along.
"""

from __future__ import annotations

import io
import itertools
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading import cli
from lading.cli import commands as command
from lading.job.request import Swift
from lading.job.swift import swift
from lading.record import to_json
from tests import bills
from tests.app.packages import device_log
from tests.page.test_diff import retrained

SCREEN = (50, 80)
#: One that has twice as many options as any other, each with its meaning and its default.
TALL = {"convert": 64}
#: What an example ends with where that is not 0: bills that differ.
STATUS = {"diff": 1}
#: The whole demonstration, which its own test runs by the same words.
ELSEWHERE = {"lading demo": Path(__file__).parent / "cli" / "demos" / "test_segmentation.py"}
EXAMPLES = [
    (name, line)
    for name, one in command.commands().items()
    for line in one.examples
    if line not in ELSEWHERE
]


@pytest.mark.parametrize("name", command.commands())
def test_help_fits_a_screen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= TALL.get(name, SCREEN[0])
    assert max(map(len, lines)) <= SCREEN[1]
    assert len(command.commands()[name].examples) >= 2
    for example in command.commands()[name].examples:
        assert f"  {example}" in lines
    options = {
        word for line in lines for word in line.replace(",", " ").split() if word[:2] == "--"
    }
    assert {"--json", "--quiet", "--help"} <= options


def test_the_help_of_all_fits_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 34
    assert max(map(len, lines)) <= SCREEN[1]
    for name in command.commands():
        assert any(line.strip().startswith(f"{name} ") for line in lines)


def test_what_is_run_elsewhere_is_run() -> None:
    for path in ELSEWHERE.values():
        assert 'cli.main(["demo", "-o"' in path.read_text(encoding="utf-8")


# ------------------------------------------------------------------- files that examples name
@pytest.fixture(scope="module")
def segmentation(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("segmentation") / "out"
    words = ["convert", str(small_checkpoint), "-o", str(out), "--name", "Model", "--quiet"]
    assert cli.main(words) == 0
    shutil.copy(small_checkpoint, out / "checkpoint_best.pth")
    contents = torch.load(small_checkpoint, weights_only=False)
    for number in range(2):
        torch.save(contents, out / f"fold_{number}.pth")
        contents["network_weights"]["decoder.seg_layers.1.weight"].mul_(1.5)
    return out


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lading.network.families.keyboard_layout.network import BasicCNN, BasicPlan

    torch.manual_seed(0)
    module = BasicCNN(BasicPlan(189, 8, (8, 8), (3, 3), 1, 9))
    with torch.no_grad():  # as sure of itself as a trained network
        module.fc.weight.mul_(30)
    folder = tmp_path_factory.mktemp("layout")
    torch.save(module.state_dict(), folder / "layout.pth")
    words = ["convert", str(folder / "layout.pth"), "-o", str(folder / "out"), "--quiet"]
    assert cli.main([*words, "--name", "LayoutClassifier"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lading.network.families.guided_diffusion.network import Config, UNet

    torch.manual_seed(0)
    shape = Config(in_channels=1, out_channels=1, model_channels=32, num_res_blocks=1,
                   channel_mult=(1,), attention_resolutions=())  # fmt: skip
    module = UNet(shape)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.05 * torch.randn(value.shape))
    folder = tmp_path_factory.mktemp("diffusion")
    contents = {"model": module.state_dict(), "args": {"image_size": 8}}
    torch.save(contents, folder / "diffusion.pt")
    words = ["convert", str(folder / "diffusion.pt"), "-o", str(folder / "out"), "--name", "Model"]
    assert cli.main([*words, "--to", "coreml", "--precision", "fp32", "--quiet"]) == 0
    for name in ("diffusion.pt", "unet.pt"):
        shutil.copy(folder / "diffusion.pt", folder / "out" / name)
    return folder / "out"


def picture(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 36), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def pictures(path: Path) -> None:
    path.mkdir()
    for name in "ab":
        picture(path / f"{name}.png")


def mask(path: Path) -> None:
    pixels = np.zeros((40, 36), dtype=np.uint8)
    pixels[:20] = 255
    Image.fromarray(pixels).save(path)


def bill(one: Any) -> Callable[[Path], None]:
    return lambda path: path.write_text(json.dumps(to_json(one())), encoding="utf-8")


def folder_of(one: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.mkdir()
        bill(one)(path / "lading.json")

    return write


NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        return self.conv(x)
"""


def weights(path: Path) -> None:
    torch.save({"conv.weight": torch.randn(2, 3, 3, 3), "conv.bias": torch.randn(2)}, path)


MADE: dict[str, Callable[[Path], None]] = {
    "net.py": lambda path: path.write_text(NET) and None,
    "net.pth": weights,
    "echo.png": picture,
    "a.png": picture,
    "pictures": pictures,
    "b.png": mask,
    "x.npy": lambda path: np.save(path, np.zeros((1, 1, 32, 32), dtype=np.float32)),
    "lading.json": bill(bills.full),
    "before": folder_of(bills.full),
    "after": folder_of(retrained),
}


#: What is made of the folder that a conversion wrote.
OF_A_RESULT: dict[str, Callable[[Path, Path], None]] = {
    "out": lambda result, path: shutil.copytree(result, path) and None,
    "Package": lambda result, path: swift(Swift(result, path)) and None,
    "device.log": lambda result, path: path.write_text(device_log(result, "all", 0.0002)) and None,
}


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_the_examples_run(
    name: str,
    example: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, *words = shlex.split(example)
    assert program == "lading"
    _place(name, words, request, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("ghbdtn\nпривет\n".encode())))
    status = cli.main(words)
    shown = capsys.readouterr()
    assert status == STATUS.get(name, 0), shown.out + shown.err
    assert "\x1b" not in shown.out
    assert "Warning" not in shown.err
    assert "U+000A" not in shown.out + shown.err  # a line's end that was taken for a stranger's
    if "--json" in words:
        assert shown.err == ""
        documents = shown.out.splitlines() if name == "classify" else [shown.out]
        assert all(json.loads(one) is not None for one in documents)
    for option, value in itertools.pairwise(words):
        if option in ("-o", "--overlay"):
            assert Path(value).exists()


def _place(name: str, words: list[str], request: pytest.FixtureRequest, folder: Path) -> None:
    """Puts every file that the example names where it looks for it."""
    there = "layout" if name == "classify" else "diffusion" if name == "sample" else "segmentation"
    results = {
        value for option, value in itertools.pairwise(words) if option in ("-o", "--overlay")
    }
    for said in words[1:]:
        word = said.partition("=")[2] or said  # NAME=FILE
        word = word.split(":")[0] if ".py:" in word else word  # FILE.py:FACTORY
        top = Path(word).parts[0] if word else ""
        named = Path(word).suffix in (
            ".pth", ".pt", ".onnx", ".mlpackage", ".mlmodel", ".json", ".png", ".npy", ".csv",
            ".log", ".py",
        ) or top in ("golden", "before", "after", "out", "Package", "pictures")  # fmt: skip
        if not named or word in results or (folder / top).exists():
            continue
        if top in MADE:
            MADE[top](folder / top)
            continue
        result = request.getfixturevalue(there)
        if top in OF_A_RESULT:
            OF_A_RESULT[top](result, folder / top)
            continue
        source = result / top
        assert source.exists(), f"the example names {word}, which no fixture makes"
        if source.is_dir():
            shutil.copytree(source, folder / top)
        else:
            shutil.copy(source, folder / top)
