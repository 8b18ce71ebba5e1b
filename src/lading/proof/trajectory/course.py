"""The trajectory: the original walks once, every artifact in every runtime beside it.

A network that agrees with the original at a few probes can still lead elsewhere: a walk asks it at
every move, on values that it made itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lading.errors import LadingError, RequestError
from lading.formats import Artifact
from lading.interface import Interface
from lading.interface.original import TITLE, TorchSide
from lading.interface.side import Array
from lading.proof.metrics import psnr
from lading.proof.trajectory.ways import Way, way
from lading.record import ArtifactRecord, Comparison, Port, Trajectory
from lading.task import kind_of
from lading.task.diffusion.denoiser import Run, in_order

#: Moves where nobody says how many.
STEPS = 25
#: Bytes of answers that are kept: no folder of golden vectors has room for more.
KEPT = 5_000_000
#: dB that the last picture of an artifact's walk has to reach beside the original's, over 25 steps
#: of DDIM: fp32 rounds at 1e-7 and each step hands its error on, fp16 rounds at 5e-4.
GATES = {"fp32": 60.0, "fp16": 35.0}
REASONS = {
    "fp32": "fp32 rounds at 1e-7, and each move hands its error on to the next",
    "fp16": "fp16 rounds at 5e-4, and each move hands its error on to the next",
}

#: Told when a stage begins: its name, and what it works on.
Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class Taken:
    """One walk: what the bill says of it, and x at the course's shown moves, as far as it went."""

    record: Trajectory
    frames: tuple[Array, ...] = ()


class Course:
    """One trajectory: the original's walk, taken once, and what is held against it.

    Args:
        way: how it is walked.
        run, ports: the original.
        progress: called when an artifact's walk begins.
        moved: called at every move that any network makes.

    Attributes:
        way: how it is walked.
        ports: the original's.
        trail: the original's x after every move.
        start: its x before the first move.
        answers: its first output at every move, or of the first moves, as far as they are small.
        shown: the moves, from 1, at which x is kept for pictures; the last is among them.
    """

    def __init__(
        self,
        way: Way,
        run: Run,
        ports: Sequence[Port],
        progress: Progress = lambda stage, detail: None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.way, self.ports, self.progress, self.moved = way, ports, progress, moved
        self.start: Array | None = None
        self.answers: list[Array] = []
        self.trail = list(self._walk(self._kept(run, ports[0].name), ports))
        count = len(self.trail)
        self.shown = tuple(sorted({math.ceil(count * part / 5) for part in (2, 3, 4, 5)}))

    @property
    def frames(self) -> tuple[Array, ...]:
        """The original's x at the shown moves."""
        return tuple(self.trail[move - 1] for move in self.shown)

    def beside(
        self,
        artifact: Artifact,
        record: ArtifactRecord,
        comparisons: Sequence[Comparison],
    ) -> tuple[Taken, ...]:
        """The artifact's walk in every runtime that its comparisons ran in.

        Args:
            artifact: opened.
            record: of it.
            comparisons: of it, one per runtime; what was not compared to the end is not walked.
        """
        walks = []
        for one in comparisons:
            runtime = next(r for r in artifact.format.runtimes if r.name == one.runtime)
            walk = self.record(record.path, runtime.name, runtime.precision or record.precision)
            if one.verdict == "not run" or not one.measurements:
                walks.append(Taken(replace(walk, reason=one.reason)))
                continue
            self.progress("trajectory", f"{record.format_title} in {runtime.title}")
            ports = in_order(record.inputs, self.ports)
            walks.append(self.held(walk, artifact.open(runtime).run, ports))
        return tuple(walks)

    def record(self, artifact: str, where: str, precision: str) -> Trajectory:
        """What is written down of an artifact in a runtime that was not walked yet."""
        return Trajectory(
            artifact, where, self.way.sampler, len(self.trail), self.way.seed, self.way.timesteps,
            (), None, GATES[precision], REASONS[precision], "not run",
        )  # fmt: skip

    def held(self, record: Trajectory, run: Run, ports: Sequence[Port]) -> Taken:
        """The walk of a network, whose ports are in the original's order, beside the original's."""
        found: list[float] = []
        frames: list[Array] = []
        broke = ""
        try:
            pairs = zip(self.trail, self._walk(run, ports), strict=True)
            for move, (theirs, ours) in enumerate(pairs, start=1):
                found.append(psnr(theirs, ours))
                frames += [ours] if move in self.shown else []
        except LadingError as error:
            broke = f"the walk broke off after {len(found)} of {len(self.trail)} moves: {error}"
        walked = replace(record, psnr=tuple(found), parts=parts(found), verdict="pass")
        if broke or not walked.passed:
            walked = replace(walked, verdict="fail", reason=broke or _missed(walked))
        return Taken(walked, tuple(frames))

    def _kept(self, run: Run, x: str) -> Run:
        """`run`, whose answers are kept, and what it was first fed as `x`."""

        def answered(fed: Mapping[str, Array]) -> Mapping[str, Array]:
            if self.start is None:
                self.start = fed[x]
            outputs = run(fed)
            answer = next(iter(outputs.values()))
            if sum(one.nbytes for one in self.answers) + answer.nbytes <= KEPT:
                self.answers.append(answer)
            return outputs

        return answered

    def _walk(self, run: Run, ports: Sequence[Port]) -> Iterator[Array]:
        for x in self.way.walk(run, ports):
            self.moved()
            yield x


def parts(psnr: Sequence[float]) -> int | None:
    """The move, from 2, over which most dB are lost; None where none are. What is not a number is
    the end of all dB, at the first move too.

    >>> parts((120.0, 118.0, 90.0, 89.0)), parts((80.0, 80.0)), parts((math.nan, math.nan))
    (3, None, 1)
    """
    for move, value in enumerate(psnr, start=1):
        if math.isnan(value):
            return move
    shown = [min(value, Trajectory.EQUAL) for value in psnr]
    falls = [before - after for before, after in pairwise(shown)]
    worst = max(range(len(falls)), key=lambda place: falls[place], default=0)
    return worst + 2 if falls and falls[worst] > 0 else None


def course(
    interface: Interface,
    steps: int | None,
    inputs: Mapping[str, Array],
    tell: Callable[[str], None],
    progress: Progress,
) -> Course | None:
    """The course, with the original's walk taken; None where there is none to take.

    Args:
        interface: what is converted.
        steps: moves; 0 for no trajectory, None for `STEPS` where the network is of diffusion.
        inputs: of a probe without noise, by port.
        tell: takes the reason, where a diffusion network cannot be walked.
        progress: called when a stage begins.

    Raises:
        RequestError: a walk was asked for of a network that makes no pictures from noise.
    """
    require_walkable(interface, steps)
    if not kind_of(interface.task).walks or steps == 0:
        return None
    try:
        taken = way(interface, steps or STEPS, inputs)
        progress("trajectory", f"{len(taken.timesteps)} moves of {taken.sampler} in {TITLE}")
        return Course(taken, TorchSide(interface).run, interface.inputs, progress)
    except LadingError as error:
        tell(f"no trajectory was walked: {error}")
        return None


def require_walkable(interface: Interface, steps: int | None) -> None:
    """Passes only if moves can be asked of this network.

    Raises:
        RequestError: they cannot.
    """
    if steps and not kind_of(interface.task).walks:
        raise RequestError(
            f"--trajectory {steps}",
            found=f"a {interface.task.kind} network",
            expected="a diffusion network, which walks from noise to a picture",
            remedy="leave --trajectory out",
        )


def _missed(record: Trajectory) -> str:
    end = f"{record.psnr[-1]:.4g} dB" if record.psnr else "no move"
    where = f", parting at move {record.parts}" if record.parts else ""
    return (
        f"the trajectory ends {end} from the original's after {len(record.psnr)} moves, "
        f"gate {record.gate:g} dB{where}"
    )
