"""The untouched original on every probe, run once and asked often."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lading.interface import Interface
from lading.proof import compare, lifted_files, noise, probes, scores, steadiness, verdict
from lading.proof.weights.origins import Origins
from lading.runtimes import Array
from lading.runtimes.torch import Eager


class Original:
    """The untouched original on every probe: its outputs, and where it is steady."""

    def __init__(self, interface: Interface, drawn: Sequence[probes.Probe]) -> None:
        self.interface = interface
        self.drawn = drawn
        self.session = Eager(interface)
        self.outputs = compare.reference(self.session, drawn)
        self._steady: dict[str, list[bool]] = {}
        self._floors: list[dict[str, float]] = []
        self._rounded: list[dict[str, Array]] = []
        self._bare: Original | None = None

    def steady(self, precision: str) -> list[bool]:
        """Per probe; see `lading.proof.steadiness`. Computed once per precision."""
        if precision not in self._steady:
            ports, gates = self.interface.outputs, verdict.GATES[precision]
            self._steady[precision] = [
                steadiness.steady(self.session, probe, outputs, ports, precision, gates)
                for probe, outputs in zip(self.drawn, self.outputs, strict=True)
            ]
        return self._steady[precision]

    def floors(self) -> list[dict[str, float]]:
        """Per probe and output, the PSNR of a sound fp32 computation; see `noise`."""
        if not self._floors:
            self._floors = [
                noise.gates(self.interface, probe, outputs, self.interface.outputs)
                for probe, outputs in zip(self.drawn, self.outputs, strict=True)
            ]
        return self._floors

    def rounded(self) -> list[dict[str, Array]]:
        """Per probe, the outputs with every result disturbed as fp16 rounds; see `noise`."""
        if not self._rounded:
            self._rounded = [
                noise.disturbed(self.interface, probe, noise.HALF) for probe in self.drawn
            ]
        return self._rounded

    def scores(self, precision: str) -> scores.Expected | None:
        """The scores behind its labels, on every probe; None where it has none to show."""
        bare = self._bare.interface if self._bare else scores.behind(self.interface)
        if bare is None:
            return None
        self._bare = self._bare or Original(bare, self.drawn)
        (port,) = bare.outputs
        return scores.Expected(
            port,
            [one[port.name] for one in self._bare.outputs],
            self._bare.steady(precision),
            [one[port.name] for one in self._bare.floors()],
        )

    def graph(self, path: Path, runtime: str) -> lifted_files.Graph | None:
        """An fp16 artifact with its constants at the precision they came from; see `lifted`."""
        state = Origins(self.interface.module.state_dict())
        return lifted_files.graph_of(path, runtime, state)
