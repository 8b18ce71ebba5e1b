"""The trajectory: who passes, who fails and by what, and what is walked at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.errors import ProgramError, RequestError
from lading.formats import Runtime
from lading.interface import Interface, Options, wrap
from lading.interface.original import TorchSide
from lading.proof import probes
from lading.proof import trajectory as trajectories
from lading.proof.metrics import psnr
from lading.proof.trajectory import STEPS, Course, Taken
from lading.proof.trajectory.course import GATES
from lading.record import Comparison, Measurement, Port, Task, Trajectory
from lading.task.diffusion import notes
from lading.task.diffusion.noise import normal
from lading.task.diffusion.samplers import DDPM, walk
from tests.standin import Fake

SIZE = 8
NOTES = {
    "diffusion_steps": "1000", "noise_schedule": "linear", "timestep_respacing": "",
    "rescale_timesteps": "false", "predict_xstart": "false", "learn_sigma": "true",
}  # fmt: skip
X = Port("x", "tensor", "float32", (1, 1, SIZE, SIZE), value_range=(-1.0, 1.0))
TIME = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 999.0))
CLASS = Port("y", "tensor", "int32", (1,), value_range=(0.0, 4.0))
LOW = Port("low_res", "tensor", "float32", (1, 1, 4, 4), value_range=(-1.0, 1.0))
OUT = Port("prediction", "tensor", "float32", (1, 2, SIZE, SIZE))


class Toy(nn.Module):
    """Something smooth that heeds the time; what stands beside is heard."""

    def forward(
        self, x: torch.Tensor, timesteps: torch.Tensor, y: Any = None, low_res: Any = None
    ) -> Any:
        share = timesteps.to(torch.float32).reshape(-1, 1, 1, 1) / 1000.0
        noise = torch.tanh(x) * (0.5 + 0.5 * share)
        for one in (y, low_res):
            noise = noise if one is None else noise + 0.3 * one.to(torch.float32).mean()
        return torch.cat([noise, torch.sin(x)], dim=1)


def interface(*more: Port, options: Options | None = None, **told: str) -> Interface:
    task = Task("diffusion", (X, TIME, *more), (OUT,), notes={**NOTES, **told})
    return wrap(Toy(), task, options or Options())


class Other:
    """The original with `change(x, t, answer)` for an answer; remembers what it was fed."""

    def __init__(self, one: Interface, change: Callable[..., Any] = lambda x, t, a: a) -> None:
        self.side, self.change, self.fed = TorchSide(one), change, list[dict[str, Any]]()

    def run(self, inputs: Any) -> dict[str, Any]:
        self.fed.append(dict(inputs))
        answers = self.side.run(inputs)
        t = inputs["timesteps"][0]
        return {name: self.change(inputs["x"], t, answer) for name, answer in answers.items()}


def made(
    one: Interface, steps: int | None = None, tell: Callable[[str], None] = lambda text: None
) -> Course:
    first = probes.make(one)[0].inputs
    found = trajectories.course(one, steps, first, tell, lambda stage, detail: None)
    assert found is not None
    return found


def artifact(one: Interface, side: Any, precision: str = "fp32") -> Fake:
    """`side` in several runtimes."""
    fake = Fake(one, side, precision)
    kinds: list[tuple[str, str, Any]] = [
        ("onnxruntime", "ONNX Runtime (CPU)", None), ("mil", "lading.coreml.mil", None),
        ("neuralnetwork_fp16", "lading.coreml.neuralnetwork", "fp16"), ("coreml", "Core ML", None),
    ]  # fmt: skip
    fake.format.runtimes = tuple(
        Runtime(name, title, precision=own, opens=lambda path: side) for name, title, own in kinds
    )
    return fake


def compared(runtime: str = "onnxruntime", verdict: Any = "pass", reason: str = "") -> Comparison:
    found = (Measurement("prediction", "psnr", 90.0, 60.0, ""),)
    return Comparison(
        "a.fake", runtime, "torch", 5, found if verdict == "pass" else (), (), verdict, reason
    )


def held(course: Course, opened: Fake, *comparisons: Comparison) -> tuple[Taken, ...]:
    return course.beside(opened, opened.record, comparisons or (compared(),))


def beside(
    one: Interface, side: Any, precision: str = "fp32", *, steps: int | None = None,
    comparison: Comparison | None = None,
) -> Taken:  # fmt: skip
    (taken,) = held(made(one, steps), artifact(one, side, precision), comparison or compared())
    return taken


def test_the_original_beside_itself_is_equal_at_every_move() -> None:
    one = interface()
    taken = beside(one, Other(one))
    record = taken.record
    assert record.psnr == (math.inf,) * STEPS == (math.inf,) * 25
    assert record.timesteps[0] == 999.0
    assert record.timesteps[-1] == 0.0
    assert len(record.timesteps) == record.steps == 25
    assert (record.sampler, record.seed, record.parts) == ("ddim", 0, None)
    assert (record.verdict, record.passed, record.reason) == ("pass", True, "")
    assert [frame.shape for frame in taken.frames] == [(1, 1, SIZE, SIZE)] * 4


def test_what_is_right_at_every_probe_and_wrong_between_them_fails() -> None:
    one = interface()
    wrong = Other(one, lambda x, t, a: a + np.float32(0.2 if 100 < t < 400 else 0.0))
    for probe in probes.make(one):
        want, got = TorchSide(one).run(probe.inputs), wrong.run(probe.inputs)
        assert psnr(want["prediction"], got["prediction"]) == math.inf
    record = beside(one, wrong).record
    assert record.verdict == "fail"
    assert not record.passed
    first = next(move for move, told in enumerate(record.timesteps, start=1) if 100 < told < 400)
    assert record.psnr[: first - 1] == (math.inf,) * (first - 1)
    assert math.isfinite(record.psnr[first - 1])
    assert record.parts == first
    assert record.reason == (
        f"the trajectory ends {record.psnr[-1]:.4g} dB from the original's after 25 moves, "
        f"gate 60 dB, parting at move {first}"
    )


def test_another_scale_of_time_fails() -> None:
    one = interface()

    class Halved(Other):
        def run(self, inputs: Any) -> dict[str, Any]:
            return super().run({**inputs, "timesteps": inputs["timesteps"] // 2})

    assert beside(one, Halved(one), "fp16").record.verdict == "fail"


@pytest.mark.parametrize(("precision", "verdict"), [("fp32", "fail"), ("fp16", "pass")])
def test_the_gate_is_that_of_the_precision(precision: str, verdict: str) -> None:
    one = interface()
    coarse = Other(one, lambda x, t, a: a.astype(np.float16).astype(np.float32) * 1.003)
    record = beside(one, coarse, precision).record
    assert GATES["fp16"] < record.psnr[-1] < GATES["fp32"]
    assert (record.gate, record.verdict) == (GATES[precision], verdict)
    # A runtime that computes in less has the gate of what it computes in.
    record = beside(one, coarse, comparison=compared("neuralnetwork_fp16")).record
    assert (record.gate, record.verdict) == (35.0, "pass")


def test_the_end_decides_and_not_the_lowest() -> None:
    record = Trajectory("a", "b", "ddim", 3, 0, (2.0, 1.0, 0.0), (90.0, 20.0, 61.0), 2, 60.0, "",
                        "pass")  # fmt: skip
    assert record.passed
    assert not Trajectory(**{**vars(record), "psnr": (90.0, 90.0, 59.9)}).passed
    assert not Trajectory(**{**vars(record), "psnr": (90.0, 90.0)}).passed  # broke off
    assert not Trajectory(**{**vars(record), "psnr": (90.0, 90.0, math.nan)}).passed
    assert not Trajectory(**{**vars(record), "psnr": (), "steps": 0}).passed


def test_not_a_number_fails() -> None:
    one = interface()
    lost = Other(one, lambda x, t, a: a if t > 500 else np.full_like(a, np.nan))
    record = beside(one, lost).record
    first = next(move for move, told in enumerate(record.timesteps, start=1) if told <= 500)
    assert record.verdict == "fail"
    assert math.isnan(record.psnr[-1])
    assert record.parts == first
    assert "ends nan dB" in record.reason


def test_a_walk_that_breaks_off_fails_and_says_why() -> None:
    one = interface()

    def stop(x: Any, t: Any, a: Any) -> Any:
        if t < 900:
            raise ProgramError("A.onnx", found="a tear", expected="none", remedy="mend it")
        return a

    taken = beside(one, Other(one, stop))
    assert taken.record.verdict == "fail"
    assert len(taken.record.psnr) == 3
    assert taken.record.reason.startswith("the walk broke off after 3 of 25 moves: ")
    assert "a tear" in taken.record.reason
    short = beside(one, Other(one, lambda x, t, a: a[:, :1])).record
    assert short.verdict == "fail"
    assert "broke off after 0 of 25 moves" in short.reason


def test_what_was_not_compared_is_not_walked() -> None:
    one = interface()
    session = Other(one)
    absent = beside(one, session, comparison=compared("coreml", "not run", "no Mac")).record
    assert (absent.verdict, absent.reason, absent.psnr) == ("not run", "no Mac", ())
    broken = beside(one, session, comparison=compared(verdict="fail", reason="no output")).record
    assert (broken.verdict, broken.reason) == ("not run", "no output")
    assert session.fed == []


def test_what_else_a_network_takes_is_the_same_on_every_walk() -> None:
    one = interface(CLASS, LOW)
    session = Other(one)
    assert beside(one, session, steps=3).record.verdict == "pass"
    low = probes.make(one)[0].inputs["low_res"]
    assert low.min() < low.max()
    for fed in session.fed:
        assert fed["y"].dtype == np.int32
        assert fed["y"].tolist() == [0]
        assert fed["low_res"].tobytes() == low.tobytes()
    # They are heard: another class leads elsewhere.
    other = Other(one)
    run = other.side.run
    other.side.run = lambda inputs: run({**inputs, "y": inputs["y"] + 1})  # type: ignore[method-assign]
    assert beside(one, other, steps=3).record.verdict == "fail"


def test_the_original_walks_once_for_all() -> None:
    one = interface()
    stages: list[tuple[str, str]] = []
    course = trajectories.course(
        one, 4, probes.make(one)[0].inputs, print, lambda *told: stages.append(told)
    )
    assert course is not None
    for _ in range(2):
        held(course, artifact(one, Other(one)), compared(), compared("mil"))
    assert [stage for stage, _ in stages] == ["trajectory"] * 5
    assert stages[0][1] == "4 moves of ddim in PyTorch (the untouched original)"
    assert stages[1][1] == "fake in ONNX Runtime (CPU)"
    assert course.shown == (2, 3, 4)


def test_two_walks_are_one() -> None:
    one = interface()
    noisy = lambda x, t, a: a.astype(np.float16).astype(np.float32)  # noqa: E731
    walks = [beside(one, Other(one, noisy)) for _ in range(2)]
    assert walks[0].record == walks[1].record
    drawn = [trajectories.pictures(made(one), [walk]) for walk in walks]
    assert drawn[0] == drawn[1]


def test_no_more_moves_than_were_trained() -> None:
    one = interface(diffusion_steps="100")
    assert made(one, 500).way.timesteps == tuple(float(step) for step in reversed(range(100)))


# ------------------------------------------------------------------------------------------- a step
def test_a_step_is_walked_by_itself_as_the_sampler_walks_the_network() -> None:
    walked = made(interface(options=Options(part="ddim"), timestep_respacing="25"))
    assert walked.way.sampler == "ddim step"
    assert walked.way.timesteps == tuple(float(left) for left in reversed(range(25)))
    trail = made(interface(timestep_respacing="25")).trail
    assert len(trail) == len(walked.trail) == 25
    # The step computes in float32 with tables of float32; so does the sampler.
    assert min(psnr(a, b) for a, b in zip(trail, walked.trail, strict=True)) > 110.0


def sampled(sampler: DDPM) -> list[Any]:
    """The network's own walk by a sampler, in numpy."""
    one = interface(timestep_respacing="25")
    session = TorchSide(one)
    process = notes.process(one.task.notes)

    def model(x: Any, t: Any) -> Any:
        return session.run({"x": x, "timesteps": t.astype(np.int32)})["prediction"]

    return [step.x for step in walk(model, process, sampler, X.shape, 0)]


def test_an_ancestral_step_draws_the_samplers_noise() -> None:
    walked = made(interface(options=Options(part="ddpm"), timestep_respacing="25"))
    assert walked.way.sampler == "ddpm step"
    trail = sampled(DDPM())
    assert min(psnr(a, b) for a, b in zip(trail, walked.trail, strict=True)) > 110.0


def test_of_a_long_schedule_a_step_walks_the_last_moves_from_a_noisy_picture() -> None:
    one = interface(options=Options(part="ddim"))
    course = made(one, 10)
    assert course.way.timesteps == tuple(float(left) for left in reversed(range(10)))
    session = Other(one)
    (taken,) = held(course, artifact(one, session))
    assert taken.record.verdict == "pass"
    picture = probes.make(one)[0].inputs["x"]
    kept = float(notes.process(one.task.notes).schedule.kept[9])
    start = np.sqrt(kept) * picture + np.sqrt(1 - kept) * normal(0, 0, 0, X.shape)
    # Rounded to float32 once more or less; the next step's noise would be 1e-2 away.
    assert np.abs(session.fed[0]["x"] - start).max() < 1e-6
    assert [int(fed["timesteps"][0]) for fed in session.fed] == list(reversed(range(10)))
    assert len({fed["noise"].tobytes() for fed in session.fed}) == 10


# ---------------------------------------------------------------------------- whether there is one
def test_none_where_none_is_wanted_or_can_be() -> None:
    told: list[str] = []
    one = interface()
    first = probes.make(one)[0].inputs
    assert trajectories.course(one, 0, first, told.append, print) is None
    assert told == []
    del one.task.notes["noise_schedule"]  # type: ignore[attr-defined]
    assert trajectories.course(one, None, first, told.append, print) is None
    (notice,) = told
    assert notice.startswith("no trajectory was walked: the notes of this network")
    assert "noise_schedule" in notice


def segmentation() -> Interface:
    port = Port("x", "tensor", "float32", (1, 1, 8, 8))
    return wrap(nn.Identity(), Task("segmentation", (port,), (port,)), Options())


def test_other_networks_are_not_walked() -> None:
    assert trajectories.course(segmentation(), None, {}, print, print) is None
    assert trajectories.course(segmentation(), 0, {}, print, print) is None
    with pytest.raises(RequestError) as caught:
        trajectories.course(segmentation(), 5, {}, print, print)
    assert caught.value.subject == "--trajectory 5"
    assert caught.value.found == "a segmentation network"
    assert caught.value.expected == "a diffusion network, which walks from noise to a picture"
    assert caught.value.remedy == "leave --trajectory out"
