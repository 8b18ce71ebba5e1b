"""Rounded constants as they were before: the checkpoint's own tensors, what the network computes of
them, and what a fresh fp32 conversion has in their place.

Rounding to fp16 hides a wrong approximation, a wrong epsilon, a changed slope. So an fp16 artifact
is run a second time in fp32 with each traced constant put back. What differs then is the graph, and
it is judged like fp32. What nothing explains stays as it is, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lading.interface.side import Array
from lading.proof.weights.again import Fresh
from lading.proof.weights.followed import Followed
from lading.proof.weights.origins import Origins


class Restored:
    """See `lading.formats.Restore`.

    Args:
        state: the tensors.
        followed: what the network computes of them, where it is known.
        fresh: files in full precision, made of the same network; the first that has a constant
            decides. Without one a single number is taken for the shortest that rounds to it.

    Attributes:
        unknown: how many constants stay rounded, as nobody knows what they were.
    """

    def __init__(
        self,
        state: Origins,
        followed: Followed | None = None,
        fresh: Callable[[], Iterable[Fresh]] = tuple,
    ) -> None:
        self.state, self.followed, self.fresh = state, followed, fresh
        self.unknown = 0

    def constant(self, rounded: Array, *names: str) -> Array:
        """See `lading.formats.Restore.constant`."""
        if rounded.size == 1 and float(rounded.reshape(-1)[0]).is_integer():
            return rounded
        wide = self._of_the_tensors(rounded) if rounded.size > 1 else None
        if wide is None:
            wide = self._of_the_files(rounded, names)
        if wide is None and self.followed is not None:
            derived = self.followed.find(rounded)
            wide = None if derived is None else derived.values
        if wide is not None:
            return wide
        if rounded.size == 1:  # 1.0014e-5 was 1e-5 before it was rounded
            return np.asarray(
                float(np.format_float_scientific(rounded.reshape(-1)[0], unique=True))
            )
        self.unknown += np.unique(rounded).size > 1
        return rounded

    def _of_the_tensors(self, rounded: Array) -> Array | None:
        names = self.state.whole(rounded)
        if names:
            return self.state.cast(names[0], "float32")
        order = self.state.permuted(rounded)
        if order is not None:
            return self.state.cast(order[0], "float32").transpose(order[1])
        return self.state.unrounded(rounded)

    def _of_the_files(self, rounded: Array, names: Sequence[str]) -> Array | None:
        best: Array | None = None
        for fresh in self.fresh():
            found = fresh.find(rounded, *names)
            if found is None:
                continue
            if not fresh.choice(rounded, *names):
                return found.values
            best = found.values if best is None else best
        return best

    def packed(self, unpacked: Array) -> Array | None:
        """The tensor that a packed weight is nearest to, if it is near at all."""
        flat = unpacked.astype(np.float64).reshape(-1)
        best: tuple[float, Array] | None = None
        for name in self.state.alike("float32"):
            tensor = self.state.cast(name, "float32")
            if tensor.size != flat.size:
                continue
            apart = float(np.linalg.norm(flat - tensor.reshape(-1)))
            if best is None or apart < best[0]:
                best = apart, tensor
        if best is None or best[0] > 0.5 * float(np.linalg.norm(best[1])):
            return None
        return best[1]
