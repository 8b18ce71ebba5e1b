"""How a network of the family is walked: by the sampler, or by the step that it holds itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lading.interface import Interface
from lading.proof.trajectory.network import Network
from lading.record import Port
from lading.runtimes import Array, Session
from lading.task.diffusion import notes
from lading.task.diffusion.noise import normal
from lading.task.diffusion.samplers import DDIM, Sampler, walk

#: Of the noise: the first picture of seed 0.
SEED = 0
#: The class of a class-conditional network.
LABEL = 0


@dataclass(frozen=True)
class Way:
    """How a network is walked.

    Attributes:
        sampler: see `evidence.Trajectory`.
        told: what the network is told at each move.
        walk: x after every move of a session with these ports, which are in the network's order.
    """

    sampler: str
    told: tuple[float, ...]
    walk: Callable[[Session, Sequence[Port]], Iterator[Array]]


def way(interface: Interface, steps: int, inputs: Mapping[str, Array]) -> Way:
    """The way of a diffusion network, of at most as many moves as it was trained with steps.

    Args:
        interface: the network, or one step around it.
        steps: moves.
        inputs: of a probe without noise, by port: what the network takes besides x, time and class
            is taken from it.

    Raises:
        RequestError: the notes do not say what the process is.
    """
    if interface.options.part == "network":
        return _of_network(interface, steps, inputs)
    return _of_step(interface, steps, inputs)


def _of_network(interface: Interface, steps: int, inputs: Mapping[str, Array]) -> Way:
    """DDIM without added noise, evenly spread over the trained steps."""
    trained = notes.process(interface.task.notes, "").schedule.trained
    process = notes.process(interface.task.notes, str(min(steps, trained)))
    sampler: Sampler = DDIM()
    besides = [
        np.full(port.shape, LABEL) if meant.name == "y" else inputs[port.name]
        for port, meant in zip(interface.inputs[2:], interface.task.inputs[2:], strict=True)
    ]

    def taken(session: Session, ports: Sequence[Port]) -> Iterator[Array]:
        network = Network(session, interface.task, tuple(ports), title="the network")
        pairs = zip(ports[2:], besides, strict=True)
        network.extra = {port.name: values.astype(port.dtype) for port, values in pairs}
        for step in walk(network, process, sampler, network.shape, SEED):
            yield step.x

    plan = sampler.plan(process.schedule.steps)
    return Way("ddim", tuple(float(process.schedule.told(move.index)) for move in plan), taken)


def _of_step(interface: Interface, steps: int, inputs: Mapping[str, Array]) -> Way:
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

    def taken(session: Session, ports: Sequence[Port]) -> Iterator[Array]:
        x, time, noise = ports
        now = start.astype(np.float32)
        for move, left in enumerate(reversed(range(count)), start=1):
            drawn = normal(SEED, 0, 2 * move, shape)
            fed = {
                x.name: now.astype(x.dtype),
                time.name: np.full(time.shape, left, dtype=time.dtype),
                noise.name: drawn.astype(noise.dtype),
            }
            now = np.asarray(next(iter(session.run(fed).values())), dtype=np.float32)
            yield now

    told = tuple(float(left) for left in reversed(range(count)))
    return Way(f"{interface.options.part} step", told, taken)
