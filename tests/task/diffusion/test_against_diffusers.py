"""The samplers against diffusers' schedulers, step by step, where the two mean the same thing.

diffusers computes its coefficients in float32; over one step in values up to 5 that is worth 1e-5,
more where a small number divides.
"""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, RePaintScheduler

from lading.task.diffusion.samplers import DDIM, DDPM, Process, RePaint, ancestral, implicit
from lading.task.diffusion.schedule import Schedule

SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
SHAPE = (2, 3, 8, 8)
COUNT = 20


def setting(scheduler, name, **more):
    one = scheduler(1000, beta_schedule=SCHEDULES[name], clip_sample=True, **more)
    one.set_timesteps(COUNT)
    return one


def drawn(seed, channels=3):
    """x and an answer of the network, float64."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(SHAPE)
    noise = 0.5 * x + rng.standard_normal(SHAPE)
    return x, np.concatenate([noise, rng.uniform(-1, 1, SHAPE)], axis=1)[:, :channels]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("gives", ["noise", "picture"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_ddim(name, gives, eta):
    kind = {"noise": "epsilon", "picture": "sample"}[gives]
    theirs = setting(DDIMScheduler, name, prediction_type=kind)
    schedule = Schedule.of(name, 1000, f"ddim{COUNT}")
    assert theirs.timesteps.tolist() == schedule.timesteps[::-1].tolist()
    ours = Process(schedule, gives, "fixed small", True, np.float64)
    for index in (19, 10, 1, 0):
        x, answer = drawn(index)
        noise = np.random.default_rng(99).standard_normal(SHAPE)
        made = theirs.step(
            torch.from_numpy(answer), schedule.timestep(index), torch.from_numpy(x), eta=eta,
            use_clipped_model_output=True, variance_noise=torch.from_numpy(noise),
        )  # fmt: skip
        read = ours.read(answer, x, index)
        np.testing.assert_allclose(read.picture, made.pred_original_sample.numpy(), atol=1e-4)
        mine = implicit(ours, read, index, noise, eta)
        np.testing.assert_allclose(mine, made.prev_sample.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    ("variance", "theirs"),
    [
        ("fixed small", "fixed_small"),
        ("fixed large", "fixed_large"),
        ("learned range", "learned_range"),
        ("learned", "learned"),
    ],
)
def test_ddpm(name, variance, theirs):
    theirs = setting(DDPMScheduler, name, variance_type=theirs)
    schedule = Schedule.of(name, 1000, f"ddim{COUNT}")
    ours = Process(schedule, "noise", variance, True, np.float64)
    for index in (19, 10, 1, 0):
        x, answer = drawn(index, 6 if variance.startswith("learned") else 3)
        if variance == "learned":
            answer[:, 3:] -= 4  # log variances
            # diffusers takes the value for the variance itself; ours, as in Nichol 2021,
            # for its logarithm.
            given = np.concatenate([answer[:, :3], np.exp(answer[:, 3:])], axis=1)
        else:
            given = answer
        made = theirs.step(
            torch.from_numpy(given), schedule.timestep(index), torch.from_numpy(x),
            generator=torch.Generator().manual_seed(index),
        )  # fmt: skip
        noise = torch.randn(
            SHAPE, generator=torch.Generator().manual_seed(index), dtype=torch.float64
        )
        mine = ancestral(ours, ours.read(answer, x, index), x, index, noise.numpy())
        np.testing.assert_allclose(mine, made.prev_sample.numpy(), atol=1e-4, rtol=1e-3)


def test_repaints_jumps():
    theirs = RePaintScheduler(1000)
    theirs.set_timesteps(250, jump_length=10, jump_n_sample=10)
    told = [int(t) for t in theirs.timesteps]
    moves = RePaint(np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1, 1))).plan(250)
    # They list where a move leads from and to; a move back from step i is to i - 1.
    at, ours = 249, [249]
    for move in moves:
        at = move.index - 1 if move.back else move.index
        ours.append(at)
    assert [t * 4 for t in ours[:-1]] == told


def test_whole_walks_agree():
    """25 steps of DDIM and of DDPM (variance zero but for its mean) with one and the same
    network, each loop its own."""
    from lading.task.diffusion.samplers import walk

    def network(x, t):
        return np.tanh(np.asarray(x, np.float64) * 0.7) + float(t[0]) / 2000

    theirs = DDIMScheduler(1000, beta_schedule="linear", clip_sample=True)
    theirs.set_timesteps(25)
    x = start = np.random.default_rng(3).standard_normal(SHAPE)
    for t in theirs.timesteps:
        answer = torch.from_numpy(network(x, [t]))
        x = theirs.step(
            answer, t, torch.from_numpy(x), use_clipped_model_output=True
        ).prev_sample.numpy()
    schedule = Schedule.of("linear", 1000, "ddim25")
    ours = Process(schedule, "noise", "fixed small", True, np.float64)
    steps = list(walk(network, ours, DDIM(), SHAPE, 0, start=start))
    # x goes to the network as float32: 25 roundings of 6e-8, and theirs of coefficients.
    np.testing.assert_allclose(steps[-1].x, x, atol=1e-4)
    assert len(list(walk(network, ours, DDPM(), SHAPE, 0, start=start))) == 25
