"""Walks by a sampler, held against the original's: numbers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lading.proof.metrics import psnr
from lading.proof.trajectory import Course, parts, sampled
from lading.record import Port, Task
from lading.task.diffusion.samplers import DDIM, DDPM, Process, RePaint, Sampler
from lading.task.diffusion.schedule import Schedule

SHAPE = (1, 1, 8, 8)
PROCESS = Process(Schedule.of("linear", 1000, "10"), variance="fixed small")
PORTS = (Port("x", "tensor", "float32", SHAPE), Port("t", "tensor", "int32", (1,)))
TASK = Task("diffusion", PORTS, (Port("out", "tensor", "float32", SHAPE),))


def plain(fed: Any) -> Any:
    return {"out": np.tanh(fed["x"])}


def off_by(amount: float, since: int = 999) -> Any:
    """The same network, wrong by `amount` from step `since` down."""
    return lambda fed: {
        "out": np.tanh(fed["x"]) + np.float32(amount if fed["t"][0] <= since else 0.0)
    }


def course(sampler: Sampler, moved: Any = lambda: None) -> Course:
    way = sampled("some", TASK, PROCESS, sampler, seed=4)
    return Course(way, plain, PORTS, moved=moved)


@pytest.mark.parametrize("sampler", [DDIM(), DDPM()])
def test_one_network_beside_itself_is_equal_at_every_move(sampler: Sampler) -> None:
    walk = course(sampler)
    taken = walk.held(walk.record("b", "mil", "fp32"), plain, PORTS)
    assert taken.record.psnr == (math.inf,) * 10
    assert (taken.record.parts, taken.record.verdict, taken.record.seed) == (None, "pass", 4)
    assert (walk.trail[-1] == taken.frames[-1]).all()
    assert taken.record.timesteps == (999, 888, 777, 666, 555, 444, 333, 222, 111, 0)


def test_a_fault_shows_from_the_move_where_it_begins() -> None:
    seen: list[int] = []
    walk = course(DDIM(), lambda: seen.append(len(seen)))
    early, late = (
        walk.held(walk.record("b", "mil", "fp32"), network, PORTS)
        for network in (off_by(0.01), off_by(0.01, since=500))
    )
    assert late.record.psnr[:5] == (math.inf,) * 5
    assert all(math.isfinite(value) for value in late.record.psnr[5:])
    assert late.record.parts == 6
    assert math.isfinite(early.record.psnr[0])
    assert late.record.psnr[-1] == psnr(walk.trail[-1], late.frames[-1])
    assert len(seen) == 30  # three walks of ten moves


def test_where_it_parts_is_where_most_is_lost() -> None:
    assert parts((120.0, 118.0, 90.0, 89.0)) == 3
    assert parts((math.inf, 140.0)) == 2
    assert parts((math.inf, 160.0)) is None  # both count as equal
    assert parts((80.0, 80.0)) is None
    assert parts((80.0,)) is None


def test_a_move_forth_tells_the_network_nothing() -> None:
    known = RePaint(np.zeros(SHAPE), np.ones(SHAPE), jump=2, repeats=2)
    told = sampled("repaint", TASK, PROCESS, known).timesteps
    plan = known.plan(10)
    assert [math.isnan(one) for one in told] == [not move.back for move in plan]
    assert any(map(math.isnan, told))
