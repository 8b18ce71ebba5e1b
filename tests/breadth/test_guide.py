"""The guide's words for networks of other people's libraries, run as they stand there.

The libraries are none of lading's: what is not installed is skipped; `make breadth` runs these with
all of them.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import tests.breadth.vision  # noqa: F401  # before what imports torchvision
from lading import cli

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
NET = """
import torch
from torch import nn
{more}

class {name}({base}):
    def __init__(self, width=8):
        super().__init__()
        first, last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 2, 1)
        self.body = nn.Sequential(first, nn.ReLU(), last)

    def forward(self, x):
        return self.body(x)
"""
IMAGE = "x:float32[1,3,32,32]"


def words(kind: str) -> list[str]:
    """What the guide's table says for a kind of network, behind ``lading convert FILE``."""
    found = re.search(rf"^\| {re.escape(kind)}[^|]*\| (.*) \|$", GUIDE.read_text(), re.MULTILINE)
    assert found, kind
    told = re.findall(r"`([^`]*)`", found[1])[0].removeprefix("lading convert FOLDER ")
    return shlex.split(told.replace(" …", ""))


def alive(module: nn.Module) -> nn.Module:
    """Norms that have seen data, as those of a network that was trained."""
    torch.manual_seed(1)
    for one in module.modules():
        if isinstance(one, (nn.BatchNorm2d, nn.BatchNorm3d)):
            assert one.running_mean is not None
            assert one.running_var is not None
            one.running_mean.uniform_(-0.2, 0.2)
            one.running_var.uniform_(0.5, 1.5)
    return module.eval()


def written(folder: Path, name: str, base: str = "nn.Module", more: str = "") -> None:
    (folder / "models").mkdir(exist_ok=True)
    code = NET.format(name=name, base=base, more=more)
    (folder / "models" / "net.py").write_text(code)
    (folder / "net.py").write_text(code)


def body(width: int) -> dict[str, torch.Tensor]:
    """The tensors of the network in the file."""
    torch.manual_seed(0)
    module = nn.Module()
    first, last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 2, 1)
    module.body = nn.Sequential(first, nn.ReLU(), last)
    return module.state_dict()


def plain(folder: Path) -> tuple[str, list[str]]:
    written(folder, "Net")
    torch.save(body(32), folder / "net.pth")
    return "net.pth", ["--input", IMAGE]


def timm(folder: Path) -> tuple[str, list[str]]:
    made = pytest.importorskip("timm").create_model("resnet18")
    torch.save(alive(made).state_dict(), folder / "resnet.pth")
    return "resnet.pth", ["--input", "x:float32[1,3,64,64]"]


def monai(folder: Path) -> tuple[str, list[str]]:
    networks = pytest.importorskip("monai.networks.nets")
    more = {"out_channels": 2, "channels": (4, 8), "strides": (2,)}
    torch.save(
        alive(networks.UNet(spatial_dims=3, in_channels=1, **more)).state_dict(), folder / "u.pth"
    )
    told = [word for name, value in more.items() for word in
            ("--model-arg", f"{name}={value}".replace(" ", ""))]  # fmt: skip
    return "u.pth", [*told, "--input", "x:float32[1,1,16,16,16]"]


def transformers(folder: Path) -> tuple[str, list[str]]:
    library = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = library.BertConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=24,
    )  # fmt: skip
    library.BertModel(config).eval().save_pretrained(folder / "bert")
    return "bert", ["--input", "input_ids:int32[1,9]@0..39"]


def lightning(folder: Path) -> tuple[str, list[str]]:
    library = pytest.importorskip("lightning")
    written(folder, "Segmenter", "lightning.LightningModule", "import lightning")
    kept = {"state_dict": body(8), "pytorch-lightning_version": library.__version__,
            "hyper_parameters": {"width": 8}, "epoch": 3, "global_step": 30}  # fmt: skip
    torch.save(kept, folder / "last.ckpt")
    return "last.ckpt", ["--input", IMAGE]


KINDS: dict[str, Callable[[Path], tuple[str, list[str]]]] = {
    "a plain repository": plain,
    "timm": timm,
    "MONAI": monai,
    "a folder of transformers": transformers,
    "Lightning's": lightning,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_of_the_guide_carry_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, more = KINDS[kind](tmp_path)
    told = ["convert", path, *words(kind), *more, "-o", "out", "--to", "onnx", "--quiet"]
    try:
        status = cli.main(told)
    finally:
        for name in ("net", "models", "models.net"):
            sys.modules.pop(name, None)
    bill = json.loads((tmp_path / "out" / "lading.json").read_text())
    assert (status, bill["verdict"]) == (0, "pass"), [c["reason"] for c in bill["comparisons"]]
    assert bill["ledger_summary"]["unexplained"] == 0
