"""How a network is had is said alike to every verb: one of several networks in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import lading
from lading import cli
from lading.errors import RequestError
from lading.job.inspect import Inspection
from lading.job.request import Inspect
from lading.job.source import source
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.page.repeat import repeat
from lading.record import Bill

SAID: dict[str, Any] = {"set": {"image_size": 8, "num_heads": 2}}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trainer's file: the network's weights, and their average, both of them drawn."""
    torch.manual_seed(0)
    states = []
    for _ in range(2):
        module = UNet(
            Config(
                in_channels=1, out_channels=1, model_channels=32, num_res_blocks=1,
                channel_mult=(1,), attention_resolutions=(),
            )
        )  # fmt: skip
        states.append({n: 0.05 * torch.randn(v.shape) for n, v in module.state_dict().items()})
    path = tmp_path_factory.mktemp("several") / "run.pt"
    torch.save({"run": {"model": states[0], "ema": states[1]}, "step": 7}, path)
    return path


@pytest.fixture(scope="module")
def made(several: Path) -> tuple[Bill, Path]:
    out = several.parent / "out"
    bill = lading.convert(
        several, out, which="run.model", to="onnx", trajectory=0, route="trace", **SAID
    )
    return bill, out / bill.artifacts[0].path


def test_the_bill_and_repeat_it_say_which(made: tuple[Bill, Path], several: Path) -> None:
    bill, _ = made
    assert bill.verdict == "pass"
    assert "took 'run.model', as asked" in bill.checkpoint.steps
    command = repeat(bill).command
    assert " --which run.model" in command
    assert "--set image_size=8 --set num_heads=2" in command


def test_every_verb_takes_the_one_that_is_named(made: tuple[Bill, Path], several: Path) -> None:
    _, artifact = made
    said = {**SAID, "which": "run.model"}
    assert lading.verify(artifact, several, trajectory=0, **said).verdict == "pass"
    assert lading.compare(several, artifact, **said).verdict == "pass"
    for more in ({"which": "run.model"}, said):  # the tensors alone, and the network rebuilt
        assert lading.whose(artifact, several, **more).owner is not None
    drawn = lading.sample(artifact, against=several, steps=2, **said)
    assert drawn.summary["against"]["passed"]
    assert drawn.written == ()
    looked = lading.inspect(several, **said)
    assert isinstance(looked, Inspection)
    assert looked.refused == ""


def test_by_itself_it_is_the_average(made: tuple[Bill, Path], several: Path) -> None:
    _, artifact = made
    assert lading.verify(artifact, several, trajectory=0, **SAID).verdict == "fail"
    assert lading.whose(artifact, several).owner is None
    drawn = lading.sample(artifact, against=several, steps=2, **SAID)
    assert not drawn.summary["against"]["passed"]


def test_what_can_be_named_is_told(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("inspect", "convert", "sample", "classify"):
        assert cli.main([verb, str(several), "--which", "run.net", "--json"]) == 2
        told = json.loads(capsys.readouterr().out)
        assert told["subject"] == "--which run.net"
        assert told["found"].endswith("at hand: run.ema, run.model")


def test_an_artifact_is_not_read_as_a_checkpoint(made: tuple[Bill, Path]) -> None:
    _, artifact = made
    for verb in (lading.inspect, lading.classify, lading.sample):
        with pytest.raises(RequestError) as caught:
            verb(artifact, which="run.model", fold=0)
        assert caught.value.subject == "--which --fold"
    with pytest.raises(RequestError):
        lading.compare(artifact, artifact, config="c.yml")


def test_one_record_holds_all_that_was_said(tmp_path: Path) -> None:
    (tmp_path / "a.npy").touch()
    (tmp_path / "net.py").touch()
    asked = Inspect(
        "c.pth", set="a=1", which="ema", fold=3, config="c.yml", settle_with=tmp_path,
        model=f"{tmp_path}/net.py:make", input="x:float32[1]",
    )  # fmt: skip
    had = source(asked, "d.pth")
    assert (had.path, had.which, had.fold, had.given) == (Path("d.pth"), "ema", "3", {"a": "1"})
    assert (had.config, had.settle) == (Path("c.yml"), (tmp_path / "a.npy",))
    assert had.code is not None
    assert had.code.origin == "net.py:make"
    with pytest.raises(RequestError) as caught:
        source(Inspect("c.pth", input="x:float32[1]"), "c.pth")
    assert caught.value.found == "no --model"
