"""``lading sample``: its words, its JSON, and how it ends."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from lading.cli import main
from lading.job import sampling
from lading.network.families.guided_diffusion.network import Config, UNet


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    module = UNet(
        Config(
            in_channels=1, out_channels=1, model_channels=32, num_res_blocks=1,
            channel_mult=(1,), attention_resolutions=(),
        )
    )  # fmt: skip
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.05 * torch.randn(value.shape))
    path = tmp_path_factory.mktemp("checkpoint") / "ema.pt"
    torch.save(module.state_dict(), path)
    return path


def call(checkpoint, *more):
    return main(["sample", str(checkpoint), "--set", "image_size=8", *more])


def test_words(checkpoint, tmp_path, capsys):
    assert call(checkpoint, "--steps", "3", "--count", "2", "-o", str(tmp_path / "out")) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 pictures in PyTorch (the untouched original)" in told
    assert "ddim, 3 of 1000 steps, linear, seed 0" in told
    assert "6 calls of the network" in told
    assert "assumed: noise_schedule linear (or cosine)" in told
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > 2 * 160


def test_json_and_nothing_else(checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(checkpoint, "--steps", "2", "--json", "--digests", "-o", str(out)) == 0
    told = json.loads(capsys.readouterr().out)
    assert [len(one) for one in told["trajectories"]] == [2]
    assert told["made"] == told["asked"] == 1
    assert told["out"] == str(out)


def test_the_same_seed_gives_the_same_picture(checkpoint, tmp_path, capsys):
    digests = []
    for seed in ("5", "5", "6"):
        out = str(tmp_path / f"{len(digests)}")
        assert call(checkpoint, "--sampler", "ddpm", "--steps", "3", "--seed", seed, "--json",
                    "-o", out) == 0  # fmt: skip
        digests.append(json.loads(capsys.readouterr().out)["pictures"][0]["sha256"])
    assert digests[0] == digests[1] != digests[2]


def test_a_checkpoint_beside_itself_is_equal(checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(checkpoint, "--steps", "3", "--against", str(checkpoint), "-o", str(out)) == 0
    assert "equal to" in capsys.readouterr().out
    assert (out / "parting.svg").read_text().count("<circle") == 3


def test_one_that_is_not_equal_ends_with_1(checkpoint, tmp_path, capsys):
    other = tmp_path / "other.pt"
    weights = torch.load(checkpoint)
    torch.save({name: tensor * 1.5 for name, tensor in weights.items()}, other)
    out = tmp_path / "out"
    status = call(checkpoint, "--steps", "3", "--against", str(other), "--json", "-o", str(out))
    told = json.loads(capsys.readouterr().out)["against"]
    assert status == 1
    assert not told["passed"]
    assert told["psnr"] < told["gate"] == 60.0


def test_ctrl_c(checkpoint, tmp_path, capsys, monkeypatch):
    walk = sampling.made.walk

    def stopped(*arguments):
        for step in walk(*arguments):
            if arguments[5] == 1:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(sampling.made, "walk", stopped)
    out = tmp_path / "out"
    assert call(checkpoint, "--steps", "2", "--count", "3", "-o", str(out)) == 130
    assert "stopped; what was done is kept" in capsys.readouterr().out
    assert np.load(out / "samples.npy").shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--sampler", "euler"], "ddpm or ddim or repaint"),
        (["--steps", "5000"], "trained with 1000 steps"),
        (["--mask", "known.png"], "--sampler repaint"),
        (["--runtime", "onnxruntime"], "an artifact for another runtime than torch"),
        (["--runtime", "abacus"], "onnxruntime or torch"),
        (["--set", "noise_schedule=sigmoid"], "one of linear, cosine"),
    ],
)
def test_bad_input_ends_with_2_and_writes_nothing(checkpoint, tmp_path, capsys, more, words):
    assert call(checkpoint, "-o", str(tmp_path / "out"), *more) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert "remedy" in told
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use(checkpoint, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert call(checkpoint, "-o", str(tmp_path)) == 2
    assert "--force" in capsys.readouterr().err


def test_the_bar_on_a_terminal_counts_moves_and_tells_the_time_left(
    checkpoint, tmp_path, monkeypatch
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", shown := Terminal())
    assert call(checkpoint, "--steps", "3", "--count", "2", "-o", str(tmp_path / "out")) == 0
    assert "sampling" in shown.getvalue()
    assert "6/6" in shown.getvalue()
    assert "0:00:0" in shown.getvalue()
