"""A small diffusion network all the way: both formats, either time, an open batch, one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lading import cli, mil
from lading.diffusion.samplers import Process, ancestral
from lading.diffusion.schedule import Schedule
from lading.families.guided_diffusion.network import Config, UNet


def small() -> UNet:
    """One level, one block, attention everywhere; no layer without effect."""
    torch.manual_seed(0)
    network = UNet(
        Config(model_channels=32, channel_mult=(1,), num_res_blocks=1, attention_resolutions=(1,))
    )
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.pt"
    torch.save(small().state_dict(), path)
    return path


def carried(checkpoint: Path, out: Path, *options: str) -> dict[str, Any]:
    settings = ["--set", "image_size=16x16", "--set", "num_heads=2", "--quiet"]
    assert cli.main(["convert", str(checkpoint), "-o", str(out), *settings, *options]) == 0
    bill: dict[str, Any] = json.loads((out / "lading.json").read_text())
    return bill


def test_a_time_of_real_numbers_and_an_open_batch(checkpoint: Path, tmp_path: Path) -> None:
    bill = carried(
        checkpoint, tmp_path / "out", "--timesteps", "float32", "--dynamic", "batch",
        "--to", "onnx",
    )  # fmt: skip
    (artifact,) = bill["artifacts"]
    assert [one["dtype"] for one in artifact["inputs"]] == ["float32", "float32"]
    assert [one["ranges"][0][0] for one in artifact["inputs"]] == [1, 1]
    (compared,) = bill["comparisons"]
    assert compared["probes"] == len(bill["probes"]) == 6


def test_a_step_is_the_samplers(checkpoint: Path, tmp_path: Path) -> None:
    bill = carried(checkpoint, tmp_path / "out", "--part", "step", "--to", "coreml")
    assert [one["name"] for one in bill["artifacts"][0]["inputs"]] == ["x", "timesteps", "noise"]
    assert bill["request"]["options"]["part"] == "ddpm"
    known = {one["name"]: one["value"] for one in bill["hyperparameters"]}
    schedule = Schedule.of(known["noise_schedule"], known["diffusion_steps"])
    process = Process(schedule)
    (package,) = (tmp_path / "out").glob("*.mlpackage")
    model, network = mil.load(package), small()
    for index in (999, 500, 1, 0):
        draw = np.random.default_rng(index)
        x, noise = (draw.standard_normal((1, 3, 16, 16)).astype(np.float32) for _ in range(2))
        with torch.no_grad():
            answer = network(torch.from_numpy(x), torch.tensor([index])).numpy()
        want = ancestral(process, process.read(answer, x, index), x, index, noise)
        got = model.predict({"x": x, "timesteps": np.array([index], np.int32), "noise": noise})
        # the network is fp16 (2^-11 at values around 1), the step around it fp32
        assert float(np.abs(got["x_before"] - want).max()) < 2e-3


def test_a_step_says_what_it_needs(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "out")]
    assert cli.main(["convert", str(checkpoint), *out, "--sampler", "ddim"]) == 2
    assert "add --part step, or leave --sampler out" in capsys.readouterr().err
