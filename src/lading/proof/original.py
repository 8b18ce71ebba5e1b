"""The untouched original as a reference: on every probe, run once and asked often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from lading.conversion.graphs import Graphs
from lading.formats import Artifact, Runtime
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import Array
from lading.proof import channels, noise, scores, steadiness
from lading.proof.answered import answered
from lading.proof.beyond import Beyond
from lading.proof.branches import Branches
from lading.proof.channels import Channels
from lading.proof.probes import Probe
from lading.proof.reference import Graph, Outputs, Scores
from lading.proof.verdict import GATES
from lading.proof.weights.again import Again
from lading.proof.weights.followed import Followed
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from lading.record import Port, Task, Unproved
from lading.task.finish import threshold
from lading.task.further import Price

#: Two classes tie where their margin is within this many root mean squares of what fp16 does to the
#: original: twice of it moves either of them.
TIED = 4.0
#: No agreement below, whatever the original does: one label in twenty makes another map.
LEAST = 0.95
TIED_REASON = "classes tie there within what rounding to fp16 does to the original itself"


class Original:
    """See `lading.proof.reference.Reference`.

    Args:
        interface: the untouched network.
        drawn: probes.
        accepted: decisions by value that are meant to be frozen, as ``net.py:12``.
        graphs: of the network, where some may be taken already.

    Attributes:
        followed: what the network computes of its tensors alone.
        again: fresh conversions of it.
        aside: probes that it refuses, in words.

    Raises:
        InputError: it refuses the user's own values, or every probe.
    """

    drawn: Sequence[Probe]
    outputs: Sequence[Outputs]

    name = "torch"

    def __init__(
        self,
        interface: Interface,
        drawn: Sequence[Probe],
        accepted: Sequence[str] = (),
        *,
        own: Mapping[str, float] | None = None,
        graphs: Graphs | None = None,
    ) -> None:
        self.own = own or {}
        self.interface, self.task = interface, interface.task
        self.side = TorchSide(interface)
        self.followed, self.again = Followed(interface), Again(graphs or Graphs(interface))
        self.drawn, self.outputs, self.aside = answered(self.side, drawn)
        first = self.drawn[0].inputs if self.drawn else None
        price = Price.of(self.side.operations(first) if first is not None else None)
        self._beyond = Beyond(
            interface, price, lambda probe: self.side.run(probe.inputs), self._add
        )
        self._branches: Branches | None = None
        self._accepted = accepted
        self._steady: dict[str, list[bool]] = {}
        self._twins: list[dict[str, Array]] = []
        self._rounded: list[dict[str, Array]] = []
        self._halved: dict[int, dict[str, Array]] = {}
        self._bare: Original | None = None

    def widen(self, artifact: Artifact) -> tuple[Unproved, ...]:
        """See `lading.proof.beyond`."""
        left = self._beyond.widen(artifact)
        if self._branches is None:
            self._branches = Branches(self.interface, self._accepted)
            for probe in self._branches.search(self._sound() or self.drawn):
                self._beyond.take(probe)
        unseen = self._branches.unseen
        return (
            *left,
            *(Unproved("frozen", text) for text in self._branches.frozen()[1]),
            *([Unproved("decisions", unseen)] if unseen else ()),
        )

    def _sound(self) -> list[Probe]:
        """Probes at which it is steady: the others show nothing."""
        steady = self.steady("fp32")
        return [probe for probe, firm in zip(self.drawn, steady, strict=True) if firm]

    def undecided(self) -> Sequence[str]:
        """Decisions by value of which one side alone was compared, in words."""
        return self._branches.frozen()[0] if self._branches else ()

    def decided(self) -> Sequence[str]:
        """Decisions by value of which both sides were compared, in words."""
        return self._branches.both() if self._branches else ()

    def _add(self, probe: Probe, outputs: Outputs) -> None:
        self.drawn, self.outputs = [*self.drawn, probe], [*self.outputs, outputs]
        if self._bare:
            self._bare._add(probe, self._bare.side.run(probe.inputs))

    def steady(self, precision: str) -> list[bool]:
        """See `lading.proof.steadiness`. Computed once per precision."""
        known, ports = self._steady.setdefault(precision, []), self.interface.answers
        for place in range(len(known), len(self.drawn)):
            probe, outputs = self.drawn[place], self.outputs[place]
            known.append(steadiness.steady(self.side, probe, outputs, ports, precision))
        return known

    def floors(self) -> list[dict[str, float]]:
        """See `lading.proof.noise`."""
        return [noise.gates(a, b) for a, b in zip(self.outputs, self.twins(), strict=True)]

    def twins(self) -> list[dict[str, Array]]:
        """Per probe, the outputs with every result disturbed as by sums in another order."""
        for probe in self.drawn[len(self._twins) :]:
            self._twins.append(noise.disturbed(self.interface, probe))
        return self._twins

    def channels(self, port: Port, places: Sequence[int], precision: str) -> Sequence[Channels]:
        """See `lading.proof.channels`."""
        wanted = [self.outputs[place][port.name] for place in places]
        moved = [self.twins()[place][port.name] for place in places]
        half = [self._half(place)[port.name] for place in places if precision == "fp16"]
        return channels.measured(port, wanted, wanted, moved, half)

    def _half(self, place: int) -> dict[str, Array]:
        if place not in self._halved:
            self._halved[place] = noise.halved(self.interface, self.drawn[place])
        return self._halved[place]

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        """The fixed share; of fp16 scores less, where classes of the original tie."""
        gates = GATES[precision]
        if precision == "fp16" and port.meaning != "labels" and port.class_axis is not None:
            wanted = [self.outputs[place][port.name] for place in places]
            rounded = [self.rounded()[place][port.name] for place in places]
            tied = _tied(port, wanted, rounded, self.task)
            if 1.0 - tied < gates.agreement:
                return max(1.0 - tied, LEAST), TIED_REASON
        return gates.agreement, gates.agreement_reason

    def rounded(self) -> list[dict[str, Array]]:
        """Per probe, the outputs with every result disturbed as fp16 rounds; see `noise`."""
        for probe in self.drawn[len(self._rounded) :]:
            self._rounded.append(noise.disturbed(self.interface, probe, noise.HALF))
        return self._rounded

    def scores(self, precision: str) -> Scores | str:
        """Those of the same network without its last step."""
        bare = self._bare.interface if self._bare else scores.behind(self.interface)
        if bare is None:
            return "the network itself gives labels"
        self._bare = self._bare or Original(bare, self.drawn)
        (port,) = bare.outputs
        return Scores(
            port,
            [outputs[port.name] for outputs in self._bare.outputs],
            self._bare.steady(precision),
            [floors[port.name] for floors in self._bare.floors()],
            partial(self._bare.channels, port),
        )

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        """The artifact in fp32 with this network's own tensors in the place of its constants."""
        if artifact.record.precision != "fp16" or runtime.precision or runtime.own:
            return None
        origins = Origins(self.interface.module.state_dict())
        files = partial(self.again.own, artifact) if exact else tuple
        restored = Restored(origins, self.followed, files)
        return Graph(artifact.widened(restored), self.outputs, restored.unknown)


def _tied(port: Port, wanted: Sequence[Array], rounded: Sequence[Array], task: Task) -> float:
    """Share of the positions where classes tie, measured on the original alone."""
    near: list[Array] = []
    for values, others in zip(wanted, rounded, strict=True):
        wide = values.astype(np.float64)
        moved = float(np.sqrt(np.mean(np.square(wide - others.astype(np.float64)))))
        if task.activation == "sigmoid":
            margin: Array = 2.0 * np.abs(wide - threshold(port))
        else:
            axis = port.class_axis or 0
            steps = np.diff(np.sort(wide, axis=axis), axis=axis, prepend=-np.inf)
            margin = np.asarray(steps.take(-1, axis=axis))
        near.append(margin <= TIED * moved if np.isfinite(moved) else np.zeros_like(margin, bool))
    return float(np.mean(np.concatenate([one.reshape(-1) for one in near])))
