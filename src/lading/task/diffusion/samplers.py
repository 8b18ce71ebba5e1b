"""Walks from noise to a picture: DDPM, DDIM and RePaint, over any network.

A network is any callable `model(x, t) -> array`: x float32 [N, C, *], t [N], the answer float
[N, C, *] or, with a variance beside the noise, [N, 2C, *]. PyTorch, ONNX Runtime,
`lading.coreml.mil` or a closed form all will do. The walk's own arithmetic is numpy's in float32
with coefficients from float64, or all in float64 when asked.

Sources, by these names below:

- Ho 2020: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", arXiv 2006.11239.
- Nichol 2021: A. Nichol, P. Dhariwal, "Improved denoising diffusion probabilistic models", arXiv
  2102.09672.
- Song 2021: J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", arXiv 2010.02502.
- Lugmayr 2022: A. Lugmayr et al., "RePaint: inpainting using denoising diffusion probabilistic
  models", arXiv 2201.09865.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from lading.errors import InputError, RequestError
from lading.task.diffusion.noise import normal
from lading.task.diffusion.schedule import Floats, Schedule

Array = npt.NDArray[Any]
Model = Callable[[Array, Array], Array]

#: What the variance of a step back is taken from; the first two need a second half of channels.
Variance = Literal["learned range", "learned", "fixed small", "fixed large"]
LEARNED: tuple[Variance, ...] = ("learned range", "learned")


@dataclass(frozen=True)
class Prediction:
    """What one answer of the network says, [N, C, *] each.

    Attributes:
        picture: the estimate of the picture, clipped where the process clips.
        noise: the noise that together with `picture` gives x.
        log_variance: of the step back; an array, or one number for all.
    """

    picture: Array
    noise: Array
    log_variance: Array | float


@dataclass(frozen=True)
class Process:
    """A schedule and how a network's answer is to be read.

    Attributes:
        schedule: the tables.
        gives: whether the network's first channels are the noise in x or the picture itself.
        variance: where the variance of a step back comes from.
        clip: whether estimates of the picture are kept within -1 and 1.
        dtype: of the walk's arithmetic.
    """

    schedule: Schedule
    gives: Literal["noise", "picture"] = "noise"
    variance: Variance = "learned range"
    clip: bool = True
    dtype: type[np.floating[Any]] = np.float32

    def number(self, value: float) -> Any:
        """A coefficient in the walk's own dtype, so that it does not widen an array."""
        return self.dtype(value)

    def read(self, answer: Array, x: Array, index: int) -> Prediction:
        """The answer of the network at step `index` for `x`.

        The picture from the noise: Ho 2020, equation 15. The variance between its bounds: Nichol
        2021, equation 15, the fraction (v + 1) / 2 of a network that was trained to give -1 to 1.

        Raises:
            InputError: the answer has another shape than this reading needs.
        """
        values = np.asarray(answer).astype(self.dtype, copy=False)
        channels = x.shape[1] * (2 if self.variance in LEARNED else 1)
        wanted = (x.shape[0], channels, *x.shape[2:])
        if values.shape != wanted:
            raise InputError(
                f"the network's answer at step {index}",
                found=f"shape {list(values.shape)} for x of {list(x.shape)}",
                expected=f"{list(wanted)} with a variance that is {self.variance!r}",
                remedy="check learn_sigma, and that this is a network that gives noise or pictures",
            )
        first, second = values[:, : x.shape[1]], values[:, x.shape[1] :]
        kept = self.schedule.kept[index]
        signal, hiss = self.number(np.sqrt(kept)), self.number(np.sqrt(1.0 - kept))
        picture = (x - hiss * first) / signal if self.gives == "noise" else first
        noise = first if self.gives == "noise" else (x - signal * first) / hiss
        if self.clip:
            clipped = np.clip(picture, self.number(-1.0), self.number(1.0))
            # The two always give x together.
            noise = np.where(clipped == picture, noise, (x - signal * clipped) / hiss)
            picture = clipped
        return Prediction(picture, noise, self._log_variance(second, index))

    def _log_variance(self, second: Array, index: int) -> Array | float:
        low = float(self.schedule.posterior_log_variance[index])
        if self.variance == "learned":
            return second
        if self.variance == "fixed small":
            return low
        if self.variance == "fixed large":
            return float(self.schedule.large_log_variance[index])
        high = float(np.log(self.schedule.betas[index]))
        share = (second + self.number(1.0)) * self.number(0.5)
        return np.asarray(share * self.number(high) + (self.number(1.0) - share) * self.number(low))


# ------------------------------------------------------------------------------------- single steps
def ancestral(
    process: Process, prediction: Prediction, x: Array, index: int, noise: Array
) -> Array:
    """x before step `index`, drawn from the posterior around the predicted picture.

    Source: Ho 2020, equations 6 and 7, and algorithm 2. At index 0 it is the mean alone.
    """
    schedule = process.schedule
    mean = (
        process.number(schedule.posterior_of_picture[index]) * prediction.picture
        + process.number(schedule.posterior_of_now[index]) * x
    )
    if index == 0:
        return np.asarray(mean)
    spread = np.exp(np.multiply(process.number(0.5), prediction.log_variance, dtype=process.dtype))
    return np.asarray(mean + spread * noise)


def implicit(
    process: Process, prediction: Prediction, index: int, noise: Array | None, eta: float
) -> Array:
    """x before step `index` by the implicit process; no noise is added where `eta` is 0.

    Source: Song 2021, equations 12 and 16.
    """
    sigma = float(deviation(process.schedule, eta)[index])
    before = process.schedule.before[index]
    towards = process.number(np.sqrt(max(1.0 - before - sigma**2, 0.0)))
    mean = process.number(np.sqrt(before)) * prediction.picture + towards * prediction.noise
    if sigma == 0.0 or noise is None:
        return np.asarray(mean)
    return np.asarray(mean + process.number(sigma) * noise)


def deviation(schedule: Schedule, eta: float) -> Floats:
    """σ of each step of the implicit process: 0 where `eta` is 0, Ho's posterior where it is 1.

    Source: Song 2021, equation 16.
    """
    kept, before = schedule.kept, schedule.before
    sigma: Floats = eta * np.sqrt((1 - before) / (1 - kept)) * np.sqrt(1 - kept / before)
    return sigma


def inverted(process: Process, prediction: Prediction, index: int) -> Array:
    """x after step `index + 1`, by the implicit process run backwards; x at the last step itself.

    Source: Song 2021, section 4.3: the ordinary differential equation in the other direction.
    """
    kept = process.schedule.kept
    after = kept[min(index + 1, len(kept) - 1)]
    return np.asarray(
        process.number(np.sqrt(after)) * prediction.picture
        + process.number(np.sqrt(1.0 - after)) * prediction.noise
    )


def diffused(process: Process, x: Array, index: int, noise: Array) -> Array:
    """x after step `index` from x before it: one step of the noising process.

    Source: Ho 2020, equation 2.
    """
    beta = process.schedule.betas[index]
    kept, added = process.number(np.sqrt(1.0 - beta)), process.number(np.sqrt(beta))
    return np.asarray(kept * x + added * noise)


# ----------------------------------------------------------------------------------------- samplers
@dataclass(frozen=True)
class Move:
    """One move of a walk: back over step `index` by asking the network, or forth again."""

    index: int
    back: bool = True


#: Normal values for the move at hand: 0 for the walk itself, 1 for the known part of the picture.
Draw = Callable[[int], Array]


class Sampler(Protocol):
    """A way from noise to a picture."""

    def plan(self, steps: int) -> list[Move]:
        """The moves over a schedule of `steps` steps."""
        ...

    def back(
        self, process: Process, prediction: Prediction, x: Array, index: int, draw: Draw
    ) -> Array:
        """x before step `index`."""
        ...


@dataclass(frozen=True)
class DDPM:
    """Ancestral sampling. Source: Ho 2020, algorithm 2.

    >>> [move.index for move in DDPM().plan(3)]
    [2, 1, 0]
    """

    def plan(self, steps: int) -> list[Move]:
        return [Move(index) for index in reversed(range(steps))]

    def back(
        self, process: Process, prediction: Prediction, x: Array, index: int, draw: Draw
    ) -> Array:
        return ancestral(process, prediction, x, index, draw(0) if index else x)


@dataclass(frozen=True)
class DDIM:
    """The implicit process; `eta` 0 draws nothing after the start, 1 draws as DDPM does.

    Source: Song 2021, section 4.1.
    """

    eta: float = 0.0

    def plan(self, steps: int) -> list[Move]:
        return [Move(index) for index in reversed(range(steps))]

    def back(
        self, process: Process, prediction: Prediction, x: Array, index: int, draw: Draw
    ) -> Array:
        return implicit(
            process, prediction, index, draw(0) if self.eta and index else None, self.eta
        )


@dataclass(frozen=True)
class RePaint:
    """Inpainting with a network that never learned it: what is known is put back at every step, and
    the walk goes to and fro so that the rest has time to fit it.

    Source: Lugmayr 2022, algorithm 1, and for the jumps section 4.2 with appendix B.

    Attributes:
        known: the picture, [N, C, *] or what broadcasts to it, values -1 to 1.
        mask: 1 where `known` holds and 0 where the network is to paint, of the same shape or
            broadcasting to it.
        jump: how many steps the walk goes forth at a time.
        repeats: how often each stretch is walked back.

    >>> moves = RePaint(np.zeros((1, 1, 2, 2)), np.ones((1, 1, 2, 2))).plan(250)
    >>> sum(move.back for move in moves), len(moves)
    (2410, 4570)
    """

    known: Array
    mask: Array
    jump: int = 10
    repeats: int = 10

    def plan(self, steps: int) -> list[Move]:
        left = dict.fromkeys(range(0, steps - self.jump, self.jump), self.repeats - 1)
        moves: list[Move] = []
        # `at` is the step whose noise x has: the next move back is over it.
        at = steps - 1
        while at >= 0:
            moves.append(Move(at))
            at -= 1
            if left.get(at, 0):
                left[at] -= 1
                moves += [Move(at + forth, back=False) for forth in range(1, self.jump + 1)]
                at += self.jump
        return moves

    def back(
        self, process: Process, prediction: Prediction, x: Array, index: int, draw: Draw
    ) -> Array:
        painted = ancestral(process, prediction, x, index, draw(0) if index else x)
        before = process.schedule.before[index]
        signal, hiss = process.number(np.sqrt(before)), process.number(np.sqrt(1.0 - before))
        known = signal * self.known.astype(process.dtype)
        if index:
            known = known + hiss * draw(1)
        mask = self.mask.astype(process.dtype)
        return np.asarray(mask * known + (process.number(1.0) - mask) * painted)


# -------------------------------------------------------------------------------------------- walks
@dataclass(frozen=True)
class Step:
    """Where a walk is after a move.

    Attributes:
        number: of the move, from 1.
        of: moves in all.
        index: of the schedule's step.
        timestep: what the network was given, None for a move forth.
        x: after the move, [N, C, *].
        picture: the estimate of the picture, None for a move forth.
    """

    number: int
    of: int
    index: int
    timestep: float | int | None
    x: Array
    picture: Array | None


def walk(
    model: Model,
    process: Process,
    sampler: Sampler,
    shape: tuple[int, ...],
    seed: int,
    picture: int = 0,
    start: Array | None = None,
) -> Iterator[Step]:
    """The walk from noise to a picture, move by move; the last step's x is the picture.

    Noise is `noise.normal(seed, picture, draw, shape)`: draw 0 is where the walk starts; move m,
    counted from 1, takes draw 2m for itself and 2m + 1 for the known part of the picture.

    Args:
        model: the network.
        process: schedule and reading.
        sampler: `DDPM`, `DDIM` or `RePaint`.
        shape: of x, [N, C, *].
        seed: of the noise.
        picture: which of the pictures of that seed.
        start: x to start from in place of draw 0.

    Raises:
        InputError: the network's answer does not fit.
        RequestError: the seed is out of range, or the known picture or its mask has another shape.
    """
    if isinstance(sampler, RePaint):
        require_fits(sampler, shape)
    x = normal(seed, picture, 0, shape) if start is None else start
    x = x.astype(process.dtype)
    plan = sampler.plan(process.schedule.steps)
    for number, move in enumerate(plan, start=1):

        def draw(which: int, number: int = number) -> Array:
            drawn = normal(seed, picture, 2 * number + which, shape)
            return drawn.astype(process.dtype, copy=False)

        if not move.back:
            x = diffused(process, x, move.index, draw(0))
            yield Step(number, len(plan), move.index, None, x, None)
            continue
        timestep = process.schedule.timestep(move.index)
        answer = model(x.astype(np.float32, copy=False), np.full(shape[0], timestep))
        prediction = process.read(answer, x, move.index)
        x = sampler.back(process, prediction, x, move.index, draw)
        yield Step(number, len(plan), move.index, timestep, x, prediction.picture)


def require_fits(sampler: RePaint, shape: tuple[int, ...]) -> None:
    """Passes only if the known picture and its mask belong to pictures of `shape`.

    Raises:
        RequestError: another shape, a mask that is not between 0 and 1, or no jump to speak of.
    """
    for name, array in (("known picture", sampler.known), ("mask", sampler.mask)):
        fits = array.ndim == len(shape) and all(
            mine in (1, theirs) for mine, theirs in zip(array.shape[:2], shape[:2], strict=True)
        )
        if not fits or array.shape[2:] != shape[2:]:
            raise RequestError(
                f"the {name} for RePaint",
                found=f"shape {list(array.shape)}",
                expected=f"{list(shape)}, as the network's pictures",
                remedy=f"give a {name} of {' x '.join(map(str, shape[2:]))}",
            )
    if sampler.mask.min() < 0 or sampler.mask.max() > 1:
        raise RequestError(
            "the mask for RePaint",
            found=f"values from {sampler.mask.min():g} to {sampler.mask.max():g}",
            expected="1 where the picture is known, 0 where it is to be painted",
            remedy="scale the mask to 0 and 1",
        )
    if sampler.jump < 1 or sampler.repeats < 1:
        raise RequestError(
            f"RePaint with jumps of {sampler.jump}, {sampler.repeats} times",
            found="a number below 1",
            expected="both at least 1; 1 time is no jump at all",
            remedy="leave both out for 10 and 10",
        )


def coefficients(schedule: Schedule) -> dict[str, Floats]:
    """What one ancestral step needs, by name, float64 [T] each: for a loop written elsewhere.

    >>> sorted(coefficients(Schedule.of("cosine", 4)))
    ['log_high', 'log_low', 'noise', 'of_now', 'of_picture', 'signal']
    """
    return {
        "signal": np.sqrt(schedule.kept),
        "noise": np.sqrt(1.0 - schedule.kept),
        "of_picture": schedule.posterior_of_picture,
        "of_now": schedule.posterior_of_now,
        "log_low": schedule.posterior_log_variance,
        "log_high": np.log(schedule.betas),
    }
