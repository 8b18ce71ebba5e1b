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
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from graphs(inner)


def tensors(graph: Any) -> Iterator[Any]:
    """Every tensor that a graph holds, initialisers and attributes, inner graphs included."""
    for inner in graphs(graph):
        yield from getattr(inner, "initializer", ())  # a function has none
        for sparse in getattr(inner, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in inner.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
