"""How noise grows over the steps of a diffusion, and every coefficient that follows from it.

Plain numpy in float64; no network and no torch. A `Schedule` is the process that was trained or a
respaced one: fewer steps, each standing for several of the trained ones.

Sources, by these names below:

- Ho 2020: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", arXiv 2006.11239.
- Nichol 2021: A. Nichol, P. Dhariwal, "Improved denoising diffusion probabilistic models", arXiv
  2102.09672.
- Song 2021: J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", arXiv 2010.02502.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import RequestError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: The number of steps for which the linear schedule's ends were chosen, and in whose units
#: networks with rescaled time steps are given the time.
UNIT = 1000
#: Of the cosine schedule: the offset that keeps the first steps from being too small, and the
#: largest variance (Nichol 2021, section 3.2).
OFFSET, LARGEST = 0.008, 0.999


def linear(steps: int) -> Floats:
    """Variances from 1e-4 to 0.02, both times 1000 / `steps`. Source: Ho 2020, section 4.

    >>> linear(1000)[[0, -1]].tolist()
    [0.0001, 0.02]
    """
    scale = UNIT / steps
    return np.linspace(scale * 1e-4, scale * 0.02, steps, dtype=np.float64)


def cosine(steps: int) -> Floats:
    """Variances for which what is left of the signal falls as cos². Source: Nichol 2021, eq. 17.

    >>> float(cosine(1000)[-1])
    0.999
    """
    kept = np.cos((np.arange(steps + 1) / steps + OFFSET) / (1 + OFFSET) * np.pi / 2) ** 2
    variances: Floats = np.minimum(1.0 - kept[1:] / kept[:-1], LARGEST)
    return variances


#: By the names that configurations use (guided-diffusion's ``noise_schedule``).
BETAS: dict[str, Callable[[int], Floats]] = {"linear": linear, "cosine": cosine}


def betas(name: str, steps: int) -> Floats:
    """The variances of the noise that each of `steps` steps adds, float64 [steps].

    Raises:
        RequestError: no such schedule, or a number of steps for which it gives no variances.
    """
    if name not in BETAS:
        raise RequestError(
            f"noise schedule {name}",
            found=repr(name),
            expected=" or ".join(BETAS),
            remedy="name the schedule that the network was trained with",
        )
    values = BETAS[name](steps) if steps > 0 else np.zeros(0)
    if not values.size or not (values.min() > 0 and values.max() <= 1):
        raise RequestError(
            f"noise schedule {name} of {steps} steps",
            found=f"variances up to {values.max():.3g}" if values.size else "no step",
            expected="variances above 0 and no larger than 1",
            remedy="use the number of steps that the network was trained with, usually 1000",
        )
    return values


def spaced(trained: int, text: str) -> Integers:
    """Which of `trained` steps a respacing keeps, int64, ascending.

    Args:
        trained: number of steps of the trained process.
        text: ``""`` for all; ``"250"`` for so many, first and last among them, evenly spread;
            ``"10,10,20"`` for so many of each of three equal sections; ``"ddim50"`` for every k-th
            step from 0 where some whole k gives exactly 50.

    Raises:
        RequestError: the text is none of these, or asks for more steps than there are.

    Source: Nichol 2021, section 4, and the spacings that its authors' configurations name.

    >>> spaced(1000, "5").tolist()
    [0, 250, 500, 749, 999]
    >>> spaced(1000, "ddim4").tolist()
    [0, 250, 500, 750]
    >>> spaced(12, "2,1").tolist()
    [0, 5, 6]
    """
    compact = text.replace(" ", "")
    if not compact:
        return np.arange(trained)
    if re.fullmatch(r"ddim\d+", compact):
        return _strided(trained, int(compact[4:]), text)
    if not re.fullmatch(r"\d+(,\d+)*", compact):
        raise RequestError(
            f"respacing {text}",
            found=repr(text),
            expected='a number of steps such as 250, sections such as 10,10,20, or "ddim50"',
            remedy="correct the respacing",
        )
    counts = [int(part) for part in compact.split(",")]
    size, longer = divmod(trained, len(counts))
    kept: list[int] = []
    start = 0
    for number, count in enumerate(counts):
        length = size + (number < longer)
        if not 0 < count <= length:
            raise _too_many(text, count, length, trained, len(counts))
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        kept += [start + round(stride * place) for place in range(count)]
        start += length
    return np.array(kept, dtype=np.int64)


def _strided(trained: int, count: int, text: str) -> Integers:
    if not 0 < count <= trained:
        raise _too_many(text, count, trained, trained, 1)
    for stride in range(1, trained + 1):
        steps = np.arange(0, trained, stride)
        if len(steps) == count:
            return steps
    raise RequestError(
        f"respacing {text}",
        found=f"no whole stride that leaves {count} of {trained} steps",
        expected="a number of steps that some stride leaves, such as "
        + " or ".join(
            f"ddim{len(range(0, trained, k))}" for k in (trained // count + 1, trained // count)
        ),
        remedy=f"use one of these, or {count} for steps that are evenly spread",
    )


def _too_many(text: str, count: int, length: int, trained: int, sections: int) -> RequestError:
    where = f"a section of {length} of the {trained}" if sections > 1 else f"{trained}"
    return RequestError(
        f"respacing {text}",
        found=f"{count} steps",
        expected=f"1 to {length}: the network was trained with {where} steps",
        remedy="ask for fewer steps" if count else "ask for at least one step",
    )


@dataclass(frozen=True, eq=False)
class Schedule:
    """The tables of one process; index 0 is the step nearest to the picture.

    Attributes:
        betas: variance of the noise that each step adds, float64 [T].
        timesteps: which step of the trained process each is, int64 [T], ascending.
        trained: number of steps of the trained process.
        rescaled: whether the network is given the time in thousandths of the whole
            (guided-diffusion's ``rescale_timesteps``) and not as the number of the step.

    >>> schedule = Schedule.of("linear", 1000)
    >>> schedule.steps, round(float(schedule.kept[-1]), 8)
    (1000, 4.036e-05)
    >>> short = Schedule.of("linear", 1000, "250")
    >>> short.steps, bool(np.isclose(short.kept[-1], schedule.kept[-1], rtol=1e-12))
    (250, True)
    """

    betas: Floats
    timesteps: Integers
    trained: int
    rescaled: bool = False

    @staticmethod
    def of(name: str, trained: int, respacing: str = "", *, rescaled: bool = False) -> Schedule:
        """The schedule called `name` of `trained` steps, respaced.

        A respaced step has the variance that leaves as much of the signal as the trained process
        leaves there: 1 - kept[t] / kept[t before]. Source: Nichol 2021, equation 19.

        Raises:
            RequestError: no such schedule or respacing; see `betas` and `spaced`.
        """
        all_kept = np.cumprod(1.0 - betas(name, trained))
        timesteps = spaced(trained, respacing)
        kept = all_kept[timesteps]
        if len(timesteps) == trained:
            return Schedule(betas(name, trained), timesteps, trained, rescaled)
        return Schedule(1.0 - kept / np.append(1.0, kept[:-1]), timesteps, trained, rescaled)

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.betas)

    @cached_property
    def kept(self) -> Floats:
        """ᾱ: share of the signal's variance left after each step. Source: Ho 2020, equation 4."""
        values: Floats = np.cumprod(1.0 - self.betas, dtype=np.float64)
        return values

    @cached_property
    def before(self) -> Floats:
        """ᾱ of the step before each; 1 before the first."""
        return np.append(1.0, self.kept[:-1])

    @cached_property
    def posterior_variance(self) -> Floats:
        """β̃: variance of x before a step, given x after it and the picture; 0 at the first step.

        Source: Ho 2020, equation 7.
        """
        values: Floats = self.betas * (1.0 - self.before) / (1.0 - self.kept)
        return values

    @cached_property
    def posterior_log_variance(self) -> Floats:
        """log β̃, at the first step that of the second (of β where there is only one step).

        Source: Nichol 2021, section 3.1: the first is 0, whose logarithm a network cannot learn.
        """
        first = self.posterior_variance[1] if self.steps > 1 else self.betas[0]
        values: Floats = np.log(np.append(first, self.posterior_variance[1:]))
        return values

    @cached_property
    def posterior_of_picture(self) -> Floats:
        """What the picture counts for in the posterior's mean. Source: Ho 2020, equation 7."""
        values: Floats = self.betas * np.sqrt(self.before) / (1.0 - self.kept)
        return values

    @cached_property
    def posterior_of_now(self) -> Floats:
        """What x after the step counts for in the posterior's mean. Source: Ho 2020, equation 7."""
        values: Floats = (1.0 - self.before) * np.sqrt(1.0 - self.betas) / (1.0 - self.kept)
        return values

    @cached_property
    def large_log_variance(self) -> Floats:
        """log β, at the first step log β̃ of the second: the larger of the two fixed variances.

        Source: Ho 2020, section 3.2; the first as in its authors' code, for a better likelihood.
        """
        first = self.posterior_variance[1] if self.steps > 1 else self.betas[0]
        values: Floats = np.log(np.append(first, self.betas[1:]))
        return values

    def timestep(self, index: int) -> float | int:
        """What the network is given at step `index`: the trained step, or its place in 1000.

        Raises:
            RequestError: there is no such step.

        >>> Schedule.of("cosine", 4000, "ddim4", rescaled=True).timestep(3)
        750.0
        """
        if not 0 <= index < self.steps:
            raise RequestError(
                f"step {index}",
                found=str(index),
                expected=f"0 to {self.steps - 1}",
                remedy="count steps from 0, the one nearest to the picture",
            )
        step = int(self.timesteps[index])
        return step * UNIT / self.trained if self.rescaled else step

    def noised(self, x: Any, index: int, noise: Any) -> Any:
        """The picture `x` after step `index`, given standard normal `noise` of its shape.

        Source: Ho 2020, equation 4.
        """
        kept = self.kept[index]
        return np.sqrt(kept) * x + np.sqrt(1.0 - kept) * noise
