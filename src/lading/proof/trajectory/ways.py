"""How a network of the family is walked: by a sampler, or by the step that it holds itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lading.interface import Interface
from lading.record import Port, Task
from lading.task.diffusion import notes
from lading.task.diffusion.denoiser import Array, Denoiser, Run
from lading.task.diffusion.noise import normal
from lading.task.diffusion.samplers import DDIM, Process, Sampler, walk

#: Of the noise: the first picture of seed 0.
SEED = 0
#: The class of a class-conditional network.
LABEL = 0


@dataclass(frozen=True)
class Way:
    """How a network is walked.

    Attributes:
        sampler: see `record.Trajectory`.
        seed: of the noise.
        timesteps: what the network is given at each move; NaN for a move forth.
        walk: x after every move of a network with these ports, which are in the network's order.
    """

    sampler: str
    seed: int
    timesteps: tuple[float, ...]
    walk: Callable[[Run, Sequence[Port]], Iterator[Array]]


def way(interface: Interface, steps: int, inputs: Mapping[str, Array]) -> Way:
    """The way of a diffusion network, of at most as many moves as it was trained with steps: DDIM
    without added noise, evenly spread.

    Args:
        interface: the network, or one step around it.
        steps: moves.
        inputs: of a probe without noise, by port: what the network takes besides x, time and class
            is taken from it.

    Raises:
        RequestError: the notes do not say what the process is.
    """
    task = interface.task
    if interface.options.part != "network":
        return _stepped(interface, steps, inputs)
    trained = notes.process(task.notes, "").schedule.trained
    besides = [
        np.full(port.shape, LABEL) if meant.name == "y" else inputs[port.name]
        for port, meant in zip(interface.inputs[2:], task.inputs[2:], strict=True)
    ]
    process = notes.process(task.notes, str(min(steps, trained)))
    return sampled("ddim", task, process, DDIM(), besides=besides)


def sampled(
    name: str, task: Task, process: Process, sampler: Sampler,
    seed: int = SEED, picture: int = 0, besides: Sequence[Array] = (),
) -> Way:  # fmt: skip
    """The way of a sampler.

    Args:
        name: of the sampler.
        task: of the network.
        process: schedule and reading.
        sampler: that walks.
        seed: of the noise.
        picture: which of the pictures of that seed.
        besides: what the network takes besides x and time, in its order.
    """

    def walked(run: Run, ports: Sequence[Port]) -> Iterator[Array]:
        network = Denoiser(run, task, ports)
        pairs = zip(ports[2:], besides, strict=True)
        network.extra = {port.name: values.astype(port.dtype) for port, values in pairs}
        for step in walk(network, process, sampler, network.shape, seed, picture):
            yield step.x

    schedule = process.schedule
    timesteps = tuple(
        float(schedule.timestep(move.index)) if move.back else math.nan
        for move in sampler.plan(schedule.steps)
    )
    return Way(name, seed, timesteps, walked)


def _stepped(interface: Interface, steps: int, inputs: Mapping[str, Array]) -> Way:
    """The step's own schedule, which nobody can respace: its last moves, down to the picture.

    Where that is not the whole of it, the walk starts from a probe's picture with as much noise as
    there is at that place.
    """
    schedule = notes.process(interface.task.notes).schedule
    count = min(steps, schedule.steps)
    shape = tuple(abs(size) for size in interface.inputs[0].shape)
    start = normal(SEED, 0, 0, shape)
    if count < schedule.steps:
        start = schedule.noised(inputs[interface.inputs[0].name], count - 1, start)

    def walked(run: Run, ports: Sequence[Port]) -> Iterator[Array]:
        x, time, noise = ports
        now = start.astype(np.float32)
        for move, left in enumerate(reversed(range(count)), start=1):
            drawn = normal(SEED, 0, 2 * move, shape)
            fed = {
                x.name: now.astype(x.dtype),
                time.name: np.full(time.shape, left, dtype=time.dtype),
                noise.name: drawn.astype(noise.dtype),
            }
            now = np.asarray(next(iter(run(fed).values())), dtype=np.float32)
            yield now

    timesteps = tuple(float(left) for left in reversed(range(count)))
    return Way(f"{interface.options.part} step", SEED, timesteps, walked)
