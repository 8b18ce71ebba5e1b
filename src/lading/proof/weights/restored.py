"""Rounded constants as they were before: the checkpoint's own tensors, formulas recomputed, numbers
that a person wrote down.

Rounding to fp16 hides a wrong approximation, a wrong epsilon, a changed slope. So an fp16 artifact
is run a second time in fp32 with each traced constant put back. What differs then is the graph, and
it is judged like fp32. What nothing explains stays as it is, and is counted.
"""

from __future__ import annotations

import numpy as np

from lading.interface.side import Array
from lading.proof.weights.folding import Formulas, generated, roots
from lading.proof.weights.origins import Origins


class Restored:
    """See `lading.formats.Restore`.

    Args:
        state: the checkpoint's tensors.

    Attributes:
        unknown: how many constants stay rounded, as nobody knows what they were.
    """

    def __init__(self, state: Origins) -> None:
        self.state, self.formulas = state, Formulas(state)
        self.unknown = 0

    def constant(self, rounded: Array) -> Array:
        """See `lading.formats.Restore.constant`."""
        data = rounded
        if data.size == 1:
            return self._number(data)
        names = self.state.whole(data)
        if names:
            return self.state.cast(names[0], "float32")
        order = self.state.permuted(data)
        if order is not None:
            return self.state.cast(order[0], "float32").transpose(order[1])
        rows = self.state.unrounded(data)
        if rows is not None:
            return rows
        derived = self.formulas.find(data)
        if derived is None and not generated(data):
            self.unknown += 1
        return data if derived is None else derived.values

    def _number(self, data: Array) -> Array:
        """1.0014e-5 was 1e-5 before it was rounded, 0.3535 was 8^-1/2, 0.4502 a sigmoid."""
        half = float(data.reshape(-1)[0])
        if not np.isfinite(half) or half == int(half):
            return data
        written = float(np.format_float_scientific(data.reshape(-1)[0], unique=True))
        few = len(f"{written:e}".split("e")[0].strip("-0").replace(".", "").strip("0")) <= 2
        if few:
            return np.asarray(written)
        for _, known in roots(abs(half)):
            if float(np.float16(known)) == abs(half):
                return np.asarray(known if half > 0 else -known)
        derived = self.formulas.find(data)
        if derived is not None:
            return derived.values
        self.unknown += written != half
        return np.asarray(written)

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
