"""A small diffusion network all the way: both formats, either time, an open batch, one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator

from lading import cli
from lading.coreml import mil
from lading.formats.onnx.side import OnnxSide
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.record import Bill, from_json, schema
from lading.task.diffusion.samplers import Process, ancestral
from lading.task.diffusion.schedule import Schedule


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
    assert compared["probes"] == len(bill["probes"]) == 10


def test_a_step_is_the_samplers(checkpoint: Path, tmp_path: Path) -> None:
    bill = carried(
        checkpoint, tmp_path / "out", "--part", "step", "--to", "coreml", "--trajectory", "0"
    )
    assert [one["name"] for one in bill["artifacts"][0]["inputs"]] == ["x", "timesteps", "noise"]
    assert bill["request"]["options"]["part"] == "step"
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


# ------------------------------------------------------------------------------- the trajectory
def ran(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Trajectories by runtime, those that this computer can walk."""
    return {one["runtime"]: one for one in bill["trajectories"] if one["verdict"] != "not run"}


@pytest.fixture(scope="module")
def both(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("both") / "out"
    carried(checkpoint, out, "--trajectory", "6")
    return out


def test_both_artifacts_walk_as_the_original_does(both: Path) -> None:
    bill = json.loads((both / "lading.json").read_text())
    walked = ran(bill)
    assert set(walked) >= {"mil", "onnxruntime"}
    assert walked["mil"]["artifact"] == "small.mlpackage"
    assert walked["onnxruntime"]["artifact"] == "small.onnx"
    for runtime, least in (("mil", 35.0), ("onnxruntime", 60.0)):
        one = walked[runtime]
        assert one["verdict"] == "pass"
        assert one["gate"] == least
        assert one["timesteps"] == [999.0, 799.0, 599.0, 400.0, 200.0, 0.0]
        assert one["steps"] == len(one["psnr"]) == 6
        assert least <= one["psnr"][-1] < 200.0  # two programs, not one beside itself
    assert bill["request"]["options"]["trajectory"] == "6"
    (sheet,) = bill["pictures"]
    assert sheet["name"] == "trajectory/sheet"
    assert f"{walked['mil']['psnr'][-1]:.1f} dB" in sheet["alt"]
    page = (both / "report.html").read_text(encoding="utf-8")
    assert 'id="trajectory"' in page
    assert "--trajectory 6" in page
    Draft202012Validator(schema.of_bill()).validate(bill)
    assert from_json(Bill, bill).trajectories[0].steps == 6


def verified(both: Path, checkpoint: Path, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    words = ["--set", "image_size=16x16", "--set", "num_heads=2", "--quiet", "-o", str(out)]
    status = cli.main(
        ["verify", str(both / "small.onnx"), "--against", str(checkpoint), *words, *options]
    )
    bill: dict[str, Any] = json.loads((out / "lading.json").read_text())
    return status, bill


def test_verify_walks_too_and_twice_the_same(both: Path, checkpoint: Path, tmp_path: Path) -> None:
    first, again = (
        verified(both, checkpoint, tmp_path / name, "--trajectory", "6") for name in "ab"
    )
    assert first[0] == again[0] == 0
    assert first[1]["request"]["options"]["trajectory"] == "6"
    told = [
        json.dumps([bill["trajectories"], bill["pictures"]], sort_keys=True)
        for _, bill in (first, again)
    ]
    assert told[0] == told[1]
    converted = ran(json.loads((both / "lading.json").read_text()))["onnxruntime"]
    mine = ran(first[1])["onnxruntime"]
    assert mine["psnr"] == converted["psnr"]


def test_none_is_walked_where_none_is_wanted(
    both: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, bill = verified(both, checkpoint, tmp_path / "a", "--trajectory", "0")
    assert status == 0
    assert bill["trajectories"] == bill["pictures"] == []
    assert cli.main([
        "verify", str(both / "small.onnx"), "--against", str(checkpoint), "--trajectory", "-2",
        "--set", "image_size=16x16", "--set", "num_heads=2", "-o", "-",
    ]) == 2  # fmt: skip
    assert "0 for no trajectory" in " ".join(capsys.readouterr().err.split())


def test_another_networks_weights_lead_elsewhere(
    both: Path, checkpoint: Path, tmp_path: Path
) -> None:
    state = torch.load(checkpoint)
    state["out.2.bias"] = state["out.2.bias"] + 0.5
    torch.save(state, tmp_path / "other.pt")
    status, bill = verified(both, tmp_path / "other.pt", tmp_path / "a", "--trajectory", "6")
    assert status == 1
    (walked,) = ran(bill).values()
    assert walked["verdict"] == "fail"
    assert walked["psnr"][-1] < 60.0
    assert "from the original's after 6 moves, gate 60 dB" in walked["reason"]


def test_an_artifact_that_only_the_walk_convicts_is_rejected(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Right at the steps of every probe; wrong at moves of the walk between them."""
    run = OnnxSide.run

    def between(side: OnnxSide, inputs: Any, look_at: Any = ()) -> dict[str, Any]:
        wrong = int(inputs["timesteps"][0]) in (799, 599, 400, 200)
        answers = run(side, inputs, look_at)
        return {n: v + np.float32(0.3) if wrong else v for n, v in answers.items()}

    monkeypatch.setattr(OnnxSide, "run", between)
    out = tmp_path / "out"
    words = ["--set", "image_size=16x16", "--set", "num_heads=2", "--to", "onnx"]
    assert cli.main(["convert", str(checkpoint), "-o", str(out), *words, "--trajectory", "6"]) == 1
    assert (out / "rejected" / "small.onnx").exists()
    assert not (out / "small.onnx").exists()
    bill = json.loads((out / "lading.json").read_text())
    assert bill["verdict"] == "fail"
    assert [one["verdict"] for one in bill["comparisons"]] == ["pass"]
    (walked,) = bill["trajectories"]
    assert (walked["verdict"], walked["artifact"]) == ("fail", "rejected/small.onnx")
    assert walked["parts"] == 2
    assert bill["capture"]["attempts"][0].startswith("onnx by export: the trajectory ends ")
    shown = " ".join(capsys.readouterr().out.split())
    assert "FAIL small.onnx does not lead where the original leads: the trajectory ends" in shown
    assert "trajectory small.onnx in ONNX Runtime: the trajectory ends" in shown
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "small.onnx does not lead where the original leads: the trajectory ends" in page


def test_a_step_walks_its_last_moves(checkpoint: Path, tmp_path: Path) -> None:
    bill = carried(
        checkpoint, tmp_path / "out", "--part", "step", "--sampler", "ddim", "--to", "coreml",
        "--trajectory", "4",
    )  # fmt: skip
    walked = ran(bill)["mil"]
    assert walked["sampler"] == "ddim step"
    assert walked["timesteps"] == [3.0, 2.0, 1.0, 0.0]
    assert walked["verdict"] == "pass"


def test_a_network_without_a_walk_is_not_asked_for_one(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(small_checkpoint), "-o", str(tmp_path / "out"), "--trajectory", "5"]
    assert cli.main(words) == 2
    assert "a segmentation network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
