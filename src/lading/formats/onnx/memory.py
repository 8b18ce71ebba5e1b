"""A memory in an ONNX file: what is remembered is an input and an output more.

The input has a value of its own, the checkpoint's: an initializer of its name, as ONNX lets a
caller leave an input out. So the first call is fed the inputs alone, and every later one also what
the call before gave: ``h_in`` takes ``h_out``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lading.coreml.calls import calls
from lading.coreml.memory import KEY, NOTE
from lading.errors import ProgramError, refused
from lading.interface.memory import Kept
from lading.interface.side import Array
from lading.record import State, from_json, to_json


def keep(model: Any, states: Sequence[Kept]) -> None:
    """Gives the inputs of what is remembered the values that it begins with, and notes them."""
    from onnx import numpy_helper

    for kept in states:
        values = np.ascontiguousarray(kept.begins.numpy())
        name = f"{kept.state.port.name}_in"
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    if states:
        told = json.dumps([to_json(kept.state) for kept in states])
        model.metadata_props.add(key=KEY, value=told)


def noted(model: Any, path: str) -> tuple[State, ...]:
    """What a file remembers, by its own note; nothing where it has none.

    Raises:
        ProgramError: the note is not of this file.
    """
    texts = [one.value for one in model.metadata_props if one.key == KEY]
    if not texts:
        return ()
    with refused(ProgramError, path, *NOTE):
        states = tuple(from_json(State, one) for one in json.loads(texts[0]))
        graph = model.graph
        taken, given = ({v.name for v in side} for side in (graph.input, graph.output))
        begun = {one.name for one in graph.initializer}
        for state in states:
            name = state.port.name
            if f"{name}_in" not in taken & begun or f"{name}_out" not in given:
                raise ValueError(f"no {name}_in with its first value, or no {name}_out")
    return states


def carried(
    states: Sequence[State],
    ranks: Mapping[str, int],
    inputs: Mapping[str, Array],
    call: Callable[[Mapping[str, Array], bool], dict[str, Array]],
) -> dict[str, Array]:
    """The last call's outputs, and what the file remembers then, under the states' own names.

    Args:
        states: of the file.
        ranks: axes of its inputs in one call.
        inputs: of one call or of several.
        call: gives the outputs of one call; the second argument is whether it is the last.
    """
    several, memory, made = calls(inputs, ranks), dict[str, Array](), dict[str, Array]()
    for place, fed in enumerate(several):
        made = call({**fed, **memory}, place == len(several) - 1)
        memory = {f"{s.port.name}_in": made[f"{s.port.name}_out"] for s in states}
    names = {f"{state.port.name}_out": state.port.name for state in states}
    return {names.get(name, name): value for name, value in made.items()}


def answers(names: Sequence[str], states: Sequence[State]) -> tuple[str, ...]:
    """The outputs of a graph as `carried` calls them."""
    own = {f"{state.port.name}_out": state.port.name for state in states}
    return tuple(own.get(name, name) for name in names)
