"""The outputs of an artifact in a runtime beside a reference's, over all probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lading.base.progress import counted
from lading.errors import LadingError
from lading.formats import Artifact, Runtime
from lading.interface.side import Array, Side
from lading.proof import channels, degenerate, measured, metrics, noise, own_gates
from lading.proof.beyond import KINDS
from lading.proof.probes import pictured, telling
from lading.proof.reference import Graph, Outputs, Reference
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison, Finding, Measurement, Port, Unproved
from lading.record.wording import missed
from lading.task import kind_of

#: Channels that are spelled out.
SPELLED = 8
FLOOR_REASON = "what the original keeps when every result is disturbed as by sums in another order"
UNSTEADY_REASON = "the original itself misses its gate here when numbers are rounded"
RUNTIME_REASON = "the runtime's own error: in float64 the file meets its gate"
#: A runtime that comes no nearer (dB) computes something else, whatever the file is: a third of the
#: peak; as much as a channel varies.
GARBLED = {"psnr": 10.0, "snr": 0.0}
NOTHING_GATED = "nothing was gated: the original is steady at no probe; give --data"
NOTHING_REMEMBERED = "the original is steady in no second call: its memory is not compared"


class StoppedError(Exception):
    """A probe at which an artifact gives nothing that can be compared."""

    def __init__(self, probes: int, reason: str) -> None:
        super().__init__(reason)
        self.probes, self.reason = probes, reason


@dataclass
class Judge:
    """One comparison in progress: what the artifact gave, and what was made of it.

    Its outputs are judged here, its graph alone in `lading.proof.alone`, the scores behind labels
    in `lading.proof.scored`.
    """

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
        self._graph: Graph | None = None  # judged alone
        #: by probe, what runs the artifact there and asks more of it in the same run
        self._watched: dict[int, Callable[..., Outputs]] = {}
        #: what of an output nothing can be shown of
        self._coarse: dict[str, tuple[str, ...]] = {}
        # the system's own arithmetic is nobody's to know: it is given what fp16 may move
        self._summing = "fp16" if self.runtime.own else self.precision

    # ------------------------------------------------------------------------------- the outputs
    def run(self, side: Side) -> None:
        """Every probe through the artifact, and its outputs measured.

        Raises:
            StoppedError: the artifact cannot be run, or gives something else.
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

    def watch(self, artifact: Artifact) -> None:
        """Has what a bill tells of its declared reading measured in the run that is judged."""
        if artifact.readings and self.runtime.reading == "declared" and not self.runtime.opens:
            for place in telling(self.reference.drawn, self.places)[:1]:
                self._watched[place] = lambda inputs: artifact.statistics(inputs, "declared")[0]

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
                run = self._watched.get(place, side.run)
                found[place] = self._of_one(run, place, len(found))
                wrong = measured.mismatch(self.record.answers, expected[place], found[place])
                if wrong:
                    name = self.reference.drawn[place].name
                    raise StoppedError(len(found) - 1, f"{name}: {wrong}")
            except StoppedError:
                if self._steady(place) or self.reference.drawn[place].kind not in KINDS:
                    raise
                found.pop(place, None)
        self.places = [place for place in self.places if place in found]
        return found

    def _steady(self, place: int, *, computing: bool = False) -> bool:
        return self.reference.steady(place, self.precision, computing=computing)

    def _sort(self) -> None:
        """Where it is gated: at a probe at which the reference is steady, and at one at which the
        artifact meets the gates whatever the reference does. One at least must be steady."""
        meets = [p for p in self.places if self.reference.costly and self._meets(p)]
        self.firm = [p for p in self.places if p in meets or self._steady(p)]
        known = len(self.firm) > len(meets)  # the others are steady
        if not (known or any(map(self._steady, telling(self.reference.drawn, meets)))):
            self.firm = []
        self._drop()

    def _settle(self) -> None:
        """Leaves out where the reference is not steady after all; where the artifact misses, its
        arithmetic is disturbed as well."""
        self.settled = True
        self.firm = [p for p in self.firm if self._steady(p, computing=not self._meets(p))]
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

    def _of_one(self, run: Callable[..., Outputs], place: int, before: int = 0) -> Outputs:
        probe = self.reference.drawn[place]
        try:
            return run(probe.inputs)
        except LadingError as error:
            raise StoppedError(before, f"{probe.name}: {error}") from error

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
        found: channels.Judged | None = None
        if self.reference.costly:
            found = judge(channels.plain(port, every or wanted), *rest, **more)
            if found is not None and found.number.passed:
                self._coarse[port.name] = ()
                return [replace(found.number, why=channels.HIGHEST_REASON)]
            found = judge(known(effort="least"), *rest, **more)
        if found is not None and found.clear:
            why = f"{found.number.why}; {channels.CLEAR_REASON}"
            found = replace(found, number=replace(found.number, why=why))
        else:
            found = judge(known(), *rest, **more)
        if found is not None and self.reference.costly and not found.number.passed:
            found = judge(known(effort="all"), *rest, **more)  # a sample tells too little
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
