"""GELU in the order in which ONNX Runtime knows it again.

Before opset 20 an exporter spells GELU in five operations: ``x · (½ · (1 + erf(x / √2)))``. ONNX
Runtime makes one of them where the half comes last, ``(x · (1 + erf(x / √2))) · ½``. The results
are the same to the bit, as a half rounds nothing that is not below the least normal number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lading.formats.onnx.constants import stored
from lading.formats.onnx.graph import graphs

#: float, half, double
_FLOATS = (1, 10, 11)


def reorder(graph: Any) -> int:
    """Puts the half of every GELU of a graph last.

    Args:
        graph: `onnx.GraphProto`, changed in place; inner graphs are left as they are.

    Returns:
        of how many.

    >>> from onnx import parser
    >>> model = parser.parse_model('''<ir_version: 9, opset_import: ["": 18]>
    ...     g (float[4] x) => (float[4] y) <float one = {1}, float half = {0.5},
    ...        float r = {0.7071067690849304}> {
    ...       d = Mul(x, r)
    ...       e = Erf(d)
    ...       s = Add(e, one)
    ...       h = Mul(half, s)
    ...       y = Mul(x, h) }''')
    >>> reorder(model.graph), [list(node.input) for node in model.graph.node[3:]]
    (1, [['x', 's'], ['h', 'half']])
    """
    numbers, made = _numbers(graph), {name: node for node in graph.node for name in node.output}
    read = Counter(name for one in graphs(graph) for node in one.node for name in node.input)
    read.update(value.name for one in graphs(graph) for value in one.output)
    count = 0
    for node in graph.node:
        for place, name in enumerate(node.input) if node.op_type == "Mul" else ():
            x = node.input[1 - place]
            parts = _parts(name, x, numbers, made) if read[name] == 1 else None
            if parts:
                half, total = parts
                made[name].input[:] = x, total
                node.input[:] = name, half
                count += 1
                break
    return count


def _parts(
    name: str, x: str, numbers: Mapping[str, float], made: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Where a value is ``½ · (1 + erf(x · number))``, the names of its two factors."""
    if not _is(name, "Mul", made):
        return None
    factors = tuple(made[name].input)
    for half, total in (factors, factors[::-1]):
        if numbers.get(half) == 0.5 and _is(total, "Add", made):
            terms = made[total].input
            if any(
                numbers.get(one) == 1.0 and _is(other, "Erf", made) and _of(made[other], x, made)
                for one, other in (tuple(terms), tuple(terms)[::-1])
            ):
                return half, total
    return None


def _is(name: str, kind: str, made: Mapping[str, Any]) -> bool:
    return name in made and made[name].op_type == kind


def _of(erf: Any, x: str, made: Mapping[str, Any]) -> bool:
    """Whether its operand is computed of x by one operation."""
    return erf.input[0] in made and x in made[erf.input[0]].input


def _numbers(graph: Any) -> dict[str, float]:
    """The constants without an axis, by name."""
    from onnx import numpy_helper

    return {
        name: float(numpy_helper.to_array(tensor))
        for name, tensor in stored(graph).items()
        if not len(tensor.dims) and tensor.data_type in _FLOATS
    }
