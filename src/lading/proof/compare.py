"""The one judge: an artifact in a runtime beside a reference, over all probes.

`convert`, `verify`, `compare`, golden vectors and the search for what must stay in fp32 all come
here. What it refuses nobody passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lading.base.progress import Progress, counted
from lading.coreml.arrays import noted_labels
from lading.errors import LadingError
from lading.formats import Artifact, Runtime
from lading.interface.side import Array, Side
from lading.proof import degenerate, metrics, own_gates, scores
from lading.proof.probes import fits
from lading.proof.reference import Graph, Outputs, Reference, Scores
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison, Finding, Measurement, Port, Task, Unproved
from lading.record.measurement import ReadingName
from lading.record.wording import missed
from lading.task.finish import likeliest, present

#: A class with fewer positions than this on all probes together is shown and not gated; below this
#: Dice it was lost or swapped. A rare class is too few positions for the agreement to notice.
JUDGED, LOST = 50, 0.5
FLOOR_REASON = "what the original keeps when every result is disturbed as by sums in another order"
GRAPH_REASON = "constants at the precision they came from, in fp32: what differs is the graph"
ROUNDED_REASON = "as for the graph; some constants are of unknown origin and stay rounded"
UNSTEADY_REASON = "the original itself misses its gate here when its input is rounded"
NOTHING_GATED = "nothing was gated: the original is steady at no probe; give --data"


def every_runtime(
    reference: Reference, artifact: Artifact, record: ArtifactRecord, progress: Progress
) -> Iterator[Comparison]:
    """One comparison per runtime of the artifact's format, those that are absent included.

    Args:
        reference: what it is held against.
        artifact: opened.
        record: of it, its ports named and meant as the reference's.
        progress: called when a comparison begins.
    """
    for runtime in artifact.format.runtimes:
        if not runtime.unavailable():
            progress("compare", f"{record.format_title} in {runtime.title}")
        yield in_runtime(reference, artifact, record, runtime)


def in_runtime(
    reference: Reference, artifact: Artifact, record: ArtifactRecord, runtime: Runtime
) -> Comparison:
    """The artifact in one runtime, with its graph alone where the runtime rounds."""
    random = artifact.randomness()
    if random:
        return _ended(reference, record, runtime, "fail", random)
    absent = runtime.unavailable()
    if absent:
        return _ended(reference, record, runtime, "not run", absent)
    return compare(reference, artifact, record, runtime, artifact.open(runtime))


def compare(
    reference: Reference,
    artifact: Artifact,
    record: ArtifactRecord,
    runtime: Runtime,
    side: Side,
    *,
    alone: bool = True,
) -> Comparison:
    """Runs every probe that fits the artifact and judges the outputs.

    Args:
        reference: what it is held against.
        artifact: opened.
        record: of it: ports and declared precision.
        runtime: what runs it.
        side: the artifact there; or in another's place, changed.
        alone: judge an fp16 artifact's graph alone too.
    """
    told = noted_labels(record.details)
    if told and reference.task.labels and told != reference.task.labels:
        both = f"{', '.join(told)}; the original's are {', '.join(reference.task.labels)}"
        reason = f"the artifact's class names are {both}"
        return _ended(reference, record, runtime, "fail", reason)
    places = [i for i, probe in enumerate(reference.drawn) if fits(probe, record.inputs)]
    if not places:
        return _ended(reference, record, runtime, "not run", "no probe fits the artifact's inputs")
    judge = _Judge(reference, record, runtime, places)
    try:
        judge.run(side)
        if alone:
            judge.graph(artifact)
    except _StoppedError as stopped:
        return _ended(reference, record, runtime, "fail", stopped.reason, stopped.probes)
    judge.scores(side)
    return judge.comparison()


def _ended(
    reference: Reference,
    record: ArtifactRecord,
    runtime: Runtime,
    verdict: Any,
    reason: str,
    probes: int = 0,
) -> Comparison:
    """A comparison that came to no numbers, and why."""
    return Comparison(record.path, runtime.name, reference.name, probes, (), (), verdict, reason)


class _StoppedError(Exception):
    """A probe at which an artifact gives nothing that can be compared."""

    def __init__(self, probes: int, reason: str) -> None:
        super().__init__(reason)
        self.probes, self.reason = probes, reason


@dataclass
class _Judge:
    """One comparison in progress: what the artifact gave, and what was made of it."""

    reference: Reference
    record: ArtifactRecord
    runtime: Runtime
    #: of the reference's probes those that fit
    places: Sequence[int]

    def __post_init__(self) -> None:
        self.precision = self.runtime.precision or self.record.precision
        steady = self.reference.steady(self.precision)
        self.firm = [place for place in self.places if steady[place]]
        floors = None if self.runtime.own else self.reference.floors()
        self.floors: Sequence[Mapping[str, float]] = floors or ()
        self.got: dict[int, Outputs] = {}
        self.numbers: list[Measurement] = []
        self.findings: list[Finding] = []
        self.unproved: list[Unproved] = []
        self._graph: Graph | None = None

    # ------------------------------------------------------------------------------- the outputs
    def run(self, side: Side) -> None:
        """Every probe through the artifact, and its outputs measured.

        Raises:
            _StoppedError: the artifact cannot be run, or gives something else.
        """
        self.got = self._outputs(side, self.reference.outputs)
        for port in self.record.outputs:
            if self.firm:
                self.numbers += self._measured(port)
            for place in self.places:
                if place not in self.firm:
                    self.numbers.append(self._unsteady(port, place))
        self._degenerate()

    def _outputs(self, side: Side, expected: Sequence[Outputs]) -> dict[int, Outputs]:
        found: dict[int, Outputs] = {}
        for place in counted(self.places, "probes"):
            found[place] = self._of_one(side, place, len(found))
            wrong = mismatch(self.record.outputs, expected[place], found[place])
            if wrong:
                name = self.reference.drawn[place].name
                raise _StoppedError(len(found) - 1, f"{name}: {wrong}")
        return found

    def _of_one(self, side: Side, place: int, before: int = 0) -> Outputs:
        probe = self.reference.drawn[place]
        try:
            return side.run(probe.inputs)
        except LadingError as error:
            raise _StoppedError(before, f"{probe.name}: {error}") from error

    def _pairs(self, name: str, places: Sequence[int]) -> tuple[list[Array], list[Array]]:
        wanted = [self.reference.outputs[place][name] for place in places]
        return wanted, [self.got[place][name] for place in places]

    def _names(self, places: Sequence[int]) -> list[str]:
        return [self.reference.drawn[place].name for place in places]

    def _limits(self, name: str, precision: str) -> tuple[list[float], str]:
        """PSNR gates of an output at the steady probes, and why those."""
        gates = GATES[precision]
        if precision == "fp32" and self.floors:
            return [self.floors[place][name] for place in self.firm], FLOOR_REASON
        return [gates.psnr] * len(self.firm), gates.psnr_reason

    def _measured(self, port: Port) -> list[Measurement]:
        """What is measured of one output over all steady probes."""
        wanted, got = self._pairs(port.name, self.firm)
        probes = self._names(self.firm)
        numbers: list[Measurement] = []
        real = wanted[0].dtype.kind == "f"
        if port.meaning != "labels" and real:
            limits, reason = self._limits(port.name, self.precision)
            numbers += [
                own_gates.worst(
                    lambda gates: ratio(port.name, wanted, got, probes, gates, reason),
                    limits,
                    probes,
                    self.reference.own,
                ),
                *(_informing(port.name, kind, wanted, got, probes) for kind in metrics.SHOWN),
            ]
            if port.class_axis is None:
                return numbers
        task = self.reference.task
        flat_w, flat_g = _classes(port, wanted, task), _classes(port, got, task)
        gate, reason = self.reference.agreement(port, self.firm, self.precision)
        agreed = metrics.label_agreement(flat_w, flat_g)
        numbers.append(Measurement(port.name, "label_agreement", agreed, gate, reason))
        if not real or task.activation != "sigmoid" or port.meaning == "labels":
            numbers += _overlaps(port, flat_w, flat_g, task)
        return numbers

    def _unsteady(self, port: Port, place: int) -> Measurement:
        """A probe that is shown and not gated. NaN still passes nothing."""
        wanted, got = self.reference.outputs[place][port.name], self.got[place][port.name]
        whole = port.meaning == "labels" or wanted.dtype.kind != "f"
        kind = "label_agreement" if whole else "psnr"
        value = getattr(metrics, kind)(wanted, got)
        probe = self.reference.drawn[place].name
        return Measurement(port.name, kind, value, None, UNSTEADY_REASON, probe, steady=False)

    def _degenerate(self) -> None:
        """What is wrong with either side's outputs even where they agree."""
        varied = [place for place in self.places if self.reference.drawn[place].varied]
        ports, activation = self.record.outputs, self.reference.task.activation
        theirs = [self.reference.outputs[place] for place in varied]
        self.findings += degenerate.findings(theirs, ports, activation, "reference")
        ours = [self.got[place] for place in varied]
        self.findings += degenerate.findings(ours, ports, activation, self.runtime.name)

    # --------------------------------------------------------------------------- the graph alone
    def graph(self, artifact: Artifact) -> None:
        """What rounding hides, judged like fp32.

        Raises:
            _StoppedError: it is a graph in fp32 too, and cannot be run.
        """
        if self.precision != "fp16" and self.record.precision != "fp16":
            return
        try:
            graph = self.reference.graph(artifact, self.runtime)
        except LadingError as error:  # what is a graph as it is may be none in float32
            self.unproved.append(Unproved("graph", error.found))
            return
        if graph is None or not self.firm:
            return
        self._graph = graph
        got = {place: self._of_one(graph.side, place) for place in self.firm}
        for port in self.record.outputs:
            wanted = [graph.expected[place][port.name] for place in self.firm]
            values = [got[place][port.name] for place in self.firm]
            self.numbers.append(self._of_the_graph(port, wanted, values, exact=not graph.rounded))

    def _of_the_graph(
        self, port: Port, wanted: Sequence[Array], got: Sequence[Array], *, exact: bool
    ) -> Measurement:
        gates = GATES["fp32"]
        if port.meaning == "labels" or wanted[0].dtype.kind != "f":
            value = metrics.label_agreement(_flat(wanted), _flat(got))
            why = f"the graph in fp32; {gates.agreement_reason}"
            return Measurement(
                port.name, "label_agreement", value, gates.agreement, why, reading="graph"
            )
        limits, why = [gates.psnr] * len(self.firm), ROUNDED_REASON
        if exact and self.floors:
            limits, why = self._limits(port.name, "fp32")[0], GRAPH_REASON
        return ratio(port.name, wanted, got, self._names(self.firm), limits, why, reading="graph")

    # ----------------------------------------------------------------------- scores behind labels
    def scores(self, side: Side) -> None:
        """The scores that a label map is chosen from, which hides a network a little wrong."""
        port = next((port for port in self.record.outputs if port.meaning == "labels"), None)
        if port is None:
            return
        expected = self.reference.scores(self.precision)
        if isinstance(expected, str):
            self.unproved.append(Unproved("scores", expected))
            return
        places = [place for place in self.places if expected.steady[place]]
        if not places:
            reason = "the original's scores are steady at no probe"
            self.unproved.append(Unproved("scores", reason))
            return
        floors = [expected.floors[place] for place in places]
        fixed = [GATES[self.precision].psnr] * len(places)
        gates, why = (
            (floors, FLOOR_REASON)
            if self.precision == "fp32"
            else (fixed, GATES[self.precision].psnr_reason)
        )
        found = self._scored("declared", side, port, expected, places, gates, why)
        if isinstance(found, str):
            self.unproved.append(Unproved("scores", found))
            return
        self.numbers.append(found)
        if self._graph is None:
            return
        gates, why = floors, GRAPH_REASON
        if self._graph.rounded:
            gates, why = [GATES["fp32"].psnr] * len(places), ROUNDED_REASON
        wanted = expected.values if self._graph.scores is None else self._graph.scores
        if isinstance(wanted, str):
            self.unproved.append(Unproved("scores", wanted))
            return
        expected = replace(expected, values=wanted)
        found = self._scored("graph", self._graph.side, port, expected, places, gates, why)
        self.numbers += [found] if isinstance(found, Measurement) else []

    def _scored(
        self,
        reading: ReadingName,
        side: Side,
        port: Port,
        expected: Scores,
        places: Sequence[int],
        gates: Sequence[float],
        why: str,
    ) -> Measurement | str:
        """PSNR of the scores at the worst probe; in words why there is none."""
        try:
            if not side.graph:
                return "this runtime shows no inner values"
            found = scores.behind_labels(side, port, self.reference.drawn, expected, places, gates)
        except LadingError as error:
            return f"its inner values cannot be asked for: {error.found}"
        if found is None:
            return f"no value that {port.name} is chosen from was found"
        names = self._names(places)
        return ratio(
            port.name, found.wanted, found.got, names, found.limits, why,
            reading=reading, of="scores",
        )  # fmt: skip

    # ----------------------------------------------------------------------------------- the end
    def comparison(self) -> Comparison:
        """All of it."""
        self.numbers = own_gates.held(self.numbers, self.reference.own)
        # of each output itself: scores or a graph that agree say nothing of what is made of them
        own = [n for n in self.numbers if n.reading == "declared" and n.of == "output"]
        gated = {number.output for number in own if number.gate is not None}
        proved = bool(gated) and gated >= {port.name for port in self.record.outputs}
        missing = [missed(number) for number in self.numbers if not number.passed]
        missing += [f"{f.where} is {f.name}: {f.text}" for f in self.findings]
        missing += own_gates.unmet(self.numbers, self.reference.own)
        passed = proved and not missing
        return Comparison(
            artifact=self.record.path,
            runtime=self.runtime.name,
            reference=self.reference.name,
            probes=len(self.places),
            measurements=tuple(self.numbers),
            findings=tuple(self.findings),
            verdict="pass" if passed else "fail",
            reason="" if passed else "; ".join(missing) or NOTHING_GATED,
            unproved=tuple(self.unproved),
        )


def mismatch(ports: Sequence[Port], expected: Outputs, got: Outputs) -> str:
    """What is wrong with names, shapes or dtypes of one probe's outputs; empty if nothing."""
    for port in ports:
        if port.name not in got:
            return f"output {port.name!r} is missing; there is {', '.join(got) or 'nothing'}"
        if port.name not in expected:
            return f"the reference has no output {port.name!r}"
        if got[port.name].shape != expected[port.name].shape:
            shapes = f"{list(got[port.name].shape)}, not {list(expected[port.name].shape)}"
            return f"output {port.name!r} has shape {shapes}"
        if not got[port.name].size:
            return f"output {port.name!r} is empty: there is nothing to compare"
        if got[port.name].dtype != np.dtype(port.dtype):
            return f"output {port.name!r} is {got[port.name].dtype}, not {port.dtype}"
    extra = set(got) - {port.name for port in ports}
    return f"unexpected outputs: {', '.join(sorted(extra))}" if extra else ""


def _overlaps(port: Port, wanted: Array, got: Array, task: Task) -> list[Measurement]:
    """The overlap of every class that either side has."""
    numbers = []
    for index, name in enumerate(task.labels):
        overlap = metrics.dice(wanted, got, index)
        if overlap is not None:
            kept = LOST if int((wanted == index).sum()) >= JUDGED else None
            why = f"overlap of {name} with the reference's; rounding moves borders only"
            numbers.append(Measurement(port.name, "dice", overlap, kept, why, channel=name))
    return numbers


def _classes(port: Port, values: Sequence[Array], task: Task) -> Array:
    """The class at every position (or the presence of every region), over all probes."""
    if port.meaning == "labels" or port.class_axis is None:
        return _flat(values)
    if task.activation == "sigmoid":
        return _flat([present(one, port) for one in values])
    return _flat([likeliest(one, port.class_axis) for one in values])


def ratio(
    output: str,
    wanted: Sequence[Array],
    got: Sequence[Array],
    probes: Sequence[str],
    limits: Sequence[float],
    why: str,
    **more: Any,
) -> Measurement:
    """PSNR at the probe where least is left above the gate of that probe.

    Args:
        output: name of the port.
        wanted: the reference's values, one array per probe.
        got: the artifact's.
        probes: names.
        limits: the gates, in dB.
        why: those.
        more: fields of the measurement: its reading, and whether it is of the scores.
    """
    ratios = [metrics.psnr(w, g) for w, g in zip(wanted, got, strict=True)]
    left = [ratio - limit for ratio, limit in zip(ratios, limits, strict=True)]
    worst = _worst(left, highest_is_worst=False)
    return Measurement(output, "psnr", ratios[worst], limits[worst], why, probes[worst], **more)


def _informing(
    output: str, kind: str, wanted: Sequence[Array], got: Sequence[Array], probes: Sequence[str]
) -> Measurement:
    """A number without a gate, its largest value over the probes."""
    values = [getattr(metrics, kind)(w, g) for w, g in zip(wanted, got, strict=True)]
    worst = _worst(values, highest_is_worst=True)
    return Measurement(
        output, kind, values[worst], None, "worst probe; psnr is gated", probes[worst]
    )


def _worst(values: Sequence[float], *, highest_is_worst: bool) -> int:
    """The index of the worst value; NaN is worse than anything."""
    sign = -1.0 if highest_is_worst else 1.0
    keys = [(0, 0.0) if value != value else (1, sign * value) for value in values]
    return keys.index(min(keys))


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays])
