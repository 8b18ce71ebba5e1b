"""What is timed, opened: the original or an artifact in a runtime, and the input of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lading.base.progress import silent
from lading.errors import RequestError
from lading.formats import Artifact, format_named, open_artifact, runtimes
from lading.interface import Interface, Sizes, wrap
from lading.interface.original import TorchSide
from lading.interface.side import Array, Side
from lading.job.described import beside, described
from lading.job.request import Bench
from lading.job.source import source, title
from lading.network.source import Loaded, load
from lading.proof.beside import common
from lading.proof.probes import make
from lading.record import Port, wording
from lading.record.wording import RUNTIMES

#: The original is one more runtime.
TORCH = "torch"


@dataclass(frozen=True)
class Timed:
    """One row: a file in a runtime.

    Attributes:
        request: what was asked.
        checkpoint: of the original; the module itself where that was given.
        artifact: the file; of the original the one whose ports it is wrapped behind, if any.
        runtime: by name.
        unit: of Core ML, the compute units.
        inputs: what it is fed, by name.
        threads: that it may use.
    """

    request: Bench
    checkpoint: Any
    artifact: Path | None
    runtime: str
    unit: str
    inputs: Mapping[str, Array]
    threads: int

    @property
    def path(self) -> str:
        """The file that the row is of."""
        return title(self.checkpoint) if self.runtime == TORCH else str(self.artifact)


def opened(timed: Timed) -> Side:
    """What is called.

    Raises:
        LadingError: it cannot be opened here.
    """
    if timed.runtime == TORCH:
        own = open_artifact(timed.artifact) if timed.artifact else None
        quiet = replace(timed.request, progress=silent)
        _, interface = original(quiet, timed.checkpoint, own)
        return TorchSide(interface, title(timed.checkpoint))
    assert timed.artifact is not None
    form = format_named(open_artifact(timed.artifact).format.name)
    # this process is the one of its own that a stranger's file runs in
    artifact = form.open(timed.artifact, own=True)
    artifact.limit(timed.threads)
    return artifact.open(runtimes()[timed.runtime], timed.unit)


def original(
    request: Bench, checkpoint: Any, artifact: Artifact | None
) -> tuple[Loaded, Interface]:
    """The checkpoint's network, behind the ports of an artifact where there is one.

    Raises:
        LadingError: it cannot be had, or the ports do not fit.
    """
    had = source(request, checkpoint)
    if artifact is not None:
        loaded, _, interface = beside(request, artifact, had, request.progress, lambda _: None)
        return loaded, interface
    loaded = load(had, request.progress)
    return loaded, wrap(loaded.network, loaded.task, described(request))


def fed(interface: Interface) -> dict[str, Array]:
    """The first probe that says something, as every comparison draws it."""
    probes = make(interface)
    return dict(next((one for one in probes if one.varied), probes[0]).inputs)


def alone(artifacts: Sequence[Artifact], place: int, shapes: str) -> dict[str, Array]:
    """The input of one of several artifacts of a network, without a checkpoint.

    A size that a file leaves open is what `shapes` says, what lading noted in the file, or what
    another file has there; a batch is one.

    Args:
        artifacts: all have to take the same.
        place: of the one that is fed.
        shapes: as ``--shapes`` has them: the last sizes of an input.

    Raises:
        RequestError: they do not take or give the same, or nothing says how large an input is.
    """
    first = artifacts[0]
    interface, _, _ = common(first, artifacts[place])
    task = first.noted()[0]
    noted = {port.name: port.shape for port in task.inputs} if task else {}
    said = (Sizes.parse(shapes).listed or ((),))[0] if shapes else ()

    def size(number: int, axis: int, own: Port) -> int:
        from_the_end = len(own.shape) - axis
        if own.shape[axis] > 0:
            return own.shape[axis]
        if from_the_end <= len(said):
            return said[-from_the_end]
        known = [noted.get(own.name, ()), *(one.record.inputs[number].shape for one in artifacts)]
        fixed = (one[axis] for one in known if len(one) == len(own.shape) and one[axis] > 0)
        found = next(fixed, 1 if axis == 0 else 0)
        if not found:
            raise RequestError(
                f"{first.path}: input {own.name}", found=f"open sizes, {wording.shape(own.shape)}",
                expected="sizes to time it with",
                remedy="say --shapes 256x256, or name its checkpoint with --checkpoint",
            )  # fmt: skip
        return found

    ports = tuple(
        replace(port, shape=tuple(size(number, axis, own) for axis in range(len(own.shape))))
        if len(own.shape) == len(port.shape) else port
        for number, (own, port) in enumerate(
            zip(first.record.inputs, interface.inputs, strict=True))
    )  # fmt: skip
    return fed(replace(interface, inputs=ports, task=replace(interface.task, inputs=ports)))


def require_known(names: Any, artifacts: list[Artifact], checkpoint: Any) -> None:
    """Passes only if every runtime that is asked for runs one of these.

    Raises:
        RequestError: one runs none of them.
        RuntimeUnavailableError: one is not on this computer.
    """
    fitting = {one.name: one for artifact in artifacts for one in artifact.format.runtimes}
    known = [*([TORCH] if checkpoint is not None else []), *fitting]
    for name in names:
        if name not in known:
            raise RequestError(
                f"--runtime {name}",
                found=f"nothing here that {RUNTIMES.get(name, name)} runs",
                expected=" or ".join(known), remedy="leave --runtime out for all that do",
            )  # fmt: skip
        if name != TORCH:
            fitting[name].require()
