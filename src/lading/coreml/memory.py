"""A Core ML file with a memory, called from its beginning: one call, or several in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lading.coreml.arrays import Array
from lading.coreml.calls import calls
from lading.errors import ProgramError, refused
from lading.record import Port, State, from_json

#: Of the file's metadata, in every format; and what is expected there, with what to do.
KEY = "lading.states"
NOTE = f"{KEY} as lading wrote it into the artifact when it made it", "convert again"
#: Parts of a number along the first axis, by how it is held.
PARTS = {"plain": 1, "halves": 2, "digits": 3}
#: What a lower half is scaled by, and the base of digits: fp16 has every whole number up to it.
BASE = 2048
#: A state that is 0 before the first call alone; it is in the file where something else begins
#: with other values than Core ML's zeros.
BEGUN = "begun"
#: Names of the values on the way from a state to what it says, and back, begin so.
KEEPING = "kept_"


def unfolded(values: Array, state: State) -> Array:
    """What a state says: its values as they are compared.

    Args:
        values: as the file holds them.
        state: what they are.

    >>> port = Port("n", "tensor", "int32", (1,))
    >>> unfolded(np.array([1.0, 2.0, 0.0], np.float32), State(port, held="digits")).tolist()
    [4097]
    """
    parts = np.split(np.atleast_1d(values.astype(np.float64)), PARTS[state.held], axis=0)
    if state.held == "halves":
        parts = [parts[0] + parts[1] / BASE]
    elif state.held == "digits":
        parts = [sum(part * float(BASE) ** power for power, part in enumerate(parts))]  # type: ignore[list-item]
    return np.asarray(parts[0]).astype(state.port.dtype).reshape(state.port.shape)


def noted(metadata: Mapping[str, str], states: Sequence[Port], path: str) -> tuple[State, ...]:
    """What a file remembers: as lading noted it, else as it describes itself.

    Args:
        metadata: of the file.
        states: as it describes them.
        path: of it, for errors.

    Raises:
        ProgramError: the note is not of this file.
    """
    if KEY not in metadata:
        return tuple(
            State(Port(one.name, "tensor", "float32", one.shape or (1,), meaning="state"))
            for one in states
        )
    with refused(ProgramError, path, *NOTE):
        found = tuple(from_json(State, one) for one in json.loads(metadata[KEY]))
        shapes = {one.name: one.shape for one in states}
        for one in found:
            first, *rest = one.port.shape
            folded = (first * PARTS[one.held], *rest)
            if shapes.pop(one.port.name, None) != folded:
                raise ValueError(f"no state {one.port.name} of shape {list(folded)}")
        if set(shapes) - {BEGUN}:
            raise ValueError(f"nothing is said of {', '.join(shapes)}")
    return found


class Recalling:
    """`call` for a model with a memory.

    Args:
        call: one call, as `lading.coreml.arrays.Arrays`; takes the keyword ``state``.
        make_state: gives a fresh one.
        read: a state's values as they are held.
        states: what the model remembers.
        ranks: axes of each input in one call.
    """

    def __init__(
        self,
        call: Callable[..., dict[str, Array]],
        make_state: Callable[[], Any],
        read: Callable[[Any, str], Array],
        states: Sequence[State],
        ranks: Mapping[str, int],
    ) -> None:
        self._call, self._make, self._read = call, make_state, read
        self.states, self._ranks = tuple(states), dict(ranks)

    def __call__(
        self, inputs: Mapping[str, Array], last: Mapping[str, Any] | None = None, **options: Any
    ) -> dict[str, Array]:
        """The last call's outputs, and what is remembered then; `last` are options of that call
        alone."""
        memory, several = self._make(), calls(inputs, self._ranks)
        made: dict[str, Array] = {}
        for place, one in enumerate(several):
            more = (last or {}) if place == len(several) - 1 else {}
            made = self._call(one, state=memory, **options, **more)
        held = {s.port.name: unfolded(self._read(memory, s.port.name), s) for s in self.states}
        return {**made, **held}
