"""The trajectory of a voyage: the original walks once, every artifact in every runtime beside it.

A network that agrees with the original at a few probes can still lead elsewhere: a walk asks it at
every move, on values that it made itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lading.errors import LadingError, RequestError
from lading.interface import Interface
from lading.proof.metrics import psnr
from lading.proof.trajectory.parting import parts
from lading.proof.trajectory.ways import SEED, Way, way
from lading.record import ArtifactRecord, Comparison, Trajectory
from lading.runtimes import Array, Runtime, Session, runtime
from lading.runtimes.torch import RUNTIME as TORCH
from lading.runtimes.torch import Eager

#: Moves where nobody says how many.
STEPS = 25
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
    """One trajectory of one network: the original's walk, and what is held against it.

    Attributes:
        way: how it is walked.
        trail: the original's x after every move.
        shown: the moves, from 1, at which x is kept for pictures.
    """

    def __init__(self, interface: Interface, way: Way, progress: Progress) -> None:
        self.ports, self.way, self.progress = interface.inputs, way, progress
        progress("trajectory", f"{len(way.told)} moves of {way.sampler} in {TORCH.title}")
        self.trail = list(way.walk(Eager(interface), interface.inputs))
        count = len(self.trail)
        self.shown = tuple(sorted({math.ceil(count * part / 5) for part in (2, 3, 4, 5)}))

    @property
    def frames(self) -> tuple[Array, ...]:
        """The original's x at the shown moves."""
        return tuple(self.trail[move - 1] for move in self.shown)

    def beside(
        self,
        artifact: ArtifactRecord,
        load: Callable[[Runtime], Session],
        comparisons: Sequence[Comparison],
    ) -> tuple[Taken, ...]:
        """The artifact's walk in every runtime that its comparisons ran in.

        Args:
            artifact: its record.
            load: gives its session in a runtime.
            comparisons: of it, one per runtime; what was not compared to the end is not walked.
        """
        return tuple(self._one(artifact, load, one) for one in comparisons)

    def _one(
        self, artifact: ArtifactRecord, load: Callable[[Runtime], Session], one: Comparison
    ) -> Taken:
        where = runtime(one.runtime)
        precision = where.precision or artifact.precision
        record = Trajectory(
            artifact.path, one.runtime, self.way.sampler, len(self.trail), SEED, self.way.told,
            (), None, GATES[precision], REASONS[precision], "not run", one.reason,
        )  # fmt: skip
        if one.verdict == "not run" or not one.metrics:
            return Taken(record)
        self.progress("trajectory", f"{artifact.format} in {where.title}")
        found: list[float] = []
        frames: list[Array] = []
        broke = ""
        try:
            for move, (theirs, ours) in enumerate(self._pairs(artifact, load(where)), start=1):
                found.append(psnr(theirs, ours))
                frames += [ours] if move in self.shown else []
        except LadingError as error:
            broke = f"the walk broke off after {len(found)} of {len(self.trail)} moves: {error}"
        walked = replace(record, psnr=tuple(found), parts=parts(found), reason=broke)
        if walked.passed:
            return Taken(replace(walked, verdict="pass"), tuple(frames))
        return Taken(
            replace(walked, verdict="fail", reason=broke or _missed(walked)), tuple(frames)
        )

    def _pairs(self, artifact: ArtifactRecord, session: Session) -> Iterator[tuple[Array, Array]]:
        """x of the original and of the session, move by move."""
        by_name = {port.name: port for port in artifact.inputs}
        ports = [
            by_name.get(port.name, artifact.inputs[place]) for place, port in enumerate(self.ports)
        ]
        return zip(self.trail, self.way.walk(session, ports), strict=True)


def course(
    interface: Interface,
    steps: int | None,
    inputs: Mapping[str, Array],
    tell: Callable[[str], None],
    progress: Progress,
) -> Course | None:
    """The course of a voyage, with the original's walk taken; None where there is none to take.

    Args:
        interface: what is carried.
        steps: moves; 0 for no trajectory, None for `STEPS` where the network is of diffusion.
        inputs: of a probe without noise, by port.
        tell: takes the reason, where a diffusion network cannot be walked.
        progress: told when a stage begins.

    Raises:
        RequestError: a walk was asked for of a network that makes no pictures from noise, or of
            fewer than no moves.
    """
    require_walkable(interface, steps)
    if interface.task.kind != "diffusion" or steps == 0:
        return None
    try:
        return Course(interface, way(interface, steps or STEPS, inputs), progress)
    except LadingError as error:
        tell(f"no trajectory was walked: {error}")
        return None


def require_walkable(interface: Interface, steps: int | None) -> None:
    """Passes only if so many moves can be asked of this network.

    Raises:
        RequestError: they cannot.
    """
    if steps is not None and steps < 0:
        raise RequestError(
            f"--trajectory {steps}",
            found=str(steps),
            expected=f"a number of moves such as {STEPS}, or 0 for no trajectory",
            remedy="leave --trajectory out",
        )
    if steps and interface.task.kind != "diffusion":
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
