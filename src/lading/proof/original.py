"""The untouched original as a reference: on every probe, run once and asked often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lading.base.progress import counted
from lading.formats import Artifact, Runtime
from lading.interface import Interface
from lading.interface.original import TorchSide
from lading.interface.side import Array
from lading.proof import noise, scores, steadiness
from lading.proof.probes import Probe
from lading.proof.reference import Graph, Outputs, Scores
from lading.proof.verdict import GATES
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from lading.record import Port, Task
from lading.task.finish import threshold

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
    """

    name = "torch"

    def __init__(
        self, interface: Interface, drawn: Sequence[Probe], own: Mapping[str, float] | None = None
    ) -> None:
        self.own = own or {}
        self.interface, self.task = interface, interface.task
        self.drawn = drawn
        self.side = TorchSide(interface)
        self.outputs: Sequence[Outputs] = [
            self.side.run(probe.inputs) for probe in counted(drawn, "probes")
        ]
        self._steady: dict[str, list[bool]] = {}
        self._floors: list[dict[str, float]] = []
        self._rounded: list[dict[str, Array]] = []
        self._bare: Original | None = None

    def steady(self, precision: str) -> list[bool]:
        """See `lading.proof.steadiness`. Computed once per precision."""
        if precision not in self._steady:
            ports = self.interface.outputs
            self._steady[precision] = [
                steadiness.steady(self.side, probe, outputs, ports, precision)
                for probe, outputs in zip(self.drawn, self.outputs, strict=True)
            ]
        return self._steady[precision]

    def floors(self) -> list[dict[str, float]]:
        """See `lading.proof.noise`."""
        if not self._floors:
            self._floors = [
                noise.gates(outputs, noise.disturbed(self.interface, probe))
                for probe, outputs in zip(self.drawn, self.outputs, strict=True)
            ]
        return self._floors

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
        if not self._rounded:
            self._rounded = [
                noise.disturbed(self.interface, probe, noise.HALF) for probe in self.drawn
            ]
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
        )

    def graph(self, artifact: Artifact, runtime: Runtime) -> Graph | None:
        """The artifact in fp32 with this network's own tensors in the place of its constants."""
        if artifact.record.precision != "fp16" or runtime.precision or runtime.own:
            return None
        restored = Restored(Origins(self.interface.module.state_dict()))
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
