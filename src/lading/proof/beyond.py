"""Probes beyond the standing ones, for a reference that can be run again.

What the standing probes leave out is in `lading.task.further`. How many there are follows from what
one call of the reference costs. What the reference itself does not run, or gives no numbers
for, proves nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lading.formats import Artifact
from lading.interface import Interface
from lading.proof.probes import Probe, fits
from lading.proof.reference import Outputs
from lading.record import ArtifactRecord, Port, Unproved
from lading.record.wording import shape as in_words
from lading.task import kind_of, letters, several
from lading.task.further import Price, claimed, sized
from lading.task.probes import at_sizes

#: Kinds of probes that are left out where the reference is not steady.
KINDS = ("magnitude", "spike", "rows", "own", "branch")
#: At a size, until the reference gives numbers.
SEEDS = range(300, 304)
#: Sizes that are spelled out.
SPELLED = 4


class Beyond:
    """What is drawn once for all, and what for each artifact.

    Args:
        interface: what the reference takes.
        price: how much.
        run: the reference; raises what it likes.
        add: takes a probe with its outputs.
    """

    def __init__(
        self,
        interface: Interface,
        price: Price,
        run: Callable[[Probe], Outputs],
        add: Callable[[Probe, Outputs], None],
    ) -> None:
        self.interface, self.price, self.run, self.add = interface, price, run, add
        self._shared = False
        self._claims: dict[str, tuple[Unproved, ...]] = {}

    def widen(self, artifact: Artifact) -> tuple[Unproved, ...]:
        """Draws what this artifact is fed besides; what it claims to take and nobody ran."""
        digest, ports = artifact.record.sha256, self.interface.inputs
        kind = kind_of(self.interface.task)
        if not self._shared:
            self._shared = True
            for probe in kind.further(ports, self.price):
                self.take(probe)
        if digest not in self._claims:
            for probe in kind.own(ports, digest, self.price):
                self.take(probe)
            if self.interface.states:
                self.take(several.own(ports, digest))
            self._claims[digest] = (
                *self._sizes(artifact.record.inputs, digest),
                *optional(artifact.record),
                *_unbounded(ports),
            )
        return self._claims[digest]

    def take(self, probe: Probe, *, whole: bool = True) -> bool:
        """Whether the reference runs it."""
        try:
            outputs = self.run(probe)
        except Exception:  # the code of anybody's network; what it refuses is no probe
            return False
        real = (one for one in outputs.values() if one.dtype.kind == "f")
        if whole and not all(np.isfinite(one).all() for one in real):
            return False
        self.add(probe, outputs)
        return True

    def _most(self, ports: Sequence[Port]) -> int:
        """How many sizes are run; of a batch alone no more than two others."""
        return min(self.price.sizes, 3 if [*letters.bounds(ports)] == ["batch"] else 99)

    def _sizes(self, theirs: Sequence[Port], digest: str) -> tuple[Unproved, ...]:
        ours: Sequence[Port] = self.interface.inputs
        named = {port.name: port for port in theirs}
        theirs = [named[port.name] for port in ours if port.name in named]
        wide = [port for port in theirs if _open(port)]
        if not wide or len(theirs) != len(ours):
            return ()
        ran, not_ran = [in_words(ours[0].shape)], list[str]()
        listed = any(port.enumerated for port in theirs)
        if len(ours) > 1 and not (listed or any(port.letters for port in ours)):
            alike = all(len(a.shape) == len(b.shape) for a, b in zip(ours, theirs, strict=True))
            ours = letters.lent(ours, theirs) if alike else ours
        shapes = claimed(ours[0], theirs[0], self.price.sizes) if len(ours) == 1 else []
        if any(port.letters for port in ours):
            lent = ours is not self.interface.inputs
            ran = ran if lent else []
            for sizes in letters.assignments(ours, self._most(ours)):
                if lent and all(letters.shape(port, sizes) == port.shape for port in ours):
                    continue  # it is what every other probe has
                drawn = (at_sizes(ours, sizes, seed, digest) for seed in SEEDS)
                taken = any(map(self.take, drawn))
                (ran if taken else not_ran).append(letters.spelled(sizes))
            shapes = []
        for shape in shapes:
            taken = self.take(sized(ours[0], shape, digest), whole=False)
            (ran if taken else not_ran).append(in_words(shape))
        texts = []
        if not all(port.enumerated for port in wide) or len(ours) > 1:
            texts.append(f"compared at {_listed(ran)}, and at no other size that it takes")
        if not_ran:
            texts.append(f"the original itself does not run at {_listed(not_ran)}")
        return tuple(Unproved("claims", text) for text in texts)


def optional(record: ArtifactRecord) -> tuple[Unproved, ...]:
    """What a file says that it does without an input."""
    names = record.details.get("optional")
    text = f"{names} may be left out, and what is given then was not compared"
    return (Unproved("claims", text),) if names else ()


def _unbounded(ports: Sequence[Port]) -> tuple[Unproved, ...]:
    """Inputs of whole numbers of which nobody says how many there are."""
    names = [port.name for port in ports if port.dtype.startswith("int") and not port.value_range]
    text = f"which whole numbers {', '.join(names)} takes is not known; 0 and 1 were compared"
    return (Unproved("claims", text),) if names else ()


def meant(probe: Probe, record: ArtifactRecord) -> bool:
    """Whether an artifact is fed a probe."""
    return probe.only == record.sha256 if probe.only else fits(probe, record.inputs)


def _open(port: Port) -> bool:
    ranged = any(low != high for low, high in port.ranges)
    return ranged or len(port.enumerated) > 1 or any(size < 0 for size in port.shape)


def _listed(shapes: Sequence[str]) -> str:
    more = f" and {len(shapes) - SPELLED} more" if len(shapes) > SPELLED else ""
    return ", ".join(shapes[:SPELLED]) + more
