"""The work of a Core ML program, operation by operation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.program import Binding, Constant, Op
from lading.interface.work import Work, rules
from lading.record.bench import Spent

#: The sizes of an operand: its name, and which of several.
Sizes = Callable[..., tuple[int, ...]]
Told = Callable[[str], Any]

#: What a converter appends to a weight's name, and the last part of the name of a torch parameter.
_STORED = re.compile(r"(_(to_fp16|quantized|palettized|sparsified|promoted|\d+))+$")
_LAST = re.compile(r"[._](weight|bias|kernel|gamma|beta)(_(ih|hh)(_l\d+)?(_reverse)?)?$")


def work(
    model: mil.Model,
    observed: Mapping[str, tuple[int, ...]] | None = None,
    calls: Mapping[str, int] | None = None,
) -> list[Work]:
    """Every operation of a program, or of the programs of a pipeline, constants left out.

    Args:
        model: the program.
        observed: sizes of values in a run, for those that the program leaves open.
        calls: how often each operation was called in that run, by its first output; once where
            that is not told.
    """
    found: list[Work] = []
    for part in model.leaves:
        for function in part.program.functions.values():
            declared = {value.name: value.type.fixed for value in function.inputs}
            ops = list(function.block.walk())
            for op in ops:
                for block in op.blocks:
                    declared.update((value.name, value.type.fixed) for value in block.inputs)
                declared.update((value.name, value.type.fixed) for value in op.outputs)
            known = {**declared, **(observed or {})}
            found += _of(ops, known, calls or {}, looped=calls is None)
    return found


def spent(
    model: mil.Model, call: Callable[[mil.Taps], Any], calls: int
) -> tuple[float, list[Spent]]:
    """Where the time of a program goes; see `lading.interface.side.Watched`.

    Args:
        model: the program.
        call: runs it with what looks at it.
        calls: how often.
    """
    call(mil.Taps(times=True))
    taps = mil.Taps(times=True)
    begun = time.perf_counter()
    for _ in range(calls):
        call(taps)
    whole = (time.perf_counter() - begun) / calls
    modules = {one.name: one.module for one in work(model)}
    found = []
    for part in model.leaves:
        for function in part.program.functions.values():
            for op in function.block.walk():
                name = op.outputs[0].name if op.outputs else op.name
                if name not in taps.seconds or op.type == "const":
                    continue
                # what runs in a block of it is told by itself
                inner = sum(
                    taps.seconds.get(o.outputs[0].name if o.outputs else o.name, 0.0)
                    for block in op.blocks
                    for o in block.operations
                )
                own = max(taps.seconds[name] - inner, 0.0) / calls
                times = taps.calls[name] / calls
                found.append(Spent(name, op.type, modules.get(name, ""), own, times))
    return whole, found


def _of(
    ops: list[Op],
    known: Mapping[str, tuple[int, ...] | None],
    calls: Mapping[str, int],
    *,
    looped: bool,
) -> Iterator[Work]:
    constants = {
        op.outputs[0].name: op for op in ops if op.type == "const" and "val" in op.attributes
    }
    packed = {op.outputs[0].name: op for op in ops if op.type.startswith("constexpr_")}
    inside = {id(inner) for op in ops if op.type == "while_loop" for b in op.blocks
              for inner in b.walk()}  # fmt: skip
    taken: set[str] = set()
    for op in ops:
        if op.type == "const" or op.type.startswith("constexpr_"):
            continue
        name = op.outputs[0].name if op.outputs else op.name
        macs = _macs(op, known, constants)
        if macs and looped and id(op) in inside:
            macs = None  # how many rounds there are is not known
        own = _Held()
        for read in op.reads:
            own.add(read, constants, packed, taken)
        own.literals(op, weight=True)
        # a file gives an operation's inputs in no order
        _, named = max(own.weights, default=(0, ""))
        times = calls.get(name, 1)
        yield Work(
            name, op.type, _stem(named), None if macs is None else macs * times, own.parameters,
            own.bytes, tuple(own.names),
        )  # fmt: skip


class _Held:
    """What an operation holds."""

    def __init__(self) -> None:
        self.parameters = self.bytes = 0
        self.names: list[str] = []
        self.weights: list[tuple[int, str]] = []

    def add(
        self, name: str, constants: Mapping[str, Op], packed: Mapping[str, Op], taken: set[str]
    ) -> None:
        """A constant that is read by name, whoever read it before."""
        if name in constants or name in packed:
            self.names.append(name)
        if name in taken:
            return
        taken.add(name)
        if name in packed:
            op = packed[name]
            shape = op.outputs[0].type.fixed
            numbers = prod(shape) if shape else 0
            self.parameters += numbers
            self.weights.append((numbers, name))
            self.literals(op, weight=False)
            for one in op.attributes.values():
                self.count(one, weight=False)
            for inner in op.reads:
                self._stored(inner, constants, packed, taken)
        elif name in constants:
            numbers = self.count(constants[name].attributes["val"], weight=True)
            self.weights += [(numbers, name)] if numbers else []

    def _stored(
        self, name: str, constants: Mapping[str, Op], packed: Mapping[str, Op], taken: set[str]
    ) -> None:
        """What a packed weight is made of: bytes, and no numbers of its own."""
        before = self.parameters, list(self.names), list(self.weights)
        self.add(name, constants, packed, taken)
        self.parameters, self.names, self.weights = before

    def literals(self, op: Op, *, weight: bool) -> None:
        """Those that stand in the operation itself."""
        for many in op.inputs.values():
            for one in many:
                if isinstance(one, Constant):
                    self.count(one, weight=weight)

    def count(self, one: Constant, *, weight: bool) -> int:
        """The numbers of a literal that are a weight's."""
        data = one.data
        if not isinstance(data, np.ndarray):
            return 0
        bits = re.search(r"(\d+)$", one.type.dtype)
        self.bytes += -(-data.size * int(bits[1]) // 8) if bits else data.nbytes
        numbers = int(data.size) if weight and data.ndim and data.dtype.kind == "f" else 0
        self.parameters += numbers
        return numbers


def _macs(
    op: Op, known: Mapping[str, tuple[int, ...] | None], constants: Mapping[str, Op]
) -> int | None:
    """None where a size is not known, or the sizes are none that the operation can have."""
    rule = _RULES.get(op.type)
    if rule is None:
        return 0

    def size(name: str, place: int = 0) -> tuple[int, ...]:
        if name == "out":
            return _certain(known.get(op.outputs[0].name))
        one = op.inputs[name][place]
        if isinstance(one, Constant):
            return np.asarray(one.data).shape
        if one in constants:
            return np.asarray(constants[one].attributes["val"].data).shape
        return _certain(known.get(one))

    def told(name: str) -> Any:
        one: Binding = op.inputs[name][0] if name in op.inputs else op.attributes[name]
        if isinstance(one, str):
            one = constants[one].attributes["val"]
        return one.plain()

    try:
        return rule(op, size, told)
    except (LookupError, ValueError, TypeError):
        return None


def _certain(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        raise LookupError
    return shape


def _matmul(op: Op, size: Sizes, told: Told) -> int:
    x = size("x")
    transposed = (
        len(x) > 1 and "transpose_x" in {*op.inputs, *op.attributes} and told("transpose_x")
    )
    return rules.matmul(size("out"), x[-2] if transposed else x[-1])


def _einsum(op: Op, size: Sizes, told: Told) -> int:
    shapes = [size("values", place) for place in range(len(op.inputs["values"]))]
    return rules.einsum(told("equation"), shapes)


def _recurrent(op: Op, size: Sizes, told: Told) -> int:
    steps = size("x")[:2]
    weights = [name for name in op.inputs if name.startswith(("weight_ih", "weight_hh"))]
    return rules.recurrent(prod(steps), [size(name, 0) for name in weights])


#: By the type of the operation; the last two are those that older networks are lowered to.
_RULES: dict[str, Callable[[Op, Sizes, Told], int]] = {
    "conv": lambda op, size, told: rules.conv(size("out"), size("weight")),
    "conv_quantized": lambda op, size, told: rules.conv(size("out"), size("weight")),
    "conv_transpose": lambda op, size, told: rules.conv_transpose(size("x"), size("weight")),
    "linear": lambda op, size, told: rules.matmul(size("out"), size("weight")[-1]),
    "matmul": _matmul,
    "einsum": _einsum,
    "rnn": _recurrent,
    "gru": _recurrent,
    "lstm": _recurrent,
    "scaled_dot_product_attention": lambda op, size, told: rules.attention(
        size("query"), size("key"), size("value")
    ),
    "batched_matmul": _matmul,
    "inner_product": lambda op, size, told: rules.matmul(size("out"), size("weight")[-1]),
}


def _stem(name: str) -> str:
    """A weight's name without what says which weight of a module it is.

    >>> _stem("p_network_stem_weight_to_fp16"), _stem("table")
    ('p_network_stem', 'table')
    """
    return _LAST.sub("", _STORED.sub("", name)) or name
