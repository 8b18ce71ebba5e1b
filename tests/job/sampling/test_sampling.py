"""Sampling from a checkpoint: what is asked, what is refused, what is kept."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lading.errors import InputError, ProgramError, RequestError, StorageError
from lading.job import sampling
from lading.job.request import Sample
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.record import Port, Task
from lading.task.diffusion.denoiser import Denoiser
from lading.task.diffusion.samplers import DDIM, DDPM, RePaint
from lading.task.pictures import signed

SIZE = 16
NOTES = {
    "diffusion_steps": "1000", "noise_schedule": "linear", "timestep_respacing": "",
    "rescale_timesteps": "false", "predict_xstart": "false", "learn_sigma": "true",
}  # fmt: skip
X = Port("x", "tensor", "float32", (1, 1, SIZE, SIZE), value_range=(-1.0, 1.0))
TIME = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 999.0))
OUT = Port("prediction", "tensor", "float32", (1, 2, SIZE, SIZE))
CLASS = Port("y", "tensor", "int32", (1,), value_range=(0.0, 4.0))


class Session:
    """Half of x as the noise, the least variance; remembers what it was fed."""

    def __init__(self, value=None):
        self.fed, self.value = [], value

    def run(self, inputs):
        self.fed.append(inputs)
        x = inputs["x"]
        if self.value is not None:
            x = np.full_like(x, self.value)
        return {"prediction": np.concatenate([0.5 * x, -np.ones_like(x)], axis=1)}


def network(*, notes=NOTES, ports=(X, TIME), session=None):
    task = Task("diffusion", ports, (OUT,), notes=notes)
    return Denoiser((session or Session()).run, task, ports, title="a session")


def request(**more):
    from pathlib import Path

    return Sample(Path("diffusion.pt"), **more)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small network of the family with every value drawn."""
    torch.manual_seed(0)
    module = UNet(
        Config(
            in_channels=1, out_channels=2, model_channels=32, num_res_blocks=1,
            channel_mult=(1, 2), attention_resolutions=(2,),
        )
    )  # fmt: skip
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.05 * torch.randn(value.shape))
    path = tmp_path_factory.mktemp("checkpoint") / "ema_0.9999_000100.pt"
    torch.save(module.state_dict(), path)
    return path


@pytest.fixture
def frame(tmp_path):
    """A picture and its mask, left half known."""
    image, mask = tmp_path / "image.png", tmp_path / "mask.png"
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
    Image.fromarray(pixels).save(image)
    known = np.zeros((SIZE, SIZE), np.uint8)
    known[:, : SIZE // 2] = 255
    Image.fromarray(known).save(mask)
    return image, mask, pixels


def test_a_checkpoint_is_sampled_in_torch(checkpoint, tmp_path):
    asked = Sample(checkpoint, steps=4, count=2, seed=9, digests=True, set={"image_size": SIZE})
    opened = sampling.open_network(asked)
    assert opened.shape == (1, 1, SIZE, SIZE)
    assert any(one.startswith("num_heads 4") for one in opened.assumed)
    assert not any(one.startswith("image_size") for one in opened.assumed)  # the user said it
    seen = []
    made = sampling.sample(asked, opened, lambda: seen.append(opened.calls))
    assert seen == list(range(1, 9))
    assert made.summary["calls"] == 8
    assert [one.shape for one in made.pictures] == [(1, SIZE, SIZE)] * 2
    assert (made.pictures[0] != made.pictures[1]).any()
    # Once more: the same bits, move by move; and each picture on its own.
    again = sampling.sample(asked, opened)
    assert again.summary["trajectories"] == made.summary["trajectories"]
    assert again.pictures[1].tobytes() == made.pictures[1].tobytes()
    assert again.summary["pictures"] == made.summary["pictures"]

    files = sampling.save(made, tmp_path / "out")
    assert [path.name for path in files] == [
        "sheet.png", "sample_000.png", "sample_001.png", "samples.npy", "sampling.json",
    ]  # fmt: skip
    summary = json.loads((tmp_path / "out" / "sampling.json").read_text())
    assert summary["steps"] == 4
    assert summary["trained_steps"] == 1000
    assert summary["trajectories"] == made.summary["trajectories"]
    assert [len(one) for one in summary["trajectories"]] == [4, 4]
    kept = np.load(tmp_path / "out" / "samples.npy")
    assert kept.tobytes() == np.stack(made.pictures).tobytes()
    pixels = np.asarray(Image.open(tmp_path / "out" / "sample_001.png"))
    assert np.abs(pixels - (kept[1, 0].clip(-1, 1) + 1) * 127.5).max() <= 0.5 + 1e-4


def test_ctrl_c_keeps_what_is_done(tmp_path):
    opened = network()

    def press():
        if opened.calls == 5 + 3:
            raise KeyboardInterrupt

    made = sampling.sample(request(steps=5, count=4), opened, press)
    assert len(made.pictures) == 1
    assert made.summary["made"] == 1
    assert made.summary["asked"] == 4
    files = {path.name for path in sampling.save(made, tmp_path / "out")}
    assert files == {
        "sheet.png", "sample_000.png", "samples.npy", "unfinished.png", "sampling.json",
    }  # fmt: skip


def test_stopped_before_anything_was_done(tmp_path):
    def press():
        raise KeyboardInterrupt

    made = sampling.sample(request(steps=5), network(), press)
    assert made.pictures == ()
    files = {path.name for path in sampling.save(made, tmp_path / "out")}
    assert files == {"unfinished.png", "sampling.json"}


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    sampling.save(sampling.sample(request(steps=2, count=3), network()), tmp_path / "out")
    one = sampling.sample(request(steps=2), network())
    with pytest.raises(StorageError):
        sampling.save(one, tmp_path / "out")
    sampling.save(one, tmp_path / "out", force=True)
    assert sorted(path.name for path in (tmp_path / "out").glob("sample_*")) == ["sample_000.png"]


@pytest.mark.parametrize(
    ("asked", "steps", "told"),
    [
        ({}, 50, 999),
        ({"sampler": "ddpm"}, 250, 999),
        ({"steps": 25}, 25, 999),
        ({"respacing": "ddim25"}, 25, 960),
        ({"respacing": "10,10"}, 20, 999),
    ],
)
def test_how_many_steps(asked, steps, told):
    process, sampler = sampling.plan(request(**asked), network())
    assert process.schedule.steps == steps
    assert process.schedule.timestep(steps - 1) == told
    assert isinstance(sampler, DDPM if "sampler" in asked else DDIM)


def test_the_networks_own_respacing_and_a_short_training():
    own = network(notes={**NOTES, "timestep_respacing": "125"})
    assert sampling.plan(request(), own)[0].schedule.steps == 125
    assert sampling.plan(request(steps=10), own)[0].schedule.steps == 10
    short = network(notes={**NOTES, "diffusion_steps": "40", "noise_schedule": "cosine"})
    assert sampling.plan(request(), short)[0].schedule.steps == 40


@pytest.mark.parametrize(
    ("more", "variance"),
    [
        ({"learn_sigma": "true"}, "learned range"),
        ({"learn_sigma": "false", "sigma_small": "true"}, "fixed small"),
        ({"learn_sigma": "false"}, "fixed large"),
    ],
)
def test_where_the_variance_comes_from(more, variance):
    assert sampling.plan(request(), network(notes={**NOTES, **more}))[0].variance == variance
    told = {**NOTES, **more, "predict_xstart": "true"}
    assert sampling.plan(request(), network(notes=told))[0].gives == "picture"


def test_repaint_keeps_the_known_half(frame):
    image, mask, pixels = frame
    asked = request(sampler="repaint", steps=8, image=image, mask=mask, jump=3, repeats=2)
    made = sampling.sample(asked, network())
    picture = np.asarray(signed(made.pictures[0]))
    assert (picture[:, : SIZE // 2] == pixels[:, : SIZE // 2]).all()
    assert (picture[:, SIZE // 2 :] != pixels[:, SIZE // 2 :]).any()
    assert made.summary["calls_per_picture"] == 8 + 2 * 3


def test_the_usual_repaint_is_2410_calls(frame):
    asked = request(sampler="repaint", image=frame[0], mask=frame[1])
    process, sampler = sampling.plan(asked, network())
    assert isinstance(sampler, RePaint)
    assert sum(move.back for move in sampler.plan(process.schedule.steps)) == 2410


def test_a_class_goes_to_the_network():
    session = Session()
    sampling.sample(request(steps=2, label=3), network(ports=(X, TIME, CLASS), session=session))
    assert [one["y"].tolist() for one in session.fed] == [[3], [3]]
    assert session.fed[0]["y"].dtype == np.int32
    assert session.fed[0]["timesteps"].dtype == np.int32


# --------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("more", "subject", "expected"),
    [
        ({"sampler": "euler"}, "--sampler euler", "ddpm or ddim or repaint"),
        ({"steps": 1001}, "respacing 1001", "1 to 1000"),
        ({"steps": 0}, "--steps 0", "at least 1"),
        ({"steps": 5, "respacing": "5"}, "--steps with --respacing", "one of the two"),
        ({"eta": 0.5, "sampler": "ddpm"}, "--eta 0.5", "--sampler ddim"),
        ({"eta": 1.5}, "--eta 1.5", "a finite number from 0 to 1"),
        ({"count": 0}, "--count 0", "at least 1"),
        ({"label": 2}, "--label 2", "a class-conditional network"),
        ({"sampler": "repaint"}, "--sampler repaint", "a picture to complete"),
    ],
)
def test_requests_that_cannot_be(more, subject, expected):
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(**more), network())
    assert caught.value.subject == subject
    assert expected in caught.value.expected


def test_a_mask_without_a_picture_and_the_reverse(frame):
    image, mask, _ = frame
    for more, found in (
        ({"mask": mask}, "--mask without --image"),
        ({"image": image}, "--image without --mask"),
    ):
        with pytest.raises(RequestError) as caught:
            sampling.plan(request(sampler="repaint", **more), network())
        assert caught.value.found == found
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(mask=mask), network())
    assert caught.value.expected == "--sampler repaint"


def test_a_mask_of_another_size(frame, tmp_path):
    odd = tmp_path / "odd.png"
    Image.fromarray(np.zeros((SIZE, SIZE + 4), np.uint8)).save(odd)
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(sampler="repaint", image=frame[0], mask=odd), network())
    assert caught.value.found == "20 x 16 pixels"
    assert caught.value.expected == f"16 x 16, as {frame[0]}"


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ({"noise_schedule": "sigmoid"}, "'sigmoid'"),
        ({"diffusion_steps": "many"}, "'many'"),
        ({"learn_sigma": "maybe"}, "'maybe'"),
        ({"timestep_respacing": "2000"}, "2000 steps"),
    ],
)
def test_notes_that_make_no_sense(notes, found):
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(), network(notes={**NOTES, **notes}))
    assert caught.value.found == found


def test_notes_that_are_missing():
    kept = {name: text for name, text in NOTES.items() if name != "noise_schedule"}
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(), network(notes=kept))
    assert caught.value.found == "nothing about noise_schedule"


@pytest.mark.parametrize("t", [-1.0, 1000.0, 3.5])
def test_a_time_that_was_not_trained(t):
    with pytest.raises(InputError) as caught:
        network()(np.zeros(X.shape, np.float32), np.array([t]))
    assert caught.value.expected == "a whole number from 0 to 999"


def test_x_of_another_size():
    with pytest.raises(InputError) as caught:
        network()(np.zeros((1, 1, 8, 8), np.float32), np.array([0]))
    assert caught.value.expected == "[1, 1, 16, 16]"


def test_what_is_not_finite_is_no_picture():
    with pytest.raises(ProgramError) as caught:
        sampling.sample(request(steps=2), network(session=Session(np.nan)))
    assert caught.value.found == "values that are not finite"


@pytest.mark.parametrize("label", [None, 5, -1])
def test_classes_that_are_none(label):
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(label=label), network(ports=(X, TIME, CLASS)))
    assert "a class from 0 to 4" in caught.value.expected


def test_a_network_that_takes_what_a_sampler_has_not_got():
    low = Port("low_res", "tensor", "float32", (1, 1, 4, 4), meaning="low image")
    with pytest.raises(RequestError) as caught:
        sampling.plan(request(), network(ports=(X, TIME, low)))
    assert "takes low_res (low image) too" in caught.value.found


def test_a_checkpoint_of_another_kind():
    from lading.cli.demos import DATA

    with pytest.raises(RequestError) as caught:
        sampling.open_network(Sample(DATA / "camus_segmentation.pth"))
    assert caught.value.found == "a segmentation network"
    with pytest.raises(RequestError) as caught:
        sampling.open_network(Sample(DATA / "camus_segmentation.pth", runtime="mil"))
    assert caught.value.found == "a checkpoint, which PyTorch runs"


def test_an_artifact_that_is_no_diffusion_network(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path / "relu.onnx"
    onnx.save(model, path)
    with pytest.raises(RequestError) as caught:
        sampling.open_network(Sample(path))
    assert caught.value.found == "an artifact without lading's notes"
    assert caught.value.expected.startswith("a diffusion network")
    with pytest.raises(RequestError) as caught:
        sampling.open_network(Sample(tmp_path / "absent.onnx"))
    assert caught.value.found == "no such file"
