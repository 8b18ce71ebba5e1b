"""Running an artifact on golden vectors: no checkpoint, no torch module, the same comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.base.progress import Progress
from lading.errors import InputError, RequestError
from lading.formats import Artifact, Runtime, open_artifact
from lading.interface.memory import paired
from lading.proof import compare, noise, verdict
from lading.proof.beyond import optional
from lading.proof.channels import Channels, Effort, axes
from lading.proof.golden.index import Index, Vector, load, read
from lading.proof.golden.make import seen
from lading.proof.original import LEAST
from lading.proof.probes import Probe
from lading.proof.reference import Graph, Outputs, Scores
from lading.record import ArtifactRecord, Comparison, Port, Unproved, Verdict
from lading.record.brief import Brief
from lading.record.wording import unproved
from lading.task import prepare
from lading.task.text import vocabulary

Array = npt.NDArray[Any]

#: Of the inputs prepared again from the raw ones, against their largest: a mean taken in another
#: order differs in the last bit of a float32.
PREPARED = 1e-6
#: Of what is known of channels: as folders of before have them, and as they are written.
ROWS = (4, 6)


@dataclass(frozen=True, repr=False)
class Replay(Brief):
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
        progress: called when a stage begins.
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
    opened = open_artifact(artifact)
    record = _record(opened, index)
    reference = Recorded(folder, index)
    runtimes = [opened.runtime(only)] if only else opened.format.runtimes
    comparisons = []
    for runtime in runtimes:
        if not runtime.unavailable():
            progress("compare", f"{record.format_title} in {runtime.title}")
        comparisons.append(_proved(compare.in_runtime(reference, opened, record, runtime)))
    drawn = len(reference.drawn)
    return Replay(str(folder), record, drawn, tuple(comparisons), verdict.overall(comparisons))


def _proved(comparison: Comparison) -> Comparison:
    """What the vectors leave open is no pass: the checkpoint would show it."""
    shown = [one for one in comparison.unproved if one.what in ("scores", "graph")]
    if comparison.verdict != "pass" or not shown:
        return comparison
    left = "; ".join(unproved(one) for one in shown)
    return replace(comparison, verdict="not run", reason=left)


class Recorded:
    """Golden vectors as a reference; see `lading.proof.reference.Reference`.

    Raises:
        InputError: a vector is not whole.
    """

    name, costly = "golden vectors", False
    own: Mapping[str, float] = MappingProxyType({})

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder, self.index, self.task = folder, index, index.task
        self.drawn: Sequence[Probe] = [_probe(folder, index, vector) for vector in index.vectors]
        self.outputs: Sequence[Outputs] = [
            _read_all(folder, vector.outputs) for vector in index.vectors
        ]
        for vector, outputs in zip(index.vectors, self.outputs, strict=True):
            _finished(folder, index, vector, outputs)
            _gated(folder, vector, outputs)

    def widen(self, artifact: Artifact) -> Sequence[Unproved]:
        """Nothing: the original is not here to be asked."""
        sizes = any(-1 in p.shape or p.ranges or p.enumerated for p in artifact.record.inputs)
        one = (Unproved("claims", "the vectors have one size"),) if sizes else ()
        return (*one, *optional(artifact.record))

    def undecided(self) -> Sequence[str]:
        return ()

    def decided(self) -> Sequence[str]:
        return ()

    def steady(self, place: int, precision: str, *, computing: bool = False) -> bool:
        """Only probes at which the original is were chosen."""
        return True

    def floor(self, place: int) -> Mapping[str, float]:
        return self.index.vectors[place].floors

    def channels(
        self, port: Port, places: Sequence[int], precision: str, effort: Effort = "sample"
    ) -> Sequence[Channels]:
        """What was known when the vectors were made, of all probes.

        Raises:
            InputError: nothing is known of an axis.
        """
        found = {
            one.axis: read(self.folder, one.values)
            for one in self.index.channels.get(port.name, ())
        }
        wanted = axes(port, max(1, len(port.shape)))
        whole = {axis for axis, one in found.items() if one.ndim == 2 and len(one) in ROWS}
        missing = next((axis for axis in wanted if axis not in whole), None)
        if missing is not None:
            raise InputError(
                str(self.folder),
                found=f"nothing of the channels along axis {missing} of {port.name}",
                expected="what the original keeps of each",
                remedy="take the folder again from where the artifact came from",
            )
        return [Channels(axis, *found[axis]) for axis in wanted]

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        for known in self.index.tolerances.get(precision, ()):
            if (known.output, known.kind) == (port.name, "label_agreement"):
                if not LEAST <= known.gate <= 1.0:
                    raise InputError(
                        str(self.folder),
                        found=f"an agreement of {known.gate:g} that is to be enough",
                        expected=f"a share from {LEAST:g} to 1",
                        remedy="take the folder again from where the artifact came from",
                    )
                return known.gate, known.why
        gates = verdict.GATES[precision]
        return gates.agreement, gates.agreement_reason

    def scores(self, precision: str) -> Scores | str:
        labels = next(port for port in self.index.outputs if port.meaning == "labels")
        vectors = self.index.vectors
        known = next((port for port in self.task.outputs if port.class_axis is not None), None)
        if known is None or any(labels.name not in vector.scores for vector in vectors):
            return "the vectors hold labels only"
        values = [read(self.folder, vector.scores[labels.name]) for vector in vectors]
        steady = partial(self.steady, precision=precision)
        own = partial(self.channels, replace(known, name=labels.name))
        return Scores(known, values, steady, lambda i: vectors[i].floors[labels.name], own)

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        """The rounded weights in fp32, as they were when the vectors were made."""
        if exact or artifact.record.precision != "fp16" or runtime.precision or runtime.own:
            return None
        form, vectors = artifact.format.name, self.index.vectors
        if any(form not in vector.graphs for vector in vectors):
            raise InputError(
                str(self.folder),
                found=f"no graph of an fp16 artifact of format {form}",
                expected="vectors that were made with one",
                remedy="compare with the checkpoint instead: lading verify ARTIFACT --against PATH",
            )
        expected = [_read_all(self.folder, vector.graphs[form]) for vector in vectors]
        behind: Sequence[Array] | str = "the vectors hold none of the graph in fp32"
        if all(form in vector.graph_scores for vector in vectors):
            behind = [read(self.folder, vector.graph_scores[form]) for vector in vectors]
        return Graph(artifact.side("float32"), expected, 0, behind)


def _record(artifact: Artifact, index: Index) -> ArtifactRecord:
    """The artifact's own dtypes with the index's meanings, port by port.

    Raises:
        RequestError: another number of ports, or other names.
    """
    record = artifact.record
    sides = ((record.inputs, index.inputs), (record.outputs, index.outputs))
    for theirs, ours in sides:
        if {port.name for port in theirs} != {port.name for port in ours}:
            raise RequestError(
                f"{artifact.path} on these golden vectors",
                found=", ".join(port.name for port in theirs),
                expected=", ".join(port.name for port in ours),
                remedy="give the artifact that the vectors were made for",
            )
    subject = f"{artifact.path} on these golden vectors"
    states = paired(index.states, record.states, subject)
    return replace(
        record,
        states=states,
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
        words = vocabulary(index.task)
        if port.name in vector.text:
            if words is None:
                raise _odd(folder, vector, f"a text for {port.name}", "a task with a vocabulary")
            again = prepare.texts([vector.text[port.name]], port, words)
        elif port.name in vector.raw:
            again = prepare.levels(read(folder, vector.raw[port.name]), port)
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
    far = vector.kind == "magnitude"
    several = [inputs[p.name].shape[0] for p in index.inputs
               if inputs[p.name].ndim == len(p.shape) + 1]  # fmt: skip
    calls = min(several, default=0) if index.states else 0
    return Probe(vector.name, vector.kind, vector.source, inputs, far=far, calls=calls)


def _finished(folder: Path, index: Index, vector: Vector, outputs: Mapping[str, Array]) -> None:
    """Passes only if what a user sees follows from the outputs."""
    again = seen(outputs, index.outputs, index.task)
    for name, stored in vector.after.items():
        kept = read(folder, stored)
        if name not in again or not np.allclose(again[name], kept, rtol=0.0, atol=PREPARED):
            raise _odd(folder, vector, f"other {name}", f"what follows: {index.afterwards}")


def _gated(folder: Path, vector: Vector, outputs: Mapping[str, Array]) -> None:
    """Passes only if every output of numbers, and the scores of one of labels, have a gate such as
    is measured."""
    named = {name for name, array in outputs.items() if array.dtype.kind == "f"} | {*vector.scores}
    for name in sorted(named):
        floor = vector.floors.get(name)
        if floor is None or not noise.LOWEST <= floor <= noise.HIGHEST:
            found = f"no gate of {name}" if floor is None else f"a gate of {floor:g} dB for {name}"
            raise _odd(folder, vector, found, f"{noise.LOWEST:g} to {noise.HIGHEST:g} dB")


def _read_all(folder: Path, entries: Mapping[str, Any]) -> dict[str, Array]:
    return {name: read(folder, stored) for name, stored in entries.items()}


def _odd(folder: Path, vector: Vector, found: str, expected: str) -> InputError:
    return InputError(
        f"{folder}: {vector.name}",
        found=found,
        expected=expected,
        remedy="take the folder again from where the artifact came from",
    )
