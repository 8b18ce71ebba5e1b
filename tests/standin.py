"""An artifact that gives what a test says, for judging without a converter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lading.formats import Artifact, Held, Restore, Runtime
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import Made, Side
from lading.proof.channels import Channels, Effort
from lading.proof.probes import Probe
from lading.proof.reference import Graph, Outputs, Scores
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Port, Unproved

#: Changes outputs in place, or gives others.
Change = Callable[[dict[str, Any]], Any]


class Changed:
    """The original's outputs, changed; see `lading.interface.side.Side`."""

    runtime, reading, title, in_torch = "fake", "declared", "a.fake", True
    graph: Sequence[Made] = ()

    def __init__(self, one: Interface, change: Change = lambda outputs: None) -> None:
        self.side, self.change = TorchSide(one), change
        self.outputs = self.side.outputs

    def run(self, inputs: Mapping[str, Any], look_at: Collection[str] = ()) -> dict[str, Any]:
        outputs = {name: value.copy() for name, value in self.side.run(inputs).items()}
        changed = self.change(outputs)
        return outputs if changed is None else changed


class Format:
    """See `lading.formats.Format`, as far as comparisons ask."""

    name, suffix, title = "fake", ".fake", "Fake"

    def __init__(self, side: Side) -> None:
        self.runtimes: tuple[Runtime, ...] = (Runtime("fake", "Fake", opens=lambda path: side),)


class Fake(Artifact):
    """An artifact whose every reading is one side.

    Args:
        one: the network whose ports it has.
        side: what it computes.
        precision: that it declares.
        wide: what it computes in fp32; by default `side`.
        changes: of its record.
    """

    def __init__(
        self,
        one: Interface,
        side: Side,
        precision: str = "fp32",
        wide: Side | None = None,
        **changes: Any,
    ) -> None:
        form: Any = Format(side)
        super().__init__(Path("a.fake"), form)
        self._side, self._wide = side, wide or side
        plain = ArtifactRecord(
            "fake", "a.fake", 1, "00", precision, one.inputs, one.outputs, "export"
        )
        self.record = replace(plain, **changes)

    record: Any = None

    def constants(self) -> Sequence[Held]:
        return ()

    def side(self, reading: str = "declared") -> Side:
        return self._side

    def widened(self, restore: Restore) -> Side:
        return self._wide


class Given:
    """Outputs on probes as a test says, steady at each of them, every gate the fixed one; see
    `lading.proof.reference.Reference`.

    Args:
        one: the network whose task it is.
        drawn: probes.
        side: what gives the outputs; by default the network.

    Attributes:
        calm: whether it is steady, per probe.
        alone: what it says of an fp16 artifact's graph.
    """

    name = "torch"

    def __init__(
        self,
        one: Interface,
        drawn: Sequence[Probe],
        side: Side | None = None,
    ) -> None:
        self.own: dict[str, float] = {}
        self.task, self.drawn = one.task, drawn
        runs = side or TorchSide(one)
        self.outputs: Sequence[Outputs] = [runs.run(probe.inputs) for probe in drawn]
        self.calm, self.costly = [True] * len(drawn), False
        self.alone: Graph | None = None

    def widen(self, artifact: Artifact) -> Sequence[Unproved]:
        return ()

    def undecided(self) -> Sequence[str]:
        return ()

    def decided(self) -> Sequence[str]:
        return ()

    def steady(self, place: int, precision: str, *, computing: bool = False) -> bool:
        return self.calm[place]

    def floor(self, place: int) -> Mapping[str, float] | None:
        return None

    def channels(
        self, port: Port, places: Sequence[int], precision: str, effort: Effort = "sample"
    ) -> Sequence[Channels]:
        return ()

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        gates = GATES[precision]
        return gates.agreement, gates.agreement_reason

    def scores(self, precision: str) -> Scores | str:
        return "a test gave labels only"

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        return self.alone
