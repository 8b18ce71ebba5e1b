"""Every row of a plan, timed in turns, in a process of its own each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lading.base import environment
from lading.errors import LadingError
from lading.job.request import Bench
from lading.job.timing import profile, turns
from lading.job.timing.opening import Timed
from lading.job.timing.process import Apart, Processes, Within
from lading.record import bench as record
from lading.record.wording import where

#: Processor time below this share of the clock's is waiting.
WAITED = 0.8
BUSY = (
    "other programs used this computer: processor time is less than the clock's; the ratios are of "
    "one run all the same, the times are too long"
)


@dataclass(frozen=True)
class Plan:
    """What is to be timed.

    Attributes:
        rows: the original first; with each why it is not run, or nothing.
        sizes: of each file.
        modules: of each file that is profiled beside its original, by its path: the module of each
            operation.
        threads: of each runtime.
        notices: what was assumed.
    """

    rows: Sequence[tuple[Timed, str]]
    sizes: Sequence[record.Sized]
    threads: int
    notices: Sequence[str] = ()
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def measured(request: Bench, plan: Plan) -> record.Bench:
    """Every row timed, in a process of its own each."""
    with Processes() as processes:
        running = _Running(request, processes, plan.modules)
        for place, (timed, reason) in enumerate(plan.rows):
            running.start(place, timed, reason)
        running.rounds()
        timings = running.timings([timed for timed, _ in plan.rows])
    known = environment.describe()
    notices = [*plan.notices, *([BUSY] if any(map(_waited, timings)) else [])]
    return record.Bench(
        tuple(timings), tuple(plan.sizes), plan.threads, request.rounds, request.seconds,
        request.warmup, {"cores": str(os.cpu_count() or 1), **known}, tuple(notices),
    )  # fmt: skip


def _waited(one: record.Timing) -> bool:
    """Whether it waited for a processor; what chooses its own threads may wait for another device,
    and does not count."""
    return not one.reason and one.threads > 0 and one.cpu < WAITED * one.mean


class _Running:
    """The rows that run, and why the others do not, by place."""

    def __init__(
        self, request: Bench, processes: Processes, modules: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.request, self.processes, self.modules = request, processes, modules
        self.asked: dict[int, Apart | Within] = {}
        self.series: dict[int, turns.Series] = {}
        self.threads: dict[int, int] = {}
        self.reasons: dict[int, str] = {}

    def start(self, place: int, timed: Timed, reason: str) -> None:
        """Opened and called a few times."""
        if reason:
            self.reasons[place] = reason
            return
        self.request.progress("open", where(timed.path, timed.runtime))
        one = self.processes.start(timed)
        self.asked[place], self.series[place] = one, turns.Series()
        if (answer := self.ask(place, "open")) is not None:
            self.threads[place] = int(answer["threads"])
            self.ask(place, "warm", calls=self.request.warmup)

    def rounds(self) -> None:
        """All turns of all rounds."""
        for number in range(self.request.rounds):
            self.request.progress("time", f"round {number + 1} of {self.request.rounds}")
            for place in turns.order([*self.asked], number):
                answer = self.ask(place, "turn", seconds=self.request.seconds)
                if answer is not None:
                    self.series[place].turns.append(turns.Turn(answer["seconds"], answer["cpu"]))

    def ask(self, place: int, name: str, **arguments: Any) -> dict[str, Any] | None:
        """An answer; None of one that cannot go on."""
        try:
            return self.asked[place].ask(name, **arguments)
        except LadingError as error:
            self.reasons[place] = error.found
            self.asked.pop(place).end()
            return None

    def _profile(self, place: int, made: record.Timing) -> record.Profile:
        """Where the time goes, or why nobody knows; asked last, as watching takes memory too."""
        self.request.progress("profile", where(made.artifact, made.runtime))
        count = profile.calls(self.request.seconds, made.median)
        try:
            answer = self.asked[place].ask("profile", calls=count)
        except LadingError as error:
            return record.Profile(0.0, reason=error.found)
        return profile.of(answer, count, self.modules.get(made.artifact, {}))

    def timings(self, rows: Sequence[Timed]) -> list[record.Timing]:
        """A record a row."""
        found = []
        for place, timed in enumerate(rows):
            memory = (self.ask(place, "memory") if place in self.asked else None) or {}
            plain = record.Timing(timed.path, timed.runtime, timed.unit)
            if place not in self.asked:
                found.append(replace(plain, reason=self.reasons[place]))
                continue
            figures, threads = self.series[place].figures(), self.threads[place]
            made = replace(plain, threads=threads, **memory, **figures)
            if self.request.profile:
                made = replace(made, profile=self._profile(place, made))
            found.append(made)
        ran = [place for place, one in enumerate(found) if not one.reason]
        if not ran:
            return found
        fastest = min(found[place].median for place in ran)
        rounds = turns.ratios({place: self.series[place] for place in ran}, ran[0])
        for place in ran:
            one = found[place]
            found[place] = replace(
                one, rounds=rounds[place], ratio=one.median / found[ran[0]].median,
                to_fastest=one.median / fastest,
            )  # fmt: skip
        return found
