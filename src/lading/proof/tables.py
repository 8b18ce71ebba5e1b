"""How many rows the table has into which an input of whole numbers points, read off a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface.side import Made
from lading.proof.scores import CHOOSING, plain

#: Operations that take rows of a table, in every format's spelling without case and underscores.
_TAKING = {"gather", "embedding", "embeddingnd"}


def rows(artifact: Artifact) -> dict[str, int]:
    """By input, the rows of the smallest table that it points into; those inputs alone that do.

    Nothing where the graph cannot be read.
    """
    try:
        graph = artifact.side().graph
        tables = {
            held.name: len(held.values)
            for held in artifact.constants()
            if held.values.ndim == 2 and held.values.dtype.kind == "f"
        }
    except LadingError:
        return {}
    inputs = [port.name for port in artifact.record.inputs if port.dtype.startswith("int")]
    return pointed(graph, tables, inputs)


def pointed(
    graph: Sequence[Made], tables: Mapping[str, int], inputs: Collection[str]
) -> dict[str, int]:
    """See `rows`.

    Args:
        graph: in the order of computation.
        tables: rows of every constant of numbers in two axes, by name.
        inputs: that may point into one.

    >>> graph = [Made("i", "cast", reads=("ids",)), Made("y", "gather", reads=("t", "i"))]
    >>> pointed(graph, {"t": 100, "other": 7}, {"ids"})
    {'ids': 100}
    """
    makers = {made.name: made for made in graph}
    found: dict[str, int] = {}
    for made in graph:
        known = [tables[name] for name in made.reads if name in tables]
        if plain(made.op) not in _TAKING or not known:
            continue
        for name in sorted(set(inputs).intersection(_reached(makers, made.reads))):
            found[name] = min(known[0], found.get(name, known[0]))
    return found


def _reached(makers: Mapping[str, Made], names: Sequence[str]) -> Iterator[str]:
    """The names, and those that they are moved or chosen from."""
    waiting = list(dict.fromkeys(names))
    for name in waiting:
        yield name
        maker = makers.get(name)
        if maker is not None and plain(maker.op) in CHOOSING:
            waiting += [one for one in maker.reads if one not in waiting]
