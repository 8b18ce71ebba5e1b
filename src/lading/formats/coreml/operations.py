"""Operations of an ML Program, made as coremltools writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lading.coreml.memory import KEEPING


class Writer:
    """Operations of a block, made one after the other; `taken` are names of values there."""

    def __init__(self, block: Any, taken: set[str]) -> None:
        self.made: list[Any] = []
        self._kind = type(block.operations.add())
        del block.operations[-1]
        self._taken = taken

    def op(
        self, type_: str, dtype_: str, shape: Sequence[int], name: str = "", **inputs: Any
    ) -> str:
        """Adds an operation; inputs are names of values, arrays, or texts of `dtype`. Its result's
        name."""
        operation = self._new(type_, inputs)
        result = name or self._name(type_)
        operation.attributes["name"].CopyFrom(value_of(f"{result}_op" if name else result))
        output = operation.outputs.add()
        output.name = result
        output.type.CopyFrom(type_of(dtype_, shape))
        self.made.append(operation)
        return result

    def write(self, state: str, value: str) -> None:
        """Adds what keeps a value in a state."""
        operation = self._new("write_state", {"input": state, "data": value})
        operation.attributes["name"].CopyFrom(value_of(f"{KEEPING}write_{state}"))
        self.made.append(operation)

    def constant(self, value: Any) -> str:
        """Adds a constant; its name."""
        array = value if isinstance(value, str) else np.asarray(value)
        name = self._name("const")
        operation = self._kind(type="const")
        operation.attributes["name"].CopyFrom(value_of(name))
        operation.attributes["val"].CopyFrom(value_of(array))
        output = operation.outputs.add()
        output.name = name
        output.type.CopyFrom(operation.attributes["val"].type)
        self.made.append(operation)
        return name

    def _new(self, type_: str, inputs: Mapping[str, Any]) -> Any:
        operation = self._kind(type=type_)
        for name, given in inputs.items():
            for one in given if isinstance(given, list) else [given]:
                plain = isinstance(one, str) and name != "dtype"
                bound = operation.inputs[name].arguments.add()
                bound.name = one if plain else self.constant(one)
        return operation

    def _name(self, what: str) -> str:
        number = len(self._taken)
        while (name := f"{KEEPING}{what}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name


def short(dtype: str) -> str:
    """What MIL calls a type."""
    return {"float16": "fp16", "float32": "fp32"}.get(dtype, dtype)


def value_of(given: Any) -> Any:
    """The message of a text or an array."""
    from coremltools.converters.mil.backend.mil import helper

    if isinstance(given, str):
        return helper.create_scalar_value(given)
    return helper.create_tensor_value(np.asarray(given))


def type_of(dtype: str, shape: Sequence[int]) -> Any:
    """The message of a tensor's type."""
    from coremltools.converters.mil.backend.mil import helper
    from coremltools.converters.mil.mil import types

    builtin = types.string_to_builtin(short(dtype))
    return helper.create_valuetype_tensor(tuple(shape), helper.types_to_proto_primitive(builtin))
