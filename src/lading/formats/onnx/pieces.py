"""Writing a model weight by weight.

protobuf serializes a message whole, and twice over: 130 MB of weights take 320 MB more for that
moment. A field of a message may be written in pieces, in any order, each after its number and
its length (https://protobuf.dev/programming-guides/encoding), so the weights come last, one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Numbers of the fields in onnx.proto: `ModelProto.graph`, `GraphProto.initializer`.
_GRAPH, _INITIALIZER = 7, 5


def write(model: Any, path: Path) -> None:
    """The same for the same model.

    Args:
        model: a `ModelProto`; left without its graph.
        path: of the file.
    """
    graph = model.graph
    weights = list(graph.initializer)
    del graph.initializer[:]
    rest = graph.SerializeToString(deterministic=True)
    # of a message that is not written nobody knows the size: protobuf writes it to say it
    sizes = [len(one.SerializeToString()) for one in weights]
    heads = [_head(_INITIALIZER, size) for size in sizes]
    model.ClearField("graph")
    with path.open("wb") as file:
        file.write(model.SerializeToString(deterministic=True))
        file.write(_head(_GRAPH, len(rest) + sum(map(len, heads)) + sum(sizes)))
        file.write(rest)
        for head, one in zip(heads, weights, strict=True):
            file.write(head)
            file.write(one.SerializeToString(deterministic=True))


def _head(number: int, size: int) -> bytes:
    """What stands before so many bytes of a field.

    >>> _head(7, 300)
    b':\\xac\\x02'
    """
    digits = [number << 3 | 2]
    while size > 127:
        digits.append(size & 127 | 128)
        size >>= 7
    return bytes([*digits, size])
