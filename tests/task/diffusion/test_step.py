"""One step of sampling in torch against the samplers in numpy, step by step."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lading.errors import RequestError
from lading.interface import Options, wrap
from lading.record import Port, Task
from lading.task.diffusion.samplers import Process, ancestral, implicit
from lading.task.diffusion.schedule import Schedule
from lading.task.diffusion.step import as_step

#: float32's rounding over some twenty operations, next to values around 1 (1/√ᾱ of the last step of
#: the linear schedule is 157, and the clip undoes what it blows up)
CLOSE = 2e-5


class Guess(nn.Module):
    """A network that says something of x and t; twice the channels where a variance is learned."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Conv2d(2, outputs, 3, padding=1)
        self.told: list[float] = []

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        self.told.append(float(timesteps[0]))
        out: torch.Tensor = self.layer(x) * 2 + timesteps.float().reshape(-1, 1, 1, 1) / 1000
        return out


def task(learned: bool, **changes: str) -> Task:
    x = Port("x", "tensor", "float32", (1, 2, 4, 4), value_range=(-1.0, 1.0))
    t = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 99.0))
    out = Port("prediction", "tensor", "float32", (1, 4 if learned else 2, 4, 4))
    notes = {
        "diffusion_steps": "100",
        "noise_schedule": "linear",
        "timestep_respacing": "",
        "rescale_timesteps": "false",
        "predict_xstart": "false",
        "learn_sigma": "true" if learned else "false",
        **changes,
    }
    return Task("diffusion", (x, t), (out,), notes=notes)


@given(
    index=st.sampled_from([0, 1, 2, 50, 98, 99]),
    kind=st.sampled_from(["ddpm", "ddim"]),
    schedule=st.sampled_from(["linear", "cosine"]),
    variance=st.sampled_from(["learned range", "fixed small", "fixed large"]),
    picture=st.booleans(),
    rescaled=st.booleans(),
    respacing=st.sampled_from(["", "20"]),
    eta=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_it_is_the_samplers_step(
    index: int,
    kind: Literal["ddpm", "ddim"],
    schedule: str,
    variance: Any,
    picture: bool,
    rescaled: bool,
    respacing: str,
    eta: float,
) -> None:
    learned = variance == "learned range"
    network = Guess(4 if learned else 2)
    notes = {
        "noise_schedule": schedule,
        "timestep_respacing": respacing,
        "rescale_timesteps": str(rescaled).lower(),
        "predict_xstart": str(picture).lower(),
        "sigma_small": "true" if variance == "fixed small" else "false",
    }
    module, changed = as_step(network, task(learned, **notes), kind, eta if kind == "ddim" else 0.0)
    tables = Schedule.of(schedule, 100, respacing, rescaled=rescaled)
    index = min(index, tables.steps - 1)
    assert changed.inputs[1].value_range == (0.0, tables.steps - 1)
    process = Process(tables, "picture" if picture else "noise", variance)

    generator = torch.Generator().manual_seed(index)
    x, noise = (torch.randn(1, 2, 4, 4, generator=generator) for _ in range(2))
    with torch.no_grad():
        got = module(x, torch.tensor([index], dtype=torch.int32), noise).numpy()
        told = torch.tensor([float(tables.timestep(index))])
        read = process.read(network(x, told).numpy(), x.numpy(), index)
    assert network.told[0] == pytest.approx(network.told[1], rel=1e-6)
    if kind == "ddpm":
        want = ancestral(process, read, x.numpy(), index, noise.numpy())
    else:
        want = implicit(process, read, index, noise.numpy() if index else None, eta)
    np.testing.assert_allclose(got, want, atol=CLOSE, rtol=CLOSE)


def test_a_batch_walks_at_steps_of_its_own() -> None:
    module, _ = as_step(Guess(2), task(False), "ddpm")
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(2, 2, 4, 4, generator=generator) for _ in range(2))
    steps = torch.tensor([3, 90])
    with torch.no_grad():
        both = module(x, steps, noise)
        alone = [module(x[i : i + 1], steps[i : i + 1], noise[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(both, torch.cat(alone), atol=1e-6, rtol=0)


def test_the_ports_of_a_step() -> None:
    wrapped = wrap(Guess(2), task(False), Options(part="ddim"))
    assert [port.name for port in wrapped.inputs] == ["x", "timesteps", "noise"]
    assert [port.name for port in wrapped.outputs] == ["x_before"]
    assert wrapped.outputs[0].shape == (1, 2, 4, 4)
    assert wrapped.inputs[1].dtype == "int32"


@pytest.mark.parametrize(
    ("options", "subject", "found"),
    [
        (Options(part="ddim", eta=1.5), "--eta 1.5", "1.5"),
        (Options(eta=0.5), "--eta", "a diffusion network with the inputs x, timesteps"),
        (
            Options(part="ddpm", timesteps="float32"),
            "--timesteps float32",
            "a diffusion network with the inputs x, timesteps, noise",
        ),
    ],
)
def test_what_cannot_be(options: Options, subject: str, found: str) -> None:
    with pytest.raises(RequestError) as caught:
        wrap(Guess(2), task(False), options)
    assert (caught.value.subject, caught.value.found) == (subject, found)


def test_a_network_without_its_process() -> None:
    bare = Task("diffusion", task(False).inputs, task(False).outputs)
    with pytest.raises(RequestError) as caught:
        as_step(Guess(2), bare, "ddpm")
    assert caught.value.remedy == "give the checkpoint, and say it with --set diffusion_steps=..."


def test_no_step_of_another_network() -> None:
    one = task(False)
    other = Task("segmentation", one.inputs[:1], one.outputs)
    with pytest.raises(RequestError) as caught:
        as_step(Guess(2), other, "ddpm")
    assert caught.value.found == "a segmentation network with the inputs x"
