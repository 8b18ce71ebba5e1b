"""The scores that a label map is chosen from, which hides a network a little wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lading.errors import LadingError
from lading.interface.side import Side
from lading.proof import measured, metrics, noise, scores
from lading.proof.alone import GRAPH_REASON, ROUNDED_REASON, GraphJudge
from lading.proof.judge import FLOOR_REASON
from lading.proof.reference import Scores
from lading.proof.scores import Found
from lading.proof.verdict import GATES
from lading.record import Measurement, Port, Unproved
from lading.record.measurement import ReadingName


class ScoreJudge(GraphJudge):
    """See `lading.proof.judge.Judge`; with the graph alone, and the scores behind labels."""

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
