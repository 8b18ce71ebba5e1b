"""`lading demo diffusion`: the embedded network in three runtimes, from the same noise."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from lading import cli
from lading.cli.demos import diffusion
from lading.errors import RequestError, VerificationError
from lading.job import sampling
from lading.proof.trajectory import Parting, Walked


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
    with Image.open(out / diffusion.CHART) as page:
        assert page.width == 760


def test_after_25_steps_the_pictures_are_the_originals(out):
    """ONNX at least 60 dB, Core ML in fp16 at least 35 dB, on a seed that the demo does not use."""
    asked = sampling.Request(diffusion.CHECKPOINT, steps=25, seed=77, config=diffusion.CONFIG)
    original = sampling.open_network(asked)
    for name, least in (("EchoDiffusion.onnx", 60.0), ("EchoDiffusion.mlpackage", 35.0)):
        artifact = sampling.open_network(sampling.Request(out / name))
        assert artifact.task.notes == original.task.notes
        parting, gate = sampling.prove(asked, original, artifact)
        assert gate == least
        assert parting.told[0] == 999
        assert len(parting.told) == 25
        psnr = parting.walks[0].psnr
        assert psnr[-1] >= least, (name, psnr)
        assert math.isfinite(psnr[-1])  # two programs, not one compared with itself


def test_the_noise_is_one_in_every_runtime(out):
    """The first x, before any network has spoken, is the same array."""
    seen = {}
    for name in ("EchoDiffusion.onnx", "EchoDiffusion.mlpackage"):
        network = sampling.open_network(sampling.Request(out / name))
        run = network.session.run

        def spy(inputs, name=name, run=run):
            seen.setdefault(name, inputs["x"].copy())
            return run(inputs)

        network.session.run = spy
        sampling.sample(sampling.Request(out / name, steps=2, seed=5), network)
    first, second = seen.values()
    assert first.tobytes() == second.tobytes()


def test_an_artifact_on_the_command_line(out, tmp_path, capsys):
    status = cli.main([
        "sample", str(out / "EchoDiffusion.onnx"), "--steps", "5", "--json", "-o",
        str(tmp_path / "s"), "--against", str(diffusion.CHECKPOINT), "--config",
        str(diffusion.CONFIG),
    ])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert told["against"]["passed"]
    assert told["runtime"] == "ONNX Runtime (CPU)"


def test_a_checkpoint_with_other_settings_is_another_process(out):
    """Without its configuration the checkpoint is read as one that gives noise."""
    asked = sampling.Request(diffusion.CHECKPOINT, steps=5, given={"image_size": "64"})
    original = sampling.open_network(asked)
    artifact = sampling.open_network(sampling.Request(out / "EchoDiffusion.onnx"))
    with pytest.raises(RequestError) as caught:
        sampling.prove(asked, original, artifact)
    assert "predict_xstart true" in caught.value.found
    assert "predict_xstart false" in caught.value.expected


def test_the_wrong_runtime(out):
    with pytest.raises(RequestError) as caught:
        sampling.open_network(sampling.Request(out / "EchoDiffusion.onnx", runtime="mil"))
    assert caught.value.expected == "onnxruntime"


def test_a_picture_that_ends_elsewhere_fails():
    parting = Parting("PyTorch", np.zeros(1), (1, 0), (Walked("b", (90.0, 34.9), np.zeros(1)),))
    diffusion.require_close([parting], {"b": 34.0})
    with pytest.raises(VerificationError) as caught:
        diffusion.require_close([parting], {"b": 35.0})
    assert caught.value.found == "34.9 dB from PyTorch after 25 steps"
    lost = Parting("PyTorch", np.zeros(1), (1,), (Walked("b", (math.nan,), np.zeros(1)),))
    with pytest.raises(VerificationError):
        diffusion.require_close([lost], {"b": 35.0})
