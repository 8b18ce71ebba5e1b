"""Where walks part: numbers by hand, and the chart that shows them."""

import math

import numpy as np
import pytest

from lading.proof.metrics import psnr
from lading.proof.trajectory import HIGHEST, Parting, Walked, chart, part
from lading.task.diffusion.samplers import DDIM, DDPM, Process
from lading.task.diffusion.schedule import Schedule

SHAPE = (1, 1, 8, 8)
PROCESS = Process(Schedule.of("linear", 1000, "10"), variance="fixed small")


def plain(x, t):
    return np.tanh(x)


def off_by(amount, since=999):
    """The same network, wrong by `amount` from step `since` down."""
    return lambda x, t: np.tanh(x) + np.float32(amount if t[0] <= since else 0.0)


@pytest.mark.parametrize("sampler", [DDIM(), DDPM()])
def test_one_network_beside_itself_is_equal_at_every_move(sampler):
    made = part(("a", plain), {"b": plain}, PROCESS, sampler, SHAPE, 4)
    assert made.walks[0].psnr == (math.inf,) * 10
    assert made.walks[0].parts is None
    assert (made.picture == made.walks[0].picture).all()
    assert made.told == (999, 888, 777, 666, 555, 444, 333, 222, 111, 0)


def test_a_fault_shows_from_the_move_where_it_begins():
    seen = []
    made = part(
        ("a", plain), {"b": off_by(0.01), "c": off_by(0.01, since=500)},
        PROCESS, DDIM(), SHAPE, 4, on_step=lambda step: seen.append(step.number),
    )  # fmt: skip
    early, late = made.walks
    assert late.psnr[:5] == (math.inf,) * 5
    assert all(math.isfinite(value) for value in late.psnr[5:])
    assert late.parts == 6
    assert math.isfinite(early.psnr[0])
    assert late.psnr[-1] == psnr(made.picture, late.picture)
    assert seen == list(range(1, 11))


def test_where_it_parts_is_where_most_is_lost():
    assert Walked("a", (120.0, 118.0, 90.0, 89.0), np.zeros(1)).parts == 3
    assert Walked("a", (math.inf, 140.0), np.zeros(1)).parts == 2
    assert Walked("a", (80.0, 80.0), np.zeros(1)).parts is None
    assert Walked("a", (80.0,), np.zeros(1)).parts is None
    assert HIGHEST == 150.0


def test_the_chart_draws_each_walk_and_its_gate():
    def drawn(*values, gate=None):
        walks = tuple(
            Walked(f"w{i}", tuple(float(v) for v in one), np.zeros(1))
            for i, one in enumerate(values)
        )
        told = tuple(range(len(values[0]), 0, -1))
        gates = {"w0": gate} if gate else {}
        return np.asarray(chart(Parting("torch", np.zeros(1), told, walks), gates))

    high, low = drawn([100] * 5), drawn([40] * 5)
    blue = np.array([0, 114, 178])
    rows = [np.where((page == blue).all(axis=2).sum(axis=1) > 300)[0] for page in (high, low)]
    assert all(len(row) for row in rows)
    assert rows[0].mean() < rows[1].mean()  # more dB is further up
    gated = drawn([100] * 5, gate=60.0)
    assert (gated != high).any()
    orange = np.array([213, 94, 0])
    assert not (high == orange).all(axis=2).any()
    assert (drawn([100] * 5, [50] * 5) == orange).all(axis=2).any()
    # Equal walks and walks of one move are drawn too.
    assert drawn([math.inf]).shape == high.shape
