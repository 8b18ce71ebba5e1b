"""`lading demo diffusion`: the repository's network in three runtimes, from the same noise."""

import importlib
import inspect
import json
import math
from dataclasses import replace

import pytest
from PIL import Image

from lading import cli
from lading.cli.demos import checkpoint, diffusion
from lading.errors import RequestError, VerificationError
from lading.job import sampling
from lading.job.request import Sample
from lading.record import Trajectory

CHECKPOINT = checkpoint("camus_diffusion")
CONFIG = CHECKPOINT.with_suffix(".json")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "lading-demo-diffusion"
    assert cli.main(["demo", "diffusion", "-o", str(folder), "--quiet"]) == 0
    return folder


def test_the_bill_passes(out):
    bill = json.loads((out / "lading.json").read_text())
    assert bill["verdict"] == "pass"
    assert bill["task"]["kind"] == "diffusion"
    assert {c["runtime"] for c in bill["comparisons"] if c["verdict"] == "pass"} == {
        "mil",
        "onnxruntime",
    }
    known = {one["name"]: one for one in bill["hyperparameters"]}
    assert known["predict_xstart"]["evidence"] == "side file"


def test_the_pictures_are_there(out):
    with Image.open(out / diffusion.PICTURE) as page:
        assert page.width > 4 * 192
        assert page.height > diffusion.COUNT * 192
    chart = (out / diffusion.CHART).read_text()
    for artifact in ("EchoDiffusion.onnx", "EchoDiffusion.mlpackage"):
        assert chart.count(f"{artifact} in ") > diffusion.STEPS


def test_after_25_steps_the_pictures_are_the_originals(out):
    """ONNX at least 60 dB, Core ML in fp16 at least 35 dB, on a seed that the demo does not use."""
    asked = Sample(CHECKPOINT, steps=25, seed=77, config=CONFIG)
    original = sampling.open_network(asked)
    for name, least in (("EchoDiffusion.onnx", 60.0), ("EchoDiffusion.mlpackage", 35.0)):
        artifact = sampling.open_network(Sample(out / name))
        assert artifact.task.notes == original.task.notes
        record = sampling.prove(replace(asked, path=out / name), original, artifact).record
        assert record.gate == least
        assert record.timesteps[0] == 999
        assert len(record.timesteps) == 25
        psnr = record.psnr
        assert psnr[-1] >= least, (name, psnr)
        assert math.isfinite(psnr[-1])  # two programs, not one compared with itself


def test_the_noise_is_one_in_every_runtime(out):
    """The first x, before any network has spoken, is the same array."""
    seen = {}
    for name in ("EchoDiffusion.onnx", "EchoDiffusion.mlpackage"):
        network = sampling.open_network(Sample(out / name))
        run = network.run

        def spy(inputs, name=name, run=run):
            seen.setdefault(name, inputs["x"].copy())
            return run(inputs)

        network.run = spy
        sampling.sample(Sample(out / name, steps=2, seed=5), network)
    first, second = seen.values()
    assert first.tobytes() == second.tobytes()


def test_an_artifact_on_the_command_line(out, tmp_path, capsys):
    status = cli.main([
        "sample", str(out / "EchoDiffusion.onnx"), "--steps", "5", "--json", "-o",
        str(tmp_path / "s"), "--against", str(CHECKPOINT), "--config",
        str(CONFIG),
    ])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert told["against"]["passed"]
    assert told["runtime"] == "ONNX Runtime (CPU)"


def test_a_checkpoint_with_other_settings_is_another_process(out):
    """Without its configuration the checkpoint is read as one that gives noise."""
    asked = Sample(CHECKPOINT, steps=5, set={"image_size": "64"})
    original = sampling.open_network(asked)
    artifact = sampling.open_network(Sample(out / "EchoDiffusion.onnx"))
    with pytest.raises(RequestError) as caught:
        sampling.prove(asked, original, artifact)
    assert "predict_xstart true" in caught.value.found
    assert "predict_xstart false" in caught.value.expected


def test_the_wrong_runtime(out):
    with pytest.raises(RequestError) as caught:
        sampling.open_network(Sample(out / "EchoDiffusion.onnx", runtime="mil"))
    assert caught.value.expected == "onnxruntime"


def test_a_picture_that_ends_elsewhere_fails():
    def walk(*psnr):
        return Trajectory(
            "b.onnx", "ONNX Runtime", "ddim", 2, 1, (1.0, 0.0), psnr, 2, 35.0, "", "fail",
            "ends elsewhere",
        )  # fmt: skip

    diffusion.require_close([[walk(90.0, 35.0)]])
    for psnr in ((90.0, 34.9), (90.0, math.nan), (90.0,), ()):
        with pytest.raises(VerificationError) as caught:
            diffusion.require_close([[walk(90.0, 35.0)], [walk(*psnr)]])
        assert caught.value.subject == "picture 1 of b.onnx in ONNX Runtime"
        assert caught.value.found == "ends elsewhere"


def test_a_wheel_has_no_such_checkpoint_and_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lading.cli.demos.RECIPES", (tmp_path / "a", tmp_path / "b"))
    for name in ("diffusion", "layouts"):
        assert cli.main(["demo", name, "-o", str(tmp_path / name)]) == 2
        told = " ".join(capsys.readouterr().err.split())
        recipe = importlib.import_module(f"lading.cli.demos.{name}").RECIPE
        assert f"recipes/{recipe}/{recipe}.pth, which lies in lading's repository" in told
        command = f"python -m recipes.{recipe}.train --work DIR"
        assert command in told
        # The command exists as it is said.
        train = importlib.import_module(f"recipes.{recipe}.train")
        assert "--work" in inspect.getsource(train)
        assert not (tmp_path / name).exists()
    here = tmp_path / "b" / "camus_diffusion" / "camus_diffusion.pth"
    here.parent.mkdir(parents=True)
    here.touch()
    assert checkpoint("camus_diffusion") == here
