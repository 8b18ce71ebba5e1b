"""The one judge: an artifact in a runtime beside a reference, over all probes.

`convert`, `verify`, `compare`, golden vectors and the search for what must stay in fp32 all come
here. What it refuses nobody passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lading.base.progress import Progress, counted
from lading.coreml.arrays import noted_labels
from lading.errors import LadingError
from lading.formats import Artifact, Runtime
from lading.interface.side import Array, Side
from lading.proof import channels, degenerate, measured, metrics, noise, own_gates, scores
from lading.proof.beyond import KINDS, meant
from lading.proof.probes import pictured
from lading.proof.reference import Graph, Outputs, Reference, Scores
from lading.proof.scores import Found
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison, Finding, Measurement, Port, Unproved
from lading.record.measurement import ReadingName
from lading.record.wording import missed
from lading.task import kind_of

#: Channels that are spelled out.
SPELLED = 8
FLOOR_REASON = "what the original keeps when every result is disturbed as by sums in another order"
GRAPH_REASON = "constants at the precision they came from, in fp32: what differs is the graph"
ROUNDED_REASON = "as for the graph; some constants are of unknown origin and stay rounded"
UNSTEADY_REASON = "the original itself misses its gate here when its input is rounded"
RUNTIME_REASON = "the runtime's own error: in float64 the file meets its gate"
#: Probes at which a graph alone is read first; at all of them where it misses there.
TELLING = 4
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
            artifact.gave |= judge.shown()
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
        drawn, half = self.reference.drawn, self.precision == "fp16"
        #: where the graph alone is judged besides
        self.far = [place for place in self.places if half and drawn[place].far]
        self.places = [place for place in self.places if not (half and drawn[place].far)]
        #: where it is gated
        self.firm: list[int] = []
        #: whether every one of these is known to be steady
        self.settled = not self.reference.costly
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
        self._sort()
        self.numbers = self._of_outputs()
        if not self.settled and not all(number.passed for number in self.numbers):
            self._settle()
            self.numbers = self._of_outputs()
        for port in self.record.answers:
            for place in self.places:
                if place not in self.firm:
                    self.numbers.append(self._unsteady(port, place))
        self._degenerate()

    def shown(self) -> dict[tuple[str, str], Outputs]:
        """What was given at the probes of a bill's pictures, by runtime and probe."""
        reference = self.reference
        if not kind_of(reference.task).maps:
            return {}
        drawn = [reference.drawn[place] for place in self.got]
        gave = [*self.got.values()]
        places = pictured(drawn, self.record.inputs[0])
        return {(self.runtime.name, drawn[i].name): gave[i] for i in places}

    def _of_outputs(self) -> list[Measurement]:
        ports = self.record.answers if self.firm else ()
        return [number for port in ports for number in self._measured(port)]

    def _outputs(self, side: Side, expected: Sequence[Outputs]) -> dict[int, Outputs]:
        found: dict[int, Outputs] = {}
        for place in counted(list(self.places), "probes"):
            try:
                found[place] = self._of_one(side, place, len(found))
                wrong = measured.mismatch(self.record.answers, expected[place], found[place])
                if wrong:
                    name = self.reference.drawn[place].name
                    raise _StoppedError(len(found) - 1, f"{name}: {wrong}")
            except _StoppedError:
                if self._steady(place) or self.reference.drawn[place].kind not in KINDS:
                    raise
                found.pop(place, None)
        self.places = [place for place in self.places if place in found]
        return found

    def _steady(self, place: int) -> bool:
        return self.reference.steady(place, self.precision)

    def _sort(self) -> None:
        """Where it is gated: at a probe at which the reference is steady, and at one at which the
        artifact meets the gates whatever the reference does. One at least must be steady."""
        meets = [p for p in self.places if self.reference.costly and self._meets(p)]
        self.firm = [p for p in self.places if p in meets or self._steady(p)]
        if not any(map(self._steady, [p for p in self.firm if p not in meets] + meets)):
            self.firm = []
        self._drop()

    def _settle(self) -> None:
        """Leaves out where the reference is not steady after all."""
        self.settled = True
        self.firm = [place for place in self.firm if self._steady(place)]
        self._drop()

    def _drop(self) -> None:
        """What is beyond the standing probes and proves nothing is not shown either."""
        drawn, firm = self.reference.drawn, set(self.firm)
        self.places = [p for p in self.places if p in firm or drawn[p].kind not in KINDS]

    def _meets(self, place: int) -> bool:
        """Whether the artifact meets the gates of a probe, the highest that they can be."""
        wanted, got = self.reference.outputs[place], self.got[place]
        gates = GATES[self.precision]
        ratio = noise.HIGHEST if self._measures else gates.psnr
        return all(
            metrics.label_agreement(wanted[port.name], got[port.name]) >= gates.agreement
            if port.meaning == "labels" or wanted[port.name].dtype.kind != "f"
            else metrics.psnr(wanted[port.name], got[port.name]) >= ratio
            for port in self.record.answers
        )

    @property
    def _measures(self) -> bool:
        """Whether gates of the ratio are what the reference keeps."""
        return self.precision == "fp32" and not self.runtime.own

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

    def _limits(
        self,
        name: str,
        places: Sequence[int],
        wanted: Sequence[Array],
        got: Sequence[Array],
    ) -> tuple[list[float], str]:
        """PSNR gates of an output in fp32 at steady probes, and why those; what the reference keeps
        is asked for where it can be less than what was found."""
        fixed = GATES["fp32"]
        limits, why = [], noise.HIGHEST_REASON if self.reference.costly else FLOOR_REASON
        for place, one, other in zip(places, wanted, got, strict=True):
            if self.reference.costly and metrics.psnr(one, other) >= noise.HIGHEST:
                limits.append(noise.HIGHEST)
                continue
            floor = self.reference.floor(place)
            if floor is None:
                return [fixed.psnr] * len(places), fixed.psnr_reason
            limits.append(floor[name])
            why = FLOOR_REASON
        return limits, why

    def _measured(self, port: Port) -> list[Measurement]:
        """What is measured of one output over all steady probes."""
        wanted, got = self._pairs(port.name, self.firm)
        probes = self._names(self.firm)
        numbers: list[Measurement] = []
        real = wanted[0].dtype.kind == "f"
        if port.meaning != "labels" and real:
            gates = GATES[self.precision]
            limits, reason = [gates.psnr] * len(self.firm), gates.psnr_reason
            if self._measures:
                limits, reason = self._limits(port.name, self.firm, wanted, got)
            known = partial(self.reference.channels, port, self.firm, self._summing)
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
        agreed = metrics.label_agreement(flat_w, flat_g)
        gate, reason = GATES[self.precision].agreement, GATES[self.precision].agreement_reason
        if not self.reference.costly or not agreed >= gate:
            gate, reason = self.reference.agreement(port, self.firm, self.precision)
        numbers.append(Measurement(port.name, "label_agreement", agreed, gate, reason))
        if not real or task.activation != "sigmoid" or port.meaning == "labels":
            numbers += measured.overlaps(port, flat_w, flat_g, task)
        return numbers

    def _channels(
        self,
        port: Port,
        known: Callable[..., Sequence[channels.Channels]],
        wanted: Sequence[Array],
        got: Sequence[Array],
        precision: str,
        every: Sequence[Array] = (),
        **more: Any,
    ) -> list[Measurement]:
        """The worst channel of an output; what the finest reading does not resolve is kept. What
        the reference keeps of each is asked for where a channel misses the highest gate. `every`:
        its values at all probes, where it was run at some of them."""
        cap = noise.HIGHEST if precision == "fp32" else GATES["fp16"].psnr
        if more.get("reading") == "graph":
            cap = max(cap, GATES["fp32"].psnr)
        labels = self.reference.task.labels
        judge = partial(channels.judged, port)
        rest = wanted, got, precision, cap, labels
        if self.reference.costly:
            found = judge(channels.plain(port, every or wanted), *rest, **more)
            if found is not None and found.number.passed:
                self._coarse[port.name] = ()
                return [replace(found.number, why=channels.HIGHEST_REASON)]
        found = judge(known(), *rest, **more)
        if found is not None and self.reference.costly and not found.number.passed:
            most = len(every or wanted)
            found = judge(known(most=most), *rest, **more)  # a few tell too little
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
        graph = self._alone(artifact, exact=False)
        if graph is None:
            return
        exact = graph.rounded > 0
        if exact:  # guesses are not held against the artifact: as a fresh conversion has them
            graph = self._alone(artifact, exact=True) or graph
        read = self._read(graph)
        if not exact and not all(number.passed for number in read):
            graph = self._alone(artifact, exact=True)
            read = read if graph is None else self._read(graph)
        self.numbers += read

    def _alone(self, artifact: Artifact, *, exact: bool) -> Graph | None:
        """The graph alone; None where there is none to judge."""
        try:
            graph = self.reference.graph(artifact, self.runtime, exact=exact)
        except LadingError as error:  # what is a graph as it is may be none in float32
            self.unproved += [] if exact else [Unproved("graph", error.found)]
            return None
        return graph if self.firm else None

    def _read(self, graph: Graph) -> list[Measurement]:
        """What is measured of the graph alone: first where the file is furthest off."""
        self._graph = graph
        places, got = [*self.firm, *self.far], dict[int, Outputs]()
        for some in (self._telling(), places):
            got.update((one, self._of_one(graph.side, one)) for one in some if one not in got)
            numbers = self._of_the_graph(graph, got)
            if all(number.passed for number in numbers):
                return numbers
        far = [place for place in self.far if self.reference.steady(place, "fp32")]
        if not self.settled:
            self._settle()
            self.numbers = [*self._of_outputs(), *(n for n in self.numbers if not n.steady)]
        if [*self.firm, *far] != places:
            self.far = far
            numbers = self._of_the_graph(graph, got)
        return numbers

    def _telling(self) -> list[int]:
        """Probes at which the graph is read first: the worst of the file itself, one of each size
        besides, and all at which nothing else is."""
        ranked = sorted(self.firm, key=self._ratio)
        found = ranked[:TELLING]
        sizes = {self._sizes(place) for place in found}
        for place in ranked:
            if self._sizes(place) not in sizes:
                sizes.add(self._sizes(place))
                found.append(place)
        return [*sorted(found), *self.far]

    def _sizes(self, place: int) -> tuple[tuple[int, ...], ...]:
        return tuple(array.shape for array in self.reference.drawn[place].inputs.values())

    def _ratio(self, place: int) -> float:
        """How near the file came at a probe: the least of its outputs."""
        wanted, got = self.reference.outputs[place], self.got[place]
        return min(
            (
                metrics.psnr(wanted[port.name], got[port.name])
                for port in self.record.answers
                if wanted[port.name].dtype.kind == "f"
            ),
            default=0.0,
        )

    def _of_the_graph(self, graph: Graph, got: Mapping[int, Outputs]) -> list[Measurement]:
        """Of what was run; what varies, and by how much, is known from all probes."""
        places = [*self.firm, *self.far]
        ran = [place for place in places if place in got]
        numbers: list[Measurement] = []
        for port in self.record.answers:
            wanted = [graph.expected[place][port.name] for place in ran]
            values = [got[place][port.name] for place in ran]
            if port.meaning == "labels" or wanted[0].dtype.kind != "f":
                gates = GATES["fp32"]
                value = metrics.label_agreement(measured.flat(wanted), measured.flat(values))
                why = f"the graph in fp32; {gates.agreement_reason}"
                numbers.append(
                    Measurement(
                        port.name, "label_agreement", value, gates.agreement, why, reading="graph"
                    )
                )
                continue
            every = [graph.expected[place][port.name] for place in places]
            numbers += self._of_one_port(
                port, places, every, ran, wanted, values, exact=not graph.rounded
            )
        return numbers

    def _of_one_port(
        self,
        port: Port,
        places: Sequence[int],
        every: Sequence[Array],
        ran: Sequence[int],
        wanted: Sequence[Array],
        got: Sequence[Array],
        *,
        exact: bool,
    ) -> list[Measurement]:
        limits, why = [GATES["fp32"].psnr] * len(ran), ROUNDED_REASON
        if exact and not self.runtime.own:
            limits, why = self._limits(port.name, ran, wanted, got)
            why = GRAPH_REASON if why == FLOOR_REASON else why
        precision = "fp32" if exact else "fp16"
        known = partial(self.reference.channels, port, places, precision)
        return [
            measured.ratio(port.name, wanted, got, self._names(ran), limits, why, reading="graph"),
            *self._channels(port, known, wanted, got, precision, every, reading="graph"),
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
        places = [place for place in self.places if expected.steady(place)]
        if not places:
            reason = "the original's scores are steady at no probe"
            self.unproved.append(Unproved("scores", reason))
            return
        exact = self.precision == "fp32"
        found = self._scored("declared", side, port, expected, places, measures=exact)
        if isinstance(found, str):
            self.unproved.append(Unproved("scores", found))
            return
        self.numbers += found
        if self._graph is None:
            return
        wanted = expected.values if self._graph.scores is None else self._graph.scores
        if isinstance(wanted, str):
            self.unproved.append(Unproved("scores", wanted))
            return
        expected, exact = replace(expected, values=wanted), not self._graph.rounded
        found = self._scored("graph", self._graph.side, port, expected, places, measures=exact)
        self.numbers += [] if isinstance(found, str) else found

    def _scored(
        self,
        reading: ReadingName,
        side: Side,
        port: Port,
        expected: Scores,
        places: Sequence[int],
        *,
        measures: bool,
    ) -> list[Measurement] | str:
        """PSNR of the scores at the worst probe, and the worst class; in words why not.

        `measures`: whether the gates are what the reference keeps.
        """
        try:
            if not side.graph:
                return "this runtime shows no inner values"
            found = scores.behind_labels(side, port, self.reference.drawn, expected, places)
        except LadingError as error:
            return f"its inner values cannot be asked for: {error.found}"
        if found is None:
            return f"no value that {port.name} is chosen from was found"
        limits, why = self._of_scores(reading, expected, places, found, measures=measures)
        names = self._names(places)
        more: Any = {"reading": reading, "of": "scores"}
        whole = measured.ratio(port.name, found.wanted, found.got, names, limits, why, **more)
        if not found.plain:
            return [whole]
        exact = self._summing == "fp32" or (reading == "graph" and measures)
        named = replace(expected.port, name=port.name)
        wanted, got, precision = found.wanted, found.got, "fp32" if exact else "fp16"
        known = partial(expected.channels, places, precision)
        return [whole, *self._channels(named, known, wanted, got, precision, **more)]

    def _of_scores(
        self,
        reading: ReadingName,
        expected: Scores,
        places: Sequence[int],
        found: Found,
        *,
        measures: bool,
    ) -> tuple[list[float], str]:
        """The gates of the scores, and why those."""
        gates = GATES["fp32" if reading == "graph" else self.precision]
        limits = [gates.psnr] * len(places)
        why = ROUNDED_REASON if reading == "graph" else gates.psnr_reason
        if measures:
            ratios = map(metrics.psnr, found.wanted, found.got)
            highest = [self.reference.costly and ratio >= noise.HIGHEST for ratio in ratios]
            limits = [noise.HIGHEST if high else expected.floor(place)
                      for place, high in zip(places, highest, strict=True)]  # fmt: skip
            why = FLOOR_REASON if reading == "declared" else GRAPH_REASON
            why = noise.HIGHEST_REASON if all(highest) else why
        if not found.plain:  # what is measured is measured on the scores
            limits = [min(limit, GATES["fp32"].psnr) for limit in limits]
        return limits, why

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
