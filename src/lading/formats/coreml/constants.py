"""The constants of an ML Program: literals, weights, and packed weights unpacked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.program import Binding, Constant, Op
from lading.formats import Held
from lading.interface.side import Array


def constants(model: mil.Model) -> Iterator[Held]:
    """Every constant of a program, or of the programs of a pipeline, in the file's order."""
    for part in model.leaves:
        for function in part.program.functions.values():
            yield from _of(part, list(function.block.walk()))


def _of(model: mil.Model, operations: Sequence[Op]) -> Iterator[Held]:
    readers: dict[str, set[str]] = {}
    for op in operations:
        for name in op.reads:
            readers.setdefault(name, set()).add(op.type)
    read = places(operations)
    staged = {v.name for op in operations if op.type.startswith("constexpr_") for v in op.outputs}
    for op in operations:
        if op.type.startswith("constexpr_"):
            yield from _unpacked(model, op, readers, staged)
            continue
        literals: list[Binding | None]
        if op.type == "const":
            name, literals = op.outputs[0].name, [op.attributes.get("val")]
            kinds = readers.get(name, set())
            if kinds and all(kind.startswith("constexpr_") for kind in kinds):
                continue
        else:
            name, kinds = op.outputs[0].name if op.outputs else op.name, {op.type}
            literals = [binding for many in op.inputs.values() for binding in many]
        for literal in literals:
            if isinstance(literal, Constant) and isinstance(literal.data, np.ndarray):
                where = tuple(read.get(name, ())) if op.type == "const" else ()
                yield Held(name, literal.data, literal.type.dtype, _only(kinds), places=where)


def places(operations: Iterable[Op]) -> dict[str, list[str]]:
    """By name of a value where it is read: ``"y of mul_3"``."""
    found: dict[str, list[str]] = {}
    for op in operations:
        for key, many in op.inputs.items():
            for one in many:
                if isinstance(one, str):
                    found.setdefault(one, []).append(place(key, op))
    return found


def place(key: str, op: Op) -> str:
    """Where an operation reads a value."""
    return f"{key} of {op.name}"


def _only(kinds: set[str]) -> str:
    """The one operation that reads a constant; empty where several do or none."""
    return next(iter(kinds)) if len(kinds) == 1 else ""


def _unpacked(
    model: Any, op: Any, readers: dict[str, set[str]], staged: set[str]
) -> Iterator[Held]:
    """A packed weight; an inner stage of one that is packed twice is not shown."""
    for value in op.outputs:
        kinds = readers.get(value.name, set())
        if kinds and all(kind.startswith("constexpr_") for kind in kinds):
            continue
        decoded = model.constant(value.name)
        step, data = None, op.inputs.get("data", (None,))[0]
        scale = op.inputs.get("scale") or op.attributes.get("scale")
        grid = not (isinstance(data, str) and data in staged)
        if scale is not None and grid and not op.type.startswith("constexpr_sparse"):
            scale = scale[0] if isinstance(scale, tuple) else scale
            array = model.constant(scale) if isinstance(scale, str) else np.asarray(scale.data)
            step = _spread(np.abs(array.astype(np.float32)), decoded.shape, op)
        table = _table(model, op, decoded.ndim) if "lut" in op.type else None
        yield Held(value.name, decoded, value.type.dtype, _only(kinds), op.type, step, table)


def _table(model: Any, op: Any, rank: int) -> Array | None:
    """The palette of each group; None where its entries are vectors or a stage lies inside."""
    lut = op.inputs.get("lut") or op.attributes.get("lut")
    lut = lut[0] if isinstance(lut, tuple) else lut
    if lut is None:
        return None
    array = model.constant(lut) if isinstance(lut, str) else np.asarray(lut.data)
    if array.ndim == 1:  # of all systems before iOS 18: one for the whole
        return array.reshape(*[1] * rank, -1)
    return array[..., 0] if array.ndim == rank + 2 and array.shape[-1] == 1 else None


def _spread(scale: Array, shape: tuple[int, ...], op: Any) -> Array | None:
    """The scale of every element: one for all, one per index of an axis, or one per block."""
    if scale.ndim == 1 and len(shape) != 1:
        axis = op.inputs.get("axis") or (op.attributes.get("axis"),)
        plain = axis[0].plain() if axis[0] is not None and not isinstance(axis[0], str) else 0
        return scale.reshape([-1 if d == plain else 1 for d in range(len(shape))])
    if scale.ndim != len(shape):
        return scale if scale.ndim == 0 else None
    for d, size in enumerate(shape):
        if size % scale.shape[d]:
            return None
        scale = scale.repeat(size // scale.shape[d], axis=d)
    return scale
