"""Running an artifact on golden vectors: no checkpoint, no torch module, the same comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.base.progress import Progress
from lading.errors import InputError, RequestError
from lading.formats import artifact_target
from lading.proof import compare, verdict
from lading.proof.golden import steps
from lading.proof.golden.index import Index, Vector, load, read
from lading.proof.probes import Probe
from lading.record import ArtifactRecord, Comparison, Port, Verdict
from lading.runtimes import runtime, runtimes_for

Array = npt.NDArray[Any]

#: Of the inputs prepared again from the raw ones, against their largest: a mean taken in another
#: order differs in the last bit of a float32.
PREPARED = 1e-6


@dataclass(frozen=True)
class Replay:
    """An artifact on golden vectors, in every runtime of this computer."""

    golden: str
    artifact: ArtifactRecord
    vectors: int
    comparisons: tuple[Comparison, ...]
    verdict: Verdict


def replay(folder: Path, artifact: Path, progress: Progress, only: str | None = None) -> Replay:
    """Runs an artifact on golden vectors and compares.

    Args:
        folder: that holds `index.json`.
        artifact: an `.mlpackage` or `.onnx`.
        progress: told when a stage begins.
        only: name of one runtime; by default every one for the artifact.

    Raises:
        InputError: the vectors are not whole, or there are none.
        RequestError: the artifact takes or gives something else.
    """
    progress("read", str(folder))
    index = load(folder)
    if not index.vectors:
        raise InputError(
            str(folder),
            found=f"no vector: {index.left_out}",
            expected="one at least",
            remedy="compare with the checkpoint instead: lading verify ARTIFACT --against PATH",
        )
    record = _record(artifact, index)
    drawn = [_probe(folder, index, vector) for vector in index.vectors]
    expected = [_read_all(folder, vector.outputs) for vector in index.vectors]
    for vector, outputs in zip(index.vectors, expected, strict=True):
        _finished(folder, index, vector, outputs)
    comparisons = []
    for one in [runtime(only)] if only else runtimes_for(record.format):
        absent = one.unavailable()
        if absent:
            comparisons.append(compare.not_run(record, one, absent))
            continue
        progress("compare", f"{record.format} in {one.title}")
        session = one.load(artifact)
        comparisons.append(compare.compare(record, one, session, drawn, expected, index.task))
    return Replay(str(folder), record, len(drawn), tuple(comparisons), verdict.overall(comparisons))


def _record(artifact: Path, index: Index) -> ArtifactRecord:
    """The artifact's own dtypes with the index's meanings, port by port.

    Raises:
        RequestError: another number of ports, or other names.
    """
    record = artifact_target(artifact).describe(artifact)
    sides = ((record.inputs, index.inputs), (record.outputs, index.outputs))
    for theirs, ours in sides:
        if {port.name for port in theirs} != {port.name for port in ours}:
            raise RequestError(
                f"{artifact} on these golden vectors",
                found=", ".join(port.name for port in theirs),
                expected=", ".join(port.name for port in ours),
                remedy="give the artifact that the vectors travelled with",
            )
    return replace(
        record,
        inputs=_merged(record.inputs, index.inputs),
        outputs=_merged(record.outputs, index.outputs),
    )


def _merged(theirs: tuple[Port, ...], ours: tuple[Port, ...]) -> tuple[Port, ...]:
    known = {port.name: port for port in theirs}
    return tuple(
        replace(port, dtype=known[port.name].dtype, kind=known[port.name].kind) for port in ours
    )


def _probe(folder: Path, index: Index, vector: Vector) -> Probe:
    """The inputs, which must be what the raw ones prepare to.

    Raises:
        InputError: they are not, or one is missing.
    """
    inputs = _read_all(folder, vector.inputs)
    for port in index.inputs:
        if port.name not in inputs:
            raise _odd(folder, vector, f"no input {port.name}", "one for every port")
        again: Array | None = None
        if port.name in vector.text:
            again = steps.encode(vector.text[port.name], steps.vocabulary(index.task), port)
        elif port.name in vector.raw:
            again = steps.prepare(read(folder, vector.raw[port.name]), port)
        if again is None:
            continue
        stored = inputs[port.name]
        size = max(1.0, float(np.abs(stored).max()))
        if again.shape != stored.shape or not np.allclose(
            again, stored, rtol=0.0, atol=PREPARED * size
        ):
            raise _odd(
                folder, vector, f"another {port.name}", f"what its raw form gives: {index.before}"
            )
    return Probe(vector.name, vector.kind, vector.source, inputs)


def _finished(folder: Path, index: Index, vector: Vector, outputs: Mapping[str, Array]) -> None:
    """Passes only if what a user sees follows from the outputs."""
    again = steps.finish(outputs, index.outputs, index.task)
    for name, stored in vector.after.items():
        kept = read(folder, stored)
        if name not in again or not np.allclose(again[name], kept, rtol=0.0, atol=PREPARED):
            raise _odd(folder, vector, f"other {name}", f"what follows: {index.afterwards}")


def _read_all(folder: Path, entries: Mapping[str, Any]) -> dict[str, Array]:
    return {name: read(folder, stored) for name, stored in entries.items()}


def _odd(folder: Path, vector: Vector, found: str, expected: str) -> InputError:
    return InputError(
        f"{folder}: {vector.name}",
        found=found,
        expected=expected,
        remedy="take the folder again from where the artifact came from",
    )
