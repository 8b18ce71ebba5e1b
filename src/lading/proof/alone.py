"""An fp16 artifact's graph alone: what rounding hides, judged like fp32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface.side import Array
from lading.proof import measured, metrics
from lading.proof.judge import FLOOR_REASON, Judge
from lading.proof.reference import Graph, Outputs
from lading.proof.verdict import GATES
from lading.record import Measurement, Port, Unproved

GRAPH_REASON = "constants at the precision they came from, in fp32: what differs is the graph"
ROUNDED_REASON = "as for the graph; some constants are of unknown origin and stay rounded"
#: Probes at which a graph alone is read first; at all of them where it misses there.
TELLING = 2


class GraphJudge(Judge):
    """See `Judge`; with the graph alone."""

    def graph(self, artifact: Artifact) -> None:
        """What rounding hides, judged like fp32.

        Raises:
            StoppedError: it is a graph in fp32 too, and cannot be run.
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
            got.update((one, self._of_one(graph.side.run, one)) for one in some if one not in got)
            numbers = self._of_the_graph(graph, got)
            if all(number.passed for number in numbers):
                return numbers
        far = [p for p in self.far if self.reference.steady(p, "fp32", computing=True)]
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
        if len(ran) < len(places):
            why += f"; {len(ran)} of {len(places)} probes, where the file is furthest off"
        precision = "fp32" if exact else "fp16"
        known = partial(self.reference.channels, port, places, precision)
        return [
            measured.ratio(port.name, wanted, got, self._names(ran), limits, why, reading="graph"),
            *self._channels(port, known, wanted, got, precision, every, reading="graph"),
        ]
