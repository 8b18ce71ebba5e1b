"""Turns of alternating order, and what a runtime's turns come to."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Calls of one turn at most: of a network that takes microseconds more would say no more.
MOST = 10_000


@dataclass(frozen=True)
class Turn:
    """What one runtime did in one turn.

    Attributes:
        seconds: of each call, by the clock.
        cpu: seconds of processor time of all these calls, all threads of the process together.
    """

    seconds: Sequence[float]
    cpu: float


@dataclass
class Series:
    """All turns of one runtime."""

    turns: list[Turn] = field(default_factory=list)

    @property
    def medians(self) -> list[float]:
        """Seconds of a call, a round each."""
        return [float(np.median(turn.seconds)) for turn in self.turns]

    def figures(self) -> dict[str, Any]:
        """Those of a `lading.record.bench.Timing`: percentiles linear between the nearest two."""
        every = np.concatenate([np.asarray(turn.seconds, np.float64) for turn in self.turns])
        return {
            "median": float(np.median(every)),
            "p95": float(np.percentile(every, 95)),
            "mean": float(every.mean()),
            "fastest": float(every.min()),
            "calls": int(every.size),
            "per_second": float(every.size / every.sum()),
            "cpu": sum(turn.cpu for turn in self.turns) / every.size,
        }


def turn(call: Callable[[], Any], seconds: float) -> Turn:
    """Calls it for so long at least, once at least; one call before that is not counted, as what
    others left in the processor's caches is none of its own."""
    call()
    taken: list[float] = []
    collected = gc.isenabled()
    gc.disable()
    try:
        cpu = time.process_time()
        begun = time.perf_counter()
        while len(taken) < MOST:
            before = time.perf_counter()
            call()
            after = time.perf_counter()
            taken.append(after - before)
            if after - begun >= seconds:
                break
        return Turn(taken, time.process_time() - cpu)
    finally:
        if collected:
            gc.enable()


def order(names: Sequence[Any], number: int) -> list[Any]:
    """Those whose turn it is in one round, first to last in even rounds and back in odd ones, so
    that a computer that slows down slows all alike.

    >>> order("abc", 0), order("abc", 1)
    (['a', 'b', 'c'], ['c', 'b', 'a'])
    """
    return list(names) if number % 2 == 0 else list(reversed(names))


def ratios(many: Mapping[Any, Series], first: Any) -> dict[Any, tuple[float, ...]]:
    """Of each, its median to that of the first one in the same round."""
    base = many[first].medians
    return {
        name: tuple(own / one for own, one in zip(series.medians, base, strict=False))
        for name, series in many.items()
    }
