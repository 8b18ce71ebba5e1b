"""Decisions by value that a capture loses: looked for on both sides, and never passed in silence.

``if x.max() > 1: x = x / 255`` is no part of a graph: the side that the example took is frozen. The
original is watched while it runs; where a line of its code reads a value that was computed from the
inputs, inputs are searched that make it read another one, and are probes from then on: a file in
which one side is missing fails there. Where none is found, nobody knows what the file loses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lading.conversion.reads import Decision, decisions
from lading.errors import in_short
from lading.interface import Interface
from lading.proof.probes import Probe
from lading.record import Port
from lading.task.probes import values

#: Of noise, as it is and without signs.
SCALES = (0.5, 0.25, 0.1, 0.03, 0.01, 1e-3, 3.0, 10.0, 30.0, 100.0, 1e3)
#: Probes that are kept of those that go another way at a line.
KEPT = 2


class Branches:
    """The decisions of a network.

    Args:
        interface: the untouched network.
        accepted: those that are meant to be frozen, as ``net.py:12``.
        reads: whether its code read the value of any tensor where it ran; no decision without.

    Attributes:
        unseen: why the network could not be watched, in words; empty where it could.
    """

    def __init__(
        self, interface: Interface, accepted: Sequence[str] = (), *, reads: bool = True
    ) -> None:
        self.interface, self.accepted, self.reads = interface, tuple(accepted), reads
        self._seen: dict[Decision, dict[Any, int]] = {}
        self.unseen = ""

    def watch(self, probe: Probe) -> Mapping[Decision, Any]:
        """What is read at every decision, in short; nothing where the network does not run."""
        try:
            return decisions(self.interface.module, self.interface.arguments(probe.inputs))
        except Exception:  # the code of anybody's network
            return {}

    def search(self, drawn: Sequence[Probe], sound: Callable[[], list[Probe]]) -> list[Probe]:
        """Probes that go another way than those that are drawn, at lines where all of these go
        one; empty where nothing is decided.

        Args:
            drawn: probes.
            sound: those of them at which the network is steady, asked for where it decides.
        """
        if not drawn or not self.reads:
            return []
        try:
            first = decisions(self.interface.module, self.interface.arguments(drawn[0].inputs))
        except Exception as error:  # it runs, but not while somebody watches: nobody knows
            self.unseen = f"the original does not run while it is watched ({in_short(error)})"
            return []
        if not first:
            return []
        for probe in sound() or drawn:
            if probe.varied:
                self._note(self.watch(probe))
        kept = []
        for probe in self._candidates() if self.alone() else ():
            read = self.watch(probe)
            new = [d for d in self.alone() if d in read and read[d] not in self._seen[d]]
            fresh = [d for d in read if self._seen.get(d, {}).get(read[d], KEPT) < KEPT]
            if new or fresh:
                self._note(read)
                kept.append(probe)
        return kept

    def _note(self, read: Mapping[Decision, Any]) -> None:
        for decision, value in read.items():
            counts = self._seen.setdefault(decision, {})
            counts[value] = counts.get(value, 0) + 1

    def alone(self) -> list[Decision]:
        """Decisions at which everything so far goes one way."""
        return sorted(decision for decision, ways in self._seen.items() if len(ways) < 2)

    def both(self) -> list[str]:
        """Decisions at which probes go different ways, in words."""
        return [
            f"{one.place} decides by a value ({one.text}), of which a graph holds one side"
            for one, ways in sorted(self._seen.items())
            if len(ways) > 1
        ]

    def frozen(self) -> tuple[list[str], list[str]]:
        """What is open, in words; and what was said to be meant."""
        texts = {
            one.place: f"{one.place} decides by a value ({one.text}), and every probe goes one way"
            for one in self.alone()
        }
        meant = [text for place, text in texts.items() if place in self.accepted]
        return [text for place, text in texts.items() if place not in self.accepted], meant

    def _candidates(self) -> Iterator[Probe]:
        for number, (kind, scale) in enumerate(
            (kind, scale) for scale in SCALES for kind in ("noise", "plus", "minus", "sparse")
        ):
            generator = np.random.Generator(np.random.Philox(key=400 + number))
            inputs = {
                port.name: np.ascontiguousarray(
                    _drawn(port, kind, scale, generator), dtype=port.dtype
                )
                for port in self.interface.inputs
            }
            name = f"branch {kind} times {scale:g}"
            yield Probe(name, "branch", f"Philox key {400 + number}", inputs)


def _drawn(port: Port, kind: str, scale: float, generator: np.random.Generator) -> Any:
    """Values of a port; of a bounded one from its lowest up to a part of its range."""
    noise = values("noise", port, port.shape, generator, {})
    if port.dtype.startswith("int"):
        least = int(port.value_range[0]) if port.value_range else 0
        whole = np.floor(least + (noise.astype(np.int64) - least) * min(1.0, scale))
        return np.full_like(noise, noise.reshape(-1)[0]) if kind == "plus" else whole
    if port.value_range:
        low, high = port.value_range
        part = generator.uniform(0.0, min(1.0, scale), port.shape)
        part = 1.0 - part if kind == "minus" else part
        rest = generator.random(port.shape) < 0.05 if kind == "sparse" else 1.0
        return low + (high - low) * part * rest
    signed = {"plus": np.abs(noise), "minus": -np.abs(noise)}.get(kind, noise)
    sparse = generator.random(port.shape) < 0.05 if kind == "sparse" else 1.0
    return signed * scale * sparse
