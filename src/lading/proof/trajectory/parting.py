"""Where walks part: several networks on one trajectory, compared move by move.

The same seed gives every network the same noise, so that whatever differs comes from the networks.
Each walks on its own values: an early difference is carried along, as it will be in an app.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lading.proof.metrics import psnr
from lading.task.diffusion.samplers import Array, Model, Process, Sampler, Step, walk

#: What counts as equal: more would be below float32's own resolution. It is where a chart ends.
HIGHEST = 150.0


@dataclass(frozen=True)
class Walked:
    """One network's walk beside the reference's.

    Attributes:
        name: of the network.
        psnr: after every move, of x against the reference's x, in dB; infinite where equal.
        picture: the last x, [N, C, *].
    """

    name: str
    psnr: tuple[float, ...]
    picture: Array

    @property
    def parts(self) -> int | None:
        """See `parts`."""
        return parts(self.psnr)


def parts(psnr: Sequence[float]) -> int | None:
    """The move, from 2, over which most dB are lost; None where none are. What is not a number is
    the end of all dB, at the first move too.

    >>> parts((120.0, 118.0, 90.0, 89.0)), parts((80.0, 80.0)), parts((math.nan, math.nan))
    (3, None, 1)
    """
    for move, value in enumerate(psnr, start=1):
        if math.isnan(value):
            return move
    shown = [min(value, HIGHEST) for value in psnr]
    falls = [before - after for before, after in pairwise(shown)]
    worst = max(range(len(falls)), key=lambda i: falls[i], default=0)
    return worst + 2 if falls and falls[worst] > 0 else None


@dataclass(frozen=True)
class Parting:
    """Walks over one trajectory.

    Attributes:
        reference: name of the network that the others are compared with.
        picture: its last x.
        told: what the networks were told at each move; None for a move forth.
        walks: the others'.
    """

    reference: str
    picture: Array
    told: tuple[float | int | None, ...]
    walks: tuple[Walked, ...]


def part(
    reference: tuple[str, Model],
    others: Mapping[str, Model],
    process: Process,
    sampler: Sampler,
    shape: tuple[int, ...],
    seed: int,
    picture: int = 0,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Parting:
    """Walks every network from the same noise and compares after each move.

    Args:
        reference: the name and the network that the others are held against.
        others: by name.
        process: schedule and reading, for all.
        sampler: for all.
        shape: of x.
        seed: of the noise, for all.
        picture: which of the pictures of that seed.
        on_step: told of each of the reference's moves, when all have made it.

    Raises:
        InputError, RequestError: see `diffusion.samplers.walk`.
    """
    models = (reference[1], *others.values())
    walks = [walk(model, process, sampler, shape, seed, picture) for model in models]
    told: list[float | int | None] = []
    found: dict[str, list[float]] = {name: [] for name in others}
    last: list[Array] = []
    for steps in zip(*walks, strict=True):
        first, *rest = steps
        told.append(first.told)
        for name, step in zip(others, rest, strict=True):
            found[name].append(psnr(first.x, step.x))
        last = [step.x for step in steps]
        on_step(first)
    walked = tuple(
        Walked(name, tuple(found[name]), x) for name, x in zip(others, last[1:], strict=True)
    )
    return Parting(reference[0], last[0], tuple(told), walked)
