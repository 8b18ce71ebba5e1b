"""What an ONNX graph holds, those of branches and loops included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Where a node keeps the module path that made it.
MODULE_KEY = "lading.module"


def graphs(graph: Any) -> Iterator[Any]:
    """The graph, and every graph inside it."""
    yield graph
    for node in graph.node:
        for one in inner(node):
            yield from graphs(one)


def inner(node: Any) -> Iterator[Any]:
    """The graphs that a node holds: a branch's, a loop's.

    >>> from onnx import helper
    >>> one, two = (helper.make_graph([], name, [], []) for name in ("one", "two"))
    >>> [held.name for held in inner(helper.make_node("Two", [], [], body=one, others=[two]))]
    ['one', 'two']
    """
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.HasField("g") else ()
        yield from attribute.graphs


def tensors(graph: Any) -> Iterator[Any]:
    """Every tensor that a graph holds, initialisers and attributes, inner graphs included."""
    for one in graphs(graph):
        yield from getattr(one, "initializer", ())  # a function has none
        for sparse in getattr(one, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in one.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def light(model: Any) -> Any:
    """A model without the numbers of its initialisers."""
    made, graph = type(model)(ir_version=model.ir_version), model.graph
    made.opset_import.extend(model.opset_import)
    made.functions.extend(model.functions)
    for name in ("node", "input", "output", "value_info"):
        getattr(made.graph, name).extend(getattr(graph, name))
    for one in graph.initializer:
        made.graph.initializer.add(name=one.name, data_type=one.data_type, dims=one.dims)
    return made


def unrolled(model: Any) -> float:
    """How many nodes it is where each call of a function of its own is that function's nodes:
    functions that call one another are soon more than anybody can go through. Infinite where they
    call one another in a circle."""
    own = {(one.domain, one.name): one for one in model.functions}
    counted: dict[tuple[str, str], float] = {}

    def of(graph: Any) -> float:
        return sum(call((node.domain, node.op_type)) for one in graphs(graph) for node in one.node)

    def call(name: tuple[str, str]) -> float:
        if name not in own:
            return 1.0
        if name not in counted:
            counted[name] = float("inf")  # until it is known
            counted[name] = of(own[name])
        return counted[name]

    return of(model.graph)


def nodes(model: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every node of a model, those of branches, loops and functions included; and with each the
    constants that it sees, as tensors by name."""
    for outer in (model.graph, *model.functions):
        yield from _nodes(outer, {})


def _nodes(graph: Any, outside: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    known = {**outside, **{one.name: one for one in getattr(graph, "initializer", ())}}
    for node in graph.node:
        if node.op_type == "Constant":
            values = [one.t for one in node.attribute if one.name == "value"]
            known.update(zip(node.output, values, strict=False))
        elif node.op_type == "Identity" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
        yield node, known
        for one in inner(node):
            yield from _nodes(one, known)
