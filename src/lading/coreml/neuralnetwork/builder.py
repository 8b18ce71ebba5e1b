"""What layers make their operations with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch

from lading.coreml.mil import registry
from lading.coreml.mil.program import Binding, Constant, Op, Value, ValueType

#: What operations give other than floats.
_WHOLE = ("shape", "non_zero", "argsort", "reduce_argmax", "reduce_argmin")
_TRUTH = (
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
)
FLOAT = "float32"


class Ref(str):
    """The name of a value, unlike a text that is a parameter."""


class Builder:
    """What a layer's function makes operations with: ``b.conv(x, weight, pad_type="same")``.

    An argument is a `Ref`, a tensor (a weight), or a number, text, list of these; None leaves the
    parameter out. A call gives the `Ref` of its result, or with ``outputs=n`` a tuple of them.
    """

    def __init__(self, origin: str, prefix: str, used: set[str], dtypes: dict[str, str]) -> None:
        self.ops: list[Op] = []
        self.origin, self._prefix, self._used, self._dtypes = origin, prefix, used, dtypes

    def __getattr__(self, kind: str) -> Any:
        return partial(self.op, kind)

    def op(self, kind: str, *values: Any, outputs: int = 1, **named: Any) -> Any:
        """One operation; see the class."""
        parameters = registry.find(kind, registry.OLDER, self.origin).parameters
        if len(values) > len(parameters):
            raise TypeError(f"{len(values)} arguments for {kind}, which takes {len(parameters)}")
        given = {**dict(zip(parameters, values, strict=False)), **named}
        inputs = {
            name: tuple(map(self._bound, value if parameters[name].arrival == "all" else [value]))
            for name, value in given.items()
            if value is not None
        }
        made = tuple(self._new(one) for one in self._given(kind, given, outputs))
        self.ops.append(Op(kind, self.origin, inputs, made, origin=self.origin))
        names = tuple(Ref(value.name) for value in made)
        return names[0] if len(names) == 1 else names

    def const(self, values: torch.Tensor) -> Ref:
        """A weight as a value of its own."""
        kind = ValueType("tensor", FLOAT, tuple(values.shape))
        value = Value(self._new(FLOAT).name, kind)
        held = Constant(kind, values.numpy())
        self.ops.append(Op("const", self.origin, {}, (value,), attributes={"val": held}))
        return Ref(value.name)

    def whole(self, x: Ref) -> Ref:
        """Floats that stand for places, as whole numbers."""
        return Ref(self.cast(x, "int32"))

    def number(self, x: Ref) -> Ref:
        """An array of one float as a whole number without axes."""
        return Ref(self.squeeze(self.whole(x)))

    def at_least_1d(self, x: Ref) -> Ref:
        """There is no array of rank 0 in this format."""
        return Ref(self.concat([x], 0))

    def _given(self, kind: str, arguments: dict[str, Any], outputs: int) -> list[str]:
        """The dtypes of an operation's results."""
        if kind == "topk":
            return [FLOAT, "int32"]
        if kind == "cast":
            wanted = arguments["dtype"]
            return ["int32" if wanted == "int32" else FLOAT]
        if kind == "squeeze":
            return [self._dtypes.get(arguments["x"], FLOAT)]
        return ["int32" if kind in _WHOLE else "bool" if kind in _TRUTH else FLOAT] * outputs

    def _new(self, dtype: str) -> Value:
        name = fresh(f"{self._prefix}.{len(self.ops)}", self._used)
        self._dtypes[name] = dtype
        return Value(name, ValueType("tensor", dtype, None))

    def _bound(self, value: Any) -> Binding:
        if isinstance(value, Ref):
            return str(value)
        if isinstance(value, torch.Tensor):
            return str(self.const(value))
        if isinstance(value, str):
            return Constant(ValueType("tensor", "string"), value)
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        elif array.dtype.kind == "i" and (np.abs(array) < 1 << 31).all():
            array = array.astype(np.int32)
        return Constant(ValueType("tensor", str(array.dtype), array.shape), array)

    def give(self, results: Sequence[Ref], names: Sequence[str], dtype: str) -> None:
        """Call the layer's results by `names`, of which nobody else has one, in `dtype`."""
        own = {value.name for op in self.ops for value in op.outputs}
        called: dict[str, Value] = {}
        for name, result in zip(names, results, strict=True):
            if self._dtypes[result] != FLOAT:
                result = self.cast(result, "fp32")
            elif result not in own or result in called:
                result = self.identity(result)
            called[result] = Value(name, ValueType("tensor", dtype, None))
            self._dtypes[name] = FLOAT
        self.ops = [renamed(op, called) for op in self.ops]


def renamed(op: Op, names: dict[str, Value]) -> Op:
    """`op` with some of the values that it reads and gives under other names."""
    inputs = {
        key: tuple(names[one].name if one in names else one for one in many)
        if any(isinstance(one, str) for one in many)
        else many
        for key, many in op.inputs.items()
    }
    outputs = tuple(_named(value, names) for value in op.outputs)
    return replace(op, inputs=inputs, outputs=outputs)


def _named(value: Value, names: dict[str, Value]) -> Value:
    if value.name not in names:
        return value
    wanted = names[value.name]
    return replace(wanted, type=replace(value.type, dtype=wanted.type.dtype))


def fresh(name: str, used: set[str]) -> str:
    """`name`, with marks where it is used already; it is used from now on."""
    made = name
    for number in count():  # marks first; of many the number of the try, as marks would pile up
        if made not in used:
            break
        made = f"{name}'{len(used) + number}" if number > 8 else f"{made}'"
    used.add(made)
    return made
