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
from lading.proof import channels, degenerate, measured, metrics, noise, own_gates, scores
from lading.proof.beyond import KINDS, meant
from lading.proof.reference import Graph, Outputs, Reference, Scores
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison, Finding, Measurement, Port, Unproved
from lading.record.measurement import ReadingName
from lading.record.wording import missed

#: Channels that are spelled out.
SPELLED = 8
FLOOR_REASON = "what the original keeps when every result is disturbed as by sums in another order"
GRAPH_REASON = "constants at the precision they came from, in fp32: what differs is the graph"
ROUNDED_REASON = "as for the graph; some constants are of unknown origin and stay rounded"
UNSTEADY_REASON = "the original itself misses its gate here when its input is rounded"
RUNTIME_REASON = "the runtime's own error: in float64 the file meets its gate"
#: A runtime that comes no nearer (dB) computes something else, whatever the file is: a third of the
#: peak; as much as a channel varies.
GARBLED = {"psnr": 10.0, "snr": 0.0}
NOTHING_GATED = "nothing was gated: the original is steady at no probe; give --data"
NOTHING_REMEMBERED = "the original is steady in no second call: its memory is not compared"


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
    wrong = artifact.randomness() or artifact.unloadable()
    if wrong:
        return _ended(reference, record, runtime, "fail", wrong)
    absent = runtime.unavailable()
    if absent:
        return _ended(reference, record, runtime, "not run", absent)
    left = reference.widen(artifact)
    return compare(reference, artifact, record, runtime, artifact.open(runtime), left=left)


def compare(
    reference: Reference,
    artifact: Artifact,
    record: ArtifactRecord,
    runtime: Runtime,
    side: Side,
    *,
    alone: bool = True,
    left: Sequence[Unproved] = (),
) -> Comparison:
    """Runs every probe that fits the artifact and judges the outputs.

    Args:
        reference: what it is held against.
        artifact: opened.
        record: of it: ports and declared precision.
        runtime: what runs it.
        side: the artifact there; or in another's place, changed.
        alone: judge an fp16 artifact's graph alone too.
        left: what the artifact claims and nobody ran.
    """
    told = noted_labels(record.details)
    if told and reference.task.labels and told != reference.task.labels:
        both = f"{', '.join(told)}; the original's are {', '.join(reference.task.labels)}"
        reason = f"the artifact's class names are {both}"
        return _ended(reference, record, runtime, "fail", reason)
    places = [i for i, probe in enumerate(reference.drawn) if meant(probe, record)]
    if not places:
        return _ended(reference, record, runtime, "not run", "no probe fits the artifact's inputs")
    judge = _Judge(reference, record, runtime, places)
    judge.unproved += left
    try:
        judge.run(side)
        if alone:
            judge.exactly(artifact)
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
        steady, sound = (self.reference.steady(p) for p in (self.precision, "fp32"))
        drawn, half = self.reference.drawn, self.precision == "fp16"
        #: where the graph alone is judged besides
        self.far = [p for p in self.places if half and drawn[p].far and sound[p]]
        self.places = [
            place
            for place in self.places
            if not (half and drawn[place].far) and (steady[place] or drawn[place].kind not in KINDS)
        ]
        self.firm = [place for place in self.places if steady[place]]
        floors = None if self.runtime.own else self.reference.floors()
        self.floors: Sequence[Mapping[str, float]] = floors or ()
        self.got: dict[int, Outputs] = {}
        self.numbers: list[Measurement] = []
        self.findings: list[Finding] = []
        self.unproved: list[Unproved] = []
        self._graph: Graph | None = None
        #: what of an output nothing can be shown of
        self._coarse: dict[str, tuple[str, ...]] = {}
        # the system's own arithmetic is nobody's to know: it is given what fp16 may move
        self._summing = "fp16" if self.runtime.own else self.precision

    # ------------------------------------------------------------------------------- the outputs
    def run(self, side: Side) -> None:
        """Every probe through the artifact, and its outputs measured.

        Raises:
            _StoppedError: the artifact cannot be run, or gives something else.
        """
        self.got = self._outputs(side, self.reference.outputs)
        for port in self.record.answers:
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
            wrong = measured.mismatch(self.record.answers, expected[place], found[place])
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

    def _limits(self, name: str, precision: str, places: Sequence[int]) -> tuple[list[float], str]:
        """PSNR gates of an output at steady probes, and why those."""
        gates = GATES[precision]
        if precision == "fp32" and self.floors:
            return [self.floors[place][name] for place in places], FLOOR_REASON
        return [gates.psnr] * len(places), gates.psnr_reason

    def _measured(self, port: Port) -> list[Measurement]:
        """What is measured of one output over all steady probes."""
        wanted, got = self._pairs(port.name, self.firm)
        probes = self._names(self.firm)
        numbers: list[Measurement] = []
        real = wanted[0].dtype.kind == "f"
        if port.meaning != "labels" and real:
            limits, reason = self._limits(port.name, self.precision, self.firm)
            known = self.reference.channels(port, self.firm, self._summing)
            numbers += [
                own_gates.worst(
                    lambda gates: measured.ratio(port.name, wanted, got, probes, gates, reason),
                    limits,
                    probes,
                    self.reference.own,
                ),
                *(
                    measured.informing(port.name, kind, wanted, got, probes)
                    for kind in metrics.SHOWN
                ),
                *self._channels(port, known, wanted, got, self._summing),
            ]
            if port.class_axis is None:
                return numbers
        task = self.reference.task
        flat_w, flat_g = measured.classes(port, wanted, task), measured.classes(port, got, task)
        gate, reason = self.reference.agreement(port, self.firm, self.precision)
        agreed = metrics.label_agreement(flat_w, flat_g)
        numbers.append(Measurement(port.name, "label_agreement", agreed, gate, reason))
        if not real or task.activation != "sigmoid" or port.meaning == "labels":
            numbers += measured.overlaps(port, flat_w, flat_g, task)
        return numbers

    def _channels(
        self,
        port: Port,
        known: Sequence[channels.Channels],
        wanted: Sequence[Array],
        got: Sequence[Array],
        precision: str,
        **more: Any,
    ) -> list[Measurement]:
        """The worst channel of an output; what the finest reading does not resolve is kept."""
        cap = noise.HIGHEST if precision == "fp32" else GATES["fp16"].psnr
        if more.get("reading") == "graph":
            cap = max(cap, GATES["fp32"].psnr)
        labels = self.reference.task.labels
        found = channels.judged(port, known, wanted, got, precision, cap, labels, **more)
        if found is None:
            return []
        self._coarse[port.name] = found.unresolved
        return [found.number]

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
        ours = [self.got[place] for place in varied]
        name = self.runtime.name
        self.findings += degenerate.of_both(theirs, ours, ports, activation, name)

    # ----------------------------------------------------------------------- the file, not the sums
    def exactly(self, artifact: Artifact) -> None:
        """Where a runtime misses, whether the file does: the same in float64. Where that meets
        every gate, the file is equal, and what the runtime makes of it is shown."""
        missed = [n for n in self.numbers if n.gate is not None and not n.passed]
        if not missed or self.findings or self.precision != "fp32" or self.runtime.own:
            return
        if any(not n.value >= GARBLED.get(n.kind, np.inf) for n in missed):
            return
        got, self.got = self.got, {}
        try:
            exact = artifact.exact()
            for place in self.firm:
                values = exact.run(self.reference.drawn[place].inputs)
                self.got[place] = {n: v.astype(got[place][n].dtype) for n, v in values.items()}
            found = [n for port in self.record.answers for n in self._measured(port)]
        except LadingError:
            return
        finally:
            self.got = got
        gated = [replace(n, reading="float64") for n in found if n.gate is not None]
        if gated and all(number.passed for number in gated):
            self.numbers = [
                replace(n, gate=None, why=RUNTIME_REASON) if n in missed else n
                for n in self.numbers
            ]
            self.numbers += gated

    # --------------------------------------------------------------------------- the graph alone
    def graph(self, artifact: Artifact) -> None:
        """What rounding hides, judged like fp32.

        Raises:
            _StoppedError: it is a graph in fp32 too, and cannot be run.
        """
        if self.precision != "fp16" and self.record.precision != "fp16":
            return
        read = self._read_graph(artifact, exact=False)
        if read is None:
            return
        if not all(number.passed for number in read) or (self._graph and self._graph.rounded):
            # guesses are not held against the artifact: as a fresh conversion has its constants
            read = self._read_graph(artifact, exact=True) or read
        self.numbers += read

    def _read_graph(self, artifact: Artifact, *, exact: bool) -> list[Measurement] | None:
        """What is measured of the graph alone; None where there is none to judge."""
        try:
            graph = self.reference.graph(artifact, self.runtime, exact=exact)
        except LadingError as error:  # what is a graph as it is may be none in float32
            self.unproved += [] if exact else [Unproved("graph", error.found)]
            return None
        if graph is None or not self.firm:
            return None
        self._graph = graph
        places = [*self.firm, *self.far]
        got = {place: self._of_one(graph.side, place) for place in places}
        numbers: list[Measurement] = []
        for port in self.record.answers:
            wanted = [graph.expected[place][port.name] for place in places]
            values = [got[place][port.name] for place in places]
            numbers += self._of_the_graph(port, wanted, values, exact=not graph.rounded)
        return numbers

    def _of_the_graph(
        self, port: Port, wanted: Sequence[Array], got: Sequence[Array], *, exact: bool
    ) -> list[Measurement]:
        gates = GATES["fp32"]
        if port.meaning == "labels" or wanted[0].dtype.kind != "f":
            value = metrics.label_agreement(measured.flat(wanted), measured.flat(got))
            why = f"the graph in fp32; {gates.agreement_reason}"
            return [
                Measurement(
                    port.name, "label_agreement", value, gates.agreement, why, reading="graph"
                )
            ]
        places = [*self.firm, *self.far]
        limits, why = [gates.psnr] * len(places), ROUNDED_REASON
        if exact and self.floors:
            limits, why = self._limits(port.name, "fp32", places)[0], GRAPH_REASON
        names = self._names(places)
        known = self.reference.channels(port, places, "fp32" if exact else "fp16")
        return [
            measured.ratio(port.name, wanted, got, names, limits, why, reading="graph"),
            *self._channels(port, known, wanted, got, "fp32" if exact else "fp16", reading="graph"),
        ]

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
        self.numbers += found
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
        self.numbers += [] if isinstance(found, str) else found

    def _scored(
        self,
        reading: ReadingName,
        side: Side,
        port: Port,
        expected: Scores,
        places: Sequence[int],
        gates: Sequence[float],
        why: str,
    ) -> list[Measurement] | str:
        """PSNR of the scores at the worst probe, and the worst class; in words why not."""
        try:
            if not side.graph:
                return "this runtime shows no inner values"
            found = scores.behind_labels(side, port, self.reference.drawn, expected, places, gates)
        except LadingError as error:
            return f"its inner values cannot be asked for: {error.found}"
        if found is None:
            return f"no value that {port.name} is chosen from was found"
        names = self._names(places)
        more: Any = {"reading": reading, "of": "scores"}
        whole = measured.ratio(port.name, found.wanted, found.got, names, found.limits, why, **more)
        if not found.plain:
            return [whole]
        exact = self._summing == "fp32" or (reading == "graph" and why == GRAPH_REASON)
        named = replace(expected.port, name=port.name)
        wanted, got, precision = found.wanted, found.got, "fp32" if exact else "fp16"
        known = expected.channels(places, precision)
        return [whole, *self._channels(named, known, wanted, got, precision, **more)]

    # ----------------------------------------------------------------------------------- the end
    def comparison(self) -> Comparison:
        """All of it."""
        self.numbers = own_gates.held(self.numbers, self.reference.own)
        for name, these in self._coarse.items():
            if these:
                more = f" and {len(these) - SPELLED} more" if len(these) > SPELLED else ""
                text = f"{', '.join(these[:SPELLED])}{more} of {name}"
                self.unproved.append(Unproved("channels", text))
        # of each output itself: scores or a graph that agree say nothing of what is made of them
        own = [n for n in self.numbers if n.reading in ("declared", "float64") and n.of == "output"]
        gated = {number.output for number in own if number.gate is not None}
        proved = bool(gated) and gated >= {port.name for port in self.record.answers}
        missing = [missed(number) for number in self.numbers if not number.passed]
        missing += [f"{f.where} is {f.name}: {f.text}" for f in self.findings]
        missing += own_gates.unmet(self.numbers, self.reference.own)
        missing += [f"{text}; --accept-frozen if so meant" for text in self.reference.undecided()]
        calls = max((self.reference.drawn[place].calls for place in self.firm), default=0)
        if self.record.states and calls < 2:
            missing.append(NOTHING_REMEMBERED)
        passed = proved and not missing
        missing += self.reference.decided() if missing else ()
        drawn, deep = self.reference.drawn, self.far if self._graph else ()
        fed, far = ([drawn[place] for place in many] for many in (self.firm, deep))
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
            covered=tuple(measured.covered(self.record.inputs, fed, far)),
        )
