"""Which of several candidates is best, on the same samples: paired differences with intervals.

All candidates see the same pictures with the same noise, so that what a sample is like takes no
part in the comparison. The interval of a mean difference is Student's, one-sided, its level shared
among all comparisons and looks (Bonferroni), and the wider of that over samples and that over the
pictures' means: many draws of noise on few pictures are no more evidence than the pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
K = TypeVar("K", bound=Hashable)

#: A wrong candidate is called right in no more than this share of races.
RISK = 0.01
#: Samples at each look. Whoever is worse with confidence takes no further part.
LOOKS = (16, 32, 64)


@dataclass(frozen=True)
class Standing(Generic[K]):
    """Where a candidate ended.

    Attributes:
        candidate: which.
        error: mean over samples and levels.
        difference: mean relative error above the best one's, over the samples that both saw.
        low: lower end of the interval of that difference; above 0, it is worse with confidence.
        high: upper end.
        samples: how many it saw.
    """

    candidate: K
    error: float
    difference: float
    low: float
    high: float
    samples: int


def race(
    candidates: Sequence[K],
    errors: Callable[[K, int, int], Floats],
    pictures: int,
    looks: Sequence[int] = LOOKS,
) -> list[Standing[K]]:
    """The candidates from best to worst, those that are not worse with confidence first.

    Args:
        candidates: at least one.
        errors: of a candidate on the samples from one number up to another, float64
            [samples, levels], none negative. Sample n is of picture n modulo `pictures`.
        pictures: how many there are; at least two.
        looks: numbers of samples after which candidates are compared, ascending.
    """
    seen: dict[K, Floats] = {}
    alive = list(candidates)
    for count in _rounded(looks, pictures):
        for one in alive:
            before = seen.get(one)
            start = 0 if before is None else len(before)
            new = errors(one, start, count)
            seen[one] = new if before is None else np.concatenate([before, new])
        scores = _scores({one: seen[one] for one in alive})
        best = min(alive, key=lambda one: scores[one].mean())
        risk = RISK / (len(looks) * max(1, len(candidates) - 1))
        alive = [
            one for one in alive
            if one == best or interval(scores[one] - scores[best], pictures, risk)[1] <= 0
        ]  # fmt: skip
        if len(alive) == 1:
            break
    return _standings(candidates, seen, best, alive, pictures, risk)


def _standings(
    candidates: Sequence[K],
    seen: dict[K, Floats],
    best: K,
    alive: list[K],
    pictures: int,
    risk: float,
) -> list[Standing[K]]:
    found = []
    for one in candidates:
        count = len(seen[one])
        pair = _scores({one: seen[one], best: seen[best][:count]})
        middle, low, high = interval(pair[one] - pair[best], pictures, risk)
        if one == best:
            middle = low = high = 0.0
        found.append(Standing(one, float(seen[one].mean()), middle, low, high, count))
    return sorted(
        found, key=lambda s: (s.candidate not in alive, s.candidate != best, s.difference)
    )


def _rounded(looks: Sequence[int], pictures: int) -> list[int]:
    """Each look up to the next number in which every picture is seen as often."""
    return [-(-look // pictures) * pictures for look in looks]


def _scores(errors: dict[K, Floats]) -> dict[K, Floats]:
    """Per sample, the mean over levels of the error relative to the smallest mean at the level.

    A level of little noise has far larger errors than one of much: each is to count alike. The
    divisor is one number per level, so that whoever has the smallest expected error keeps it.
    """
    least = np.min([values.mean(axis=0) for values in errors.values()], axis=0)
    least = np.maximum(least, np.finfo(np.float64).tiny)
    return {one: (values / least).mean(axis=1) for one, values in errors.items()}


def interval(differences: Floats, pictures: int, risk: float) -> tuple[float, float, float]:
    """Mean of paired differences, and the ends of its interval, each passed with chance `risk`.

    >>> middle, low, high = interval(np.array([1.0, 1.1, 0.9, 1.0]), 4, 0.05)
    >>> round(middle, 3), round(low, 3), round(high, 3)
    (1.0, 0.904, 1.096)
    """
    middle = float(differences.mean())
    by_picture = differences.reshape(-1, pictures).mean(axis=0)
    reach = max(_reach(differences, risk), _reach(by_picture, risk))
    return middle, middle - reach, middle + reach


def _reach(values: Floats, risk: float) -> float:
    spread = float(values.std(ddof=1)) / math.sqrt(len(values))
    return quantile(1.0 - risk, len(values) - 1) * spread


@lru_cache(maxsize=1024)
def quantile(share: float, freedom: int) -> float:
    """Student's t below which `share` (at least a half) of the values lie.

    By integration of the density: with t = √ν·tan(θ) it is that of cos(θ)^(ν-1), up to a factor.

    >>> round(quantile(0.975, 10), 3), round(quantile(0.999, 3), 2)
    (2.228, 10.21)
    """
    ends = np.linspace(0.0, np.pi / 2, 200_001)
    middles = (ends[1:] + ends[:-1]) / 2
    below = np.cumsum(np.cos(middles) ** (freedom - 1))
    place = int(np.searchsorted(below / below[-1], 2.0 * share - 1.0))
    return math.sqrt(freedom) * math.tan(float(ends[min(place + 1, len(ends) - 2)]))
