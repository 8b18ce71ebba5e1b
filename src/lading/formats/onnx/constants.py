"""The constants of an ONNX file: initialisers, constant nodes, and packed weights unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lading.formats import Held
from lading.formats.onnx.graph import graphs
from lading.interface.side import Array

#: Inputs of operations that are several floating-point numbers and no operand: region and scales.
_TOLD = {"Resize": (1, 2), "Upsample": (1,)}


def constants(graph: Any, folder: Path) -> Iterator[Held]:
    """Every constant of a graph, in the file's order.

    Args:
        graph: its tensors loaded.
        folder: where the file lies.
    """
    from onnx import numpy_helper

    read = readers(graph)
    arrays = {name: numpy_helper.to_array(one, str(folder)) for name, one in stored(graph).items()}
    inside: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(n in arrays for n in node.input if n):
            yield _dequantized(node, arrays)
            inside.update(node.input)
    whole = {value.name for value in graph.output}
    nested = len(list(graphs(graph))) > 1
    for name, array in arrays.items():
        # an initialiser that nothing reads carries nothing, whatever lies in it
        if name not in inside and (name in read or name in whole or nested):
            kinds = {node.op_type for node, _ in read.get(name, ())}
            reader = kinds.pop() if len(kinds) == 1 else ""
            read_at = read.get(name, [])
            where = tuple(place(node, index) for node, index in read_at)
            told = (
                bool(read_at)
                and not nested
                and all(index in _TOLD.get(n.op_type, ()) for n, index in read_at)
            )
            yield Held(name, array, str(array.dtype), reader, places=where, told=told)


def stored(graph: Any) -> dict[str, Any]:
    """Its tensors by name: initialisers, and what constant nodes give."""
    found = {one.name: one for one in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                found[node.output[0]] = attribute.t
    return found


def readers(graph: Any) -> dict[str, list[tuple[Any, int]]]:
    """By name of a value the nodes that read it, and as which input."""
    found: dict[str, list[tuple[Any, int]]] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            found.setdefault(name, []).append((node, index))
    return found


def place(node: Any, index: int) -> str:
    """Where a node reads a value."""
    return f"{index} of {next(iter(node.output), node.name)}"


def _dequantized(node: Any, arrays: dict[str, Array]) -> Held:
    """``scale · (x - zero)``, scalars or one value for each index of the axis."""
    quantised, scale = arrays[node.input[0]], arrays[node.input[1]]
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [1] * quantised.ndim
    if scale.ndim:
        shape[axis % max(quantised.ndim, 1)] = -1
    scale = scale.reshape(shape if scale.ndim else ())
    values = quantised.astype(np.float32)
    if len(node.input) > 2 and node.input[2]:
        zero = arrays[node.input[2]]
        values = values - zero.astype(np.float32).reshape(shape if zero.ndim else ())
    return Held(node.output[0], values * scale, "float32", "", node.op_type, scale)
