"""What `lading bench` does: runtimes timed beside each other, and what their files weigh."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lading.base import environment, storage
from lading.base.digests import size_of
from lading.errors import LadingError, RequestError
from lading.formats import Artifact, is_artifact, open_artifact
from lading.interface.side import Array
from lading.interface.work import Work
from lading.interface.work.counted import counted
from lading.job.costs import cost
from lading.job.request import Bench, is_module
from lading.job.source import title
from lading.job.timing import profile, turns
from lading.job.timing.opening import TORCH, Timed, alone, fed, original, require_known
from lading.job.timing.process import Apart, Processes, Within
from lading.page import latencies
from lading.record import bench as record
from lading.record.wording import where


def bench(request: Bench) -> record.Bench:
    """Times every file in every runtime; the chart goes to `out`, where that is named.

    Raises:
        LadingError: a file cannot be read, they are not of one network, or the chart cannot be
            written.
    """
    if request.out:
        _require_chart(Path(request.out))
    plan = planned(request)
    done = measured(request, plan)
    if request.out:
        if not done.ran:
            raise RequestError(
                f"--out {request.out}", found="nothing that was run", expected="one runtime here",
                remedy=f"leave --out out: {done.timings[0].reason}",
            )  # fmt: skip
        storage.write_file(Path(request.out), latencies.chart(done).file())
    return done


def _require_chart(out: Path) -> None:
    """Passes only where a chart can be written.

    Raises:
        RequestError: another kind of file.
        StorageError: what lies there is no file.
    """
    if out.suffix.lower() != ".svg":
        raise RequestError(
            f"--out {out}", found=f"suffix {out.suffix!r}", expected="a chart, .svg",
            remedy=f"use --out {out.with_suffix('.svg').name}",
        )  # fmt: skip
    storage.require_file(out)


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


def planned(request: Bench) -> Plan:
    """Every row, with its input.

    Raises:
        LadingError: see `bench`.
    """
    artifacts, checkpoint = _parted(request)
    names: Any = request.runtime
    opened = [open_artifact(path) for path in artifacts]
    require_known(names, opened, checkpoint)
    threads = request.threads or cores()
    rows: list[tuple[Timed, str]] = []
    sizes: list[record.Sized] = []
    notices: list[str] = []
    modules: dict[str, Mapping[str, str]] = {}
    for place, artifact in enumerate(opened or [None]):
        request.progress("read", str(artifact.path if artifact else title(checkpoint)))
        if checkpoint is None:
            assert artifact is not None
            replace(request, shapes="").require_unread("no checkpoint")
            inputs = alone(opened, place, request.shapes)
        else:
            _, interface = original(request, checkpoint, artifact)
            inputs = fed(interface)
            if place == 0:
                path = artifact.path if artifact else None
                whole = Timed(request, checkpoint, path, TORCH, "", inputs, threads)
                rows.append((whole, ""))
                size = 0 if is_module(checkpoint) else size_of(Path(checkpoint))
                own = counted(interface, inputs)
                notices += [] if own else ["torch's counter cannot follow the network's code"]
                sizes.append(_sized(title(checkpoint), size, inputs, own))
        if artifact is None:
            continue
        work = _work(artifact, inputs, notices)
        sizes.append(_sized(str(artifact.path), size_of(artifact.path), inputs, work))
        if request.profile and checkpoint is not None:
            request.progress("align", f"{artifact.path} with the original's modules")
            modules[str(artifact.path)] = profile.modules(interface, artifact, work or (), inputs)
        rows += _rows(request, checkpoint, artifact, inputs, threads)
    wanted = [row for row in rows if not names or row[0].runtime in names]
    return Plan(wanted, sizes, threads, notices, modules)


def _parted(request: Bench) -> tuple[list[Path], Any]:
    """The artifacts, and the checkpoint where there is one.

    Raises:
        RequestError: two checkpoints, or a file twice.
    """
    given: Any = request.paths
    artifacts = [one for one in given if not is_module(one) and is_artifact(one)]
    others = [one for one in given if is_module(one) or not is_artifact(one)]
    if request.checkpoint is not None:
        if not is_module(request.checkpoint) and is_artifact(request.checkpoint):
            raise RequestError(
                f"--checkpoint {request.checkpoint}", found="an artifact", expected="a checkpoint",
                remedy="name artifacts without --checkpoint",
            )  # fmt: skip
        others.append(request.checkpoint)
    if len(others) > 1:
        raise RequestError(
            " beside ".join(map(title, others)), found=f"{len(others)} checkpoints",
            expected="one, and artifacts of it", remedy="time them one after the other",
        )  # fmt: skip
    twice = next((one for one in artifacts if artifacts.count(one) > 1), None)
    if twice is not None:
        raise RequestError(
            str(twice), found="the same file twice", expected="each file once",
            remedy="name it once; --rounds says how often it has its turn",
        )  # fmt: skip
    return artifacts, others[0] if others else None


def _rows(
    request: Bench, checkpoint: Any, artifact: Artifact, inputs: Mapping[str, Array], threads: int
) -> Iterator[tuple[Timed, str]]:
    for runtime in artifact.format.runtimes:
        reason = runtime.unavailable() or ""
        for unit in runtime.units if runtime.units and not reason else ("",):
            row = Timed(request, checkpoint, artifact.path, runtime.name, unit, inputs, threads)
            yield row, reason


def _work(
    artifact: Artifact, inputs: Mapping[str, Array], notices: list[str]
) -> Sequence[Work] | None:
    try:
        return artifact.work(inputs)
    except LadingError as error:
        notices.append(f"{artifact.path.name}: its arithmetic is not counted: {error.found}")
        return None


def _sized(
    path: str, size: int, inputs: Mapping[str, Array], work: Sequence[Work] | None
) -> record.Sized:
    shapes = {name: tuple(value.shape) for name, value in inputs.items()}
    return record.Sized(path, size, shapes, cost(path, work) if work else None)


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ------------------------------------------------------------------------------------- measuring
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


#: Processor time below this share of the clock's is waiting.
WAITED = 0.8
BUSY = (
    "other programs used this computer: processor time is less than the clock's; the ratios are of "
    "one run all the same, the times are too long"
)


def _waited(one: record.Timing) -> bool:
    """Whether it waited for a processor; what chooses its own threads may wait for another device."""
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
