"""Another artifact as a reference: of two files of one network, the first.

What sound fp32 arithmetic keeps of the network is measured on whichever of the two torch computes;
of two that it does not, on the reference with its weights disturbed in place of its results.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from types import MappingProxyType

import torch

from lading.errors import LadingError, RequestError
from lading.formats import Artifact, Runtime
from lading.interface import Interface, Options
from lading.interface.memory import Kept, paired
from lading.interface.side import Array, Made, Side
from lading.proof import channels, noise, scores, steadiness, tables
from lading.proof.beyond import Beyond
from lading.proof.channels import Channels, Effort, Moved
from lading.proof.probes import Probe, make, telling
from lading.proof.reference import Graph, Outputs, Scores
from lading.proof.verdict import GATES
from lading.proof.weights.again import Fresh
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from lading.record import Port, Task, Unproved
from lading.task.further import Price


class Renamed:
    """A side whose inputs and outputs are called as another's; see `lading.interface.side.Side`.

    Args:
        side: as it is.
        inputs: its input names by the others.
        outputs: the other names by its output names.
    """

    def __init__(self, side: Side, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        self.side, self._inputs, self._outputs = side, inputs, outputs
        self.title, self.runtime, self.reading = side.title, side.runtime, side.reading
        self.in_torch = side.in_torch
        self.outputs = tuple(outputs[name] for name in side.outputs)

    @property
    def graph(self) -> Sequence[Made]:
        return self.side.graph

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        fed = {self._inputs[name]: value for name, value in inputs.items()}
        values = self.side.run(fed, look_at)
        return {**values, **{self._outputs[name]: values[name] for name in self.side.outputs}}


class Disturbed(Renamed):
    """A side that torch computes, every result off as by sums in another order."""

    def __init__(self, side: Side) -> None:
        super().__init__(side, {}, {name: name for name in side.outputs})

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        with noise.Disturbed():
            return self.side.run(inputs, look_at)


class Beside:
    """See `lading.proof.reference.Reference`.

    Args:
        artifact: the reference.
        other: what is held against it.

    Attributes:
        record: of the other, with the reference's meanings; half precision of either decides.
        side: the reference where it runs here, its ports called as the other's.

    Raises:
        RequestError: they do not take or give the same.
    """

    own: Mapping[str, float] = MappingProxyType({})
    costly = True

    def __init__(self, artifact: Artifact, other: Artifact) -> None:
        self.artifact, self.other = artifact, other
        self.name = str(artifact.path)
        self.interface, inputs, outputs = common(artifact, other)
        self.task = self.interface.task
        half = "fp16" in (artifact.record.precision, other.record.precision)
        self.record = replace(
            other.record,
            precision="fp16" if half else "fp32",
            inputs=self.interface.inputs,
            outputs=self.interface.outputs,
            states=tuple(kept.state for kept in self.interface.states),
        )
        self._names = inputs, outputs
        self.side: Side = Renamed(artifact.open(artifact.runtime()), inputs, outputs)
        ports = self.interface.inputs
        self.drawn: Sequence[Probe] = [
            probe
            for probe in make(self.interface)
            if all(probe.shape(port.name) == port.shape for port in ports)
        ]
        self.outputs: Sequence[Outputs] = [self._own(self.side, probe) for probe in self.drawn]
        self._beyond = Beyond(
            self.interface,
            Price.of(_most(artifact)),
            lambda probe: self._own(self.side, probe),
            self._add,
        )
        self._steady: dict[tuple[int, str], bool] = {}
        self._pairs: dict[int, tuple[dict[str, Array], dict[str, Array]] | None] = {}

    def widen(self, artifact: Artifact) -> tuple[Unproved, ...]:
        """See `lading.proof.beyond`; before anything else is asked."""
        return self._beyond.widen(artifact)

    def _add(self, probe: Probe, outputs: Outputs) -> None:
        self.drawn, self.outputs = [*self.drawn, probe], [*self.outputs, outputs]

    def undecided(self) -> Sequence[str]:
        return ()

    def decided(self) -> Sequence[str]:
        return ()

    def steady(self, place: int, precision: str, *, computing: bool = False) -> bool:
        """When its input is rounded: a file's arithmetic is its runtime's, and not disturbed."""
        if (place, precision) not in self._steady:
            probe, outputs, ports = self.drawn[place], self.outputs[place], self.record.answers
            found = steadiness.steady(self.side, probe, outputs, ports, precision)
            self._steady[place, precision] = found
        return self._steady[place, precision]

    def floor(self, place: int) -> Mapping[str, float] | None:
        pair = self._moved(place)
        return noise.gates(*pair) if pair else None

    def channels(
        self, port: Port, places: Sequence[int], precision: str, effort: Effort = "sample"
    ) -> Sequence[Channels]:
        """See `lading.proof.channels`."""
        wanted = {place: self.outputs[place][port.name] for place in places}
        steady = partial(self.steady, precision=precision)
        sample = channels.sample(telling(self.drawn, places), wanted, steady, effort)
        pairs = {places.index(at): pair for at in sample if (pair := self._moved(at))}
        if not pairs:
            return ()
        moved = {i: Moved(*(one[port.name] for one in pair)) for i, pair in pairs.items()}
        return channels.measured(port, [*wanted.values()], moved)

    def _moved(self, place: int) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """The outputs at a probe of the network in fp32, and of its disturbed twin; None where what
        runs as it is does not run in float32."""
        if place not in self._pairs:
            probe = self.drawn[place]
            try:
                calm, moved, _ = self._twice
                self._pairs[place] = self._own(calm, probe), self._own(moved, probe)
            except LadingError:
                self._pairs[place] = None
        return self._pairs[place]

    def agreement(self, port: Port, places: Sequence[int], precision: str) -> tuple[float, str]:
        gates = GATES[precision]
        return gates.agreement, gates.agreement_reason

    def scores(self, precision: str) -> Scores | str:
        """Those that the reference's own labels are chosen from, where lading noted their shape."""
        found = self._scores(self.side, self._labels)
        if isinstance(found, str):
            return found
        (known,) = self._noted()
        steady = partial(self.steady, precision=precision)
        if self._moved_scores is None:
            return Scores(known, found, steady, lambda place: GATES["fp32"].psnr)
        calm, moved = self._moved_scores

        def of(
            places: Sequence[int], precision: str, effort: Effort = "sample"
        ) -> Sequence[Channels]:
            if effort == "least":  # all of them are known: nothing is spared
                return ()
            own = {i: Moved(calm[place], moved[place]) for i, place in enumerate(places)}
            return channels.measured(known, [found[place] for place in places], own)

        return Scores(known, found, steady, lambda i: noise.gate(calm[i], moved[i]), of)

    def graph(self, artifact: Artifact, runtime: Runtime, *, exact: bool = False) -> Graph | None:
        """Either in fp32; what one rounds is put back from the other where that has it in full."""
        if exact or runtime.precision or runtime.own:
            return None
        other, rounded = self._widened(artifact, self.artifact)
        mine, own = self._widened(self.artifact, artifact)
        named = Renamed(mine, *self._names)
        expected = [self._own(named, probe) for probe in self.drawn]
        behind = self._scores(named, self._labels) if self._labels else None
        return Graph(other, expected, rounded + own, behind)

    @property
    def _labels(self) -> str:
        """What the reference calls its output of labels; empty where it has none."""
        labels = {port.name for port in self.record.outputs if port.meaning == "labels"}
        return next((own for own, name in self._names[1].items() if name in labels), "")

    def _noted(self) -> tuple[Port, ...]:
        """The scores as lading noted them, if it did."""
        return tuple(port for port in self.task.outputs if port.class_axis is not None)[:1]

    def _scores(self, side: Side, labels: str) -> Sequence[Array] | str:
        """What the labels are chosen from on a side, per probe."""
        if not self._noted():
            return "the reference does not say what its labels are chosen from"
        return scores.own(side, labels, self.drawn, self._noted()[0].shape)

    @cached_property
    def _moved_scores(self) -> tuple[Sequence[Array], Sequence[Array]] | None:
        """As `_moved`, of the scores; None where they are not to be had."""
        try:
            calm, moved, labels = self._twice
            before, after = (self._scores(side, labels) for side in (calm, moved))
        except LadingError:
            return None
        return None if isinstance(before, str) or isinstance(after, str) else (before, after)

    @cached_property
    def _twice(self) -> tuple[Side, Side, str]:
        """One of the two in fp32, the same with its arithmetic disturbed, and what it calls its
        output of labels."""
        mine = Renamed(self.artifact.side("float32"), *self._names)
        if mine.in_torch:
            return mine, Disturbed(mine), self._labels
        other = self.other.side("float32")
        if other.in_torch:
            return other, Disturbed(other), self._names[1].get(self._labels, "")
        moved = Renamed(self.artifact.shaken(noise.DISTURBANCE), *self._names)
        return mine, moved, self._labels

    def _widened(self, artifact: Artifact, full: Artifact) -> tuple[Side, int]:
        """The artifact in fp32, and how many of its constants stay rounded that the other has in
        full precision."""
        if artifact.record.precision != "fp16":
            return artifact.side("float32"), 0
        exact = full.record.precision != "fp16"
        fresh = Fresh(full.record.path, full.constants() if exact else ())
        restored = Restored(Origins({}), fresh=lambda: (fresh,))
        side = artifact.widened(restored)
        return side, restored.unknown if exact else 0

    def _own(self, side: Side, probe: Probe) -> dict[str, Array]:
        values = side.run(probe.inputs)
        return {port.name: values[port.name] for port in self.record.answers}


def _most(artifact: Artifact) -> float:
    """Operations that one call takes at the most: every number of it met by every value that goes
    in."""
    weights = sum(held.values.size for held in artifact.constants())
    values = [math.prod(map(abs, port.shape)) for port in artifact.record.inputs]
    return 2.0 * weights * max(values, default=1)


def common(artifact: Artifact, other: Artifact) -> tuple[Interface, dict[str, str], dict[str, str]]:
    """One set of ports, called as the other's, open sizes as small as they go; and how the
    reference calls them. The interface has no network behind it.

    Raises:
        RequestError: they do not take or give the same.
    """
    ours, theirs = artifact.record, other.record
    task, options = artifact.noted()
    known = {port.shape: port for port in task.inputs} if task else {}
    fit = all(
        len(mine) == len(others) and all(_alike(a, b) for a, b in zip(mine, others, strict=True))
        for mine, others in ((ours.inputs, theirs.inputs), (ours.outputs, theirs.outputs))
    )
    if not fit:
        raise RequestError(
            f"{artifact.path} beside {other.path}",
            found="; ".join(f"{p.name} {list(p.shape)}" for p in (*theirs.inputs, *theirs.outputs)),
            expected="; ".join(f"{p.name} {list(p.shape)}" for p in (*ours.inputs, *ours.outputs)),
            remedy="compare files of one network, with the same inputs and outputs",
        )

    counted = (tables.rows(artifact), tables.rows(other))

    def ids(mine: Port, their: Port) -> tuple[float, ...]:
        found = counted[0].get(mine.name) or counted[1].get(their.name)
        return (0.0, float(found - 1)) if found else ()

    def merged(mine: Port, their: Port) -> Port:
        noted = known.get(shape := tuple(abs(size) for size in mine.shape))
        return replace(
            their,
            shape=shape,
            ranges=(),
            enumerated=(),
            value_range=(noted.value_range if noted else ()) or ids(mine, their),
            meaning=noted.meaning if noted else "",
        )

    inputs = tuple(map(merged, ours.inputs, theirs.inputs))
    outputs = tuple(
        replace(
            their,
            shape=mine.shape if mine.shaped else their.shape,
            meaning=_meaning(mine),
            class_axis=_axis(mine, task),
        )
        for mine, their in zip(ours.outputs, theirs.outputs, strict=True)
    )
    plain = task or Task("module", inputs, outputs)
    empty: torch.nn.Module = torch.nn.Identity()
    states = paired(ours.states, theirs.states, f"{artifact.path} beside {other.path}")
    kept = tuple(Kept(state, (), torch.zeros(())) for state in states)
    interface = Interface(
        empty, inputs, outputs, options or Options(), replace(plain, inputs=inputs), kept
    )
    answers = ours.answers, (*outputs, *(state.port for state in states))
    return (
        interface,
        {port.name: mine.name for mine, port in zip(ours.inputs, inputs, strict=True)},
        {mine.name: port.name for mine, port in zip(*answers, strict=True)},
    )


def _alike(mine: Port, their: Port) -> bool:
    """Whether the shapes can be the same; less than 1 is a size that a file leaves open, and it may
    leave out all of them."""
    return not (mine.shaped and their.shaped) or (
        len(mine.shape) == len(their.shape)
        and all(a == b or a < 1 or b < 1 for a, b in zip(mine.shape, their.shape, strict=True))
    )


def _meaning(port: Port) -> str:
    return port.meaning or ("labels" if port.name == "labels" else "")


def _axis(port: Port, task: Task | None) -> int | None:
    """The axis of classes, where lading noted an output of this shape."""
    shapes = {p.shape: p.class_axis for p in task.outputs} if task else {}
    return shapes.get(port.shape) if _meaning(port) != "labels" else None
