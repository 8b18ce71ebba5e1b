"""The untouched original as a reference: on every probe, run once and asked often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from lading.conversion import reads
from lading.conversion.graphs import Graphs
from lading.formats import Artifact, Runtime
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import Array
from lading.proof import channels, noise, scores, steadiness
from lading.proof.answered import answered
from lading.proof.beyond import Beyond
from lading.proof.branches import Branches
from lading.proof.channels import Channels, Effort, Moved
from lading.proof.probes import Probe, telling
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
        precision: of what it will be held against; no more than a hint of what will be asked.

    Attributes:
        followed: what the network computes of its tensors alone.
        again: fresh conversions of it.
        aside: probes that it refuses, in words.

    Raises:
        InputError: it refuses the user's own values, or every probe.
    """

    drawn: Sequence[Probe]
    outputs: Sequence[Outputs]

    name, costly = "torch", True

    def __init__(
        self,
        interface: Interface,
        drawn: Sequence[Probe],
        accepted: Sequence[str] = (),
        *,
        own: Mapping[str, float] | None = None,
        graphs: Graphs | None = None,
        precision: str = "fp16",
    ) -> None:
        self.own = own or {}
        self.interface, self.task = interface, interface.task
        self.side = TorchSide(interface)
        self.again = Again(graphs or Graphs(interface))
        with reads.sites() as read:
            self.drawn, self.outputs, self.aside = answered(self.side, drawn)
        self._reads = bool(read)
        self.followed, self._counted = self._follow(precision)
        price = Price.of(self.followed.operations)
        self._beyond = Beyond(
            interface, price, lambda probe: self.side.run(probe.inputs), self._add
        )
        self._branches: Branches | None = None
        self._accepted = accepted
        self._steady: dict[tuple[int, str], bool] = {}
        self._twins: dict[int, dict[str, Array]] = {}
        self._halved: dict[int, dict[str, Array]] = {}
        self._small: dict[str, Tensor] = {}
        self._bare: Original | None = None

    def _follow(self, precision: str) -> tuple[Followed, tuple[int, str] | None]:
        """The network followed, and of which probe and precision that call tells whether it is
        steady: where it will be asked that in any case. It may refuse what is so near a probe."""
        if not self.drawn:
            return Followed(self.interface), None
        place = _typical(self.drawn)
        probe = self.drawn[place]
        found = Followed(self.interface, steadiness.disturbed(probe, precision))
        if found.operations is None:
            return Followed(self.interface, probe.inputs), None
        return found, (place, precision)

    def widen(self, artifact: Artifact) -> tuple[Unproved, ...]:
        """See `lading.proof.beyond`."""
        left = self._beyond.widen(artifact)
        if self._branches is None:
            self._branches = Branches(self.interface, self._accepted, reads=self._reads)
            for probe in self._branches.search(self.drawn, self._sound):
                self._beyond.take(probe)
        unseen = self._branches.unseen
        return (
            *left,
            *(Unproved("frozen", text) for text in self._branches.frozen()[1]),
            *([Unproved("decisions", unseen)] if unseen else ()),
        )

    def _sound(self) -> list[Probe]:
        """Probes at which it is steady: the others show nothing."""
        return [probe for place, probe in enumerate(self.drawn) if self.steady(place, "fp32")]

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

    def steady(self, place: int, precision: str, *, computing: bool = False) -> bool:
        """See `lading.proof.steadiness`. Measured once."""
        if computing:
            ports, outputs = self.interface.answers, self.outputs[place]
            return self.steady(place, precision) and steadiness.kept(
                outputs, self.twin(place), ports, precision
            )
        if (place, precision) not in self._steady:
            probe, outputs, ports = self.drawn[place], self.outputs[place], self.interface.answers
            again = self.followed.gave if (place, precision) == self._counted else None
            # that call was made operation by operation: where it misses, it may be for that
            self._steady[place, precision] = (
                again is not None and steadiness.kept(outputs, again, ports, precision)
            ) or steadiness.steady(self.side, probe, outputs, ports, precision)
        return self._steady[place, precision]

    def floor(self, place: int) -> dict[str, float]:
        """See `lading.proof.noise`."""
        return noise.gates(self.outputs[place], self.twin(place))

    def twin(self, place: int) -> dict[str, Array]:
        """The outputs at a probe with every result disturbed as by sums in another order."""
        if place not in self._twins:
            self._twins[place] = noise.disturbed(self.interface, self.drawn[place])
        return self._twins[place]

    def channels(
        self, port: Port, places: Sequence[int], precision: str, effort: Effort = "sample"
    ) -> Sequence[Channels]:
        """See `lading.proof.channels`."""
        name, half = port.name, precision == "fp16" and effort != "least"
        wanted = {place: self.outputs[place][name] for place in places}
        steady = partial(self.steady, precision=precision)
        moved = {
            places.index(at): Moved(
                wanted[at], self.twin(at)[name], self._half(at)[name] if half else None
            )
            for at in channels.sample(telling(self.drawn, places), wanted, steady, effort)
        }
        self._small = {}
        return channels.measured(port, [*wanted.values()], moved)

    def _half(self, place: int) -> dict[str, Array]:
        if place not in self._halved:
            self._small = self._small or noise.in_half(self.interface)
            self._halved[place] = noise.halved(self.interface, self.drawn[place], self._small)
        return self._halved[place]

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        """The fixed share; of fp16 scores less, where classes of the original tie."""
        gates = GATES[precision]
        if precision == "fp16" and port.meaning != "labels" and port.class_axis is not None:
            wanted = [self.outputs[place][port.name] for place in places]
            twins = [self.twin(place)[port.name] for place in places]
            tied = _tied(port, wanted, twins, self.task)
            if 1.0 - tied < gates.agreement:
                return max(1.0 - tied, LEAST), TIED_REASON
        return gates.agreement, gates.agreement_reason

    def scores(self, precision: str) -> Scores | str:
        """Those of the same network without its last step."""
        bare = self._bare.interface if self._bare else scores.behind(self.interface)
        if bare is None:
            return "the network itself gives labels"
        self._bare = self._bare or Original(bare, self.drawn, precision=precision)
        (port,), own = bare.outputs, self._bare
        return Scores(
            port,
            [outputs[port.name] for outputs in own.outputs],
            lambda place: own.steady(place, precision),
            lambda place: own.floor(place)[port.name],
            partial(own.channels, port),
        )

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        """The artifact in fp32 with this network's own tensors in the place of its constants."""
        if artifact.record.precision != "fp16" or runtime.precision or runtime.own:
            return None
        origins = Origins(self.interface.module.state_dict())
        files = partial(self.again.own, artifact) if exact else tuple
        restored = Restored(origins, self.followed, files)
        return Graph(artifact.widened(restored), self.outputs, restored.unknown)


def _typical(drawn: Sequence[Probe]) -> int:
    """The place of the probe that is most like what a user feeds, of the size of the first."""
    first = [(p.calls, [*p.inputs], [v.shape for v in p.inputs.values()]) for p in drawn]
    return next(iter(telling(drawn, [i for i, one in enumerate(first) if one == first[0]])), 0)


def _tied(port: Port, wanted: Sequence[Array], twins: Sequence[Array], task: Task) -> float:
    """Share of the positions where classes tie, measured on the original alone: fp16 moves it by
    what it moves its disturbed twin, as much more as it disturbs more."""
    near: list[Array] = []
    for values, others in zip(wanted, twins, strict=True):
        wide = values.astype(np.float64)
        apart = np.square(wide - others.astype(np.float64))
        moved = channels.HALF * float(np.sqrt(np.mean(apart)))
        if task.activation == "sigmoid":
            margin: Array = 2.0 * np.abs(wide - threshold(port))
        else:
            axis = port.class_axis or 0
            steps = np.diff(np.sort(wide, axis=axis), axis=axis, prepend=-np.inf)
            margin = np.asarray(steps.take(-1, axis=axis))
        near.append(margin <= TIED * moved if np.isfinite(moved) else np.zeros_like(margin, bool))
    return float(np.mean(np.concatenate([one.reshape(-1) for one in near])))
