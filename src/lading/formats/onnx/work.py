"""The work of an ONNX graph, node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

from lading.formats.onnx.graph import MODULE_KEY, inner
from lading.interface.work import Work, rules

Shape = tuple[int, ...]
#: The sizes of a node's input by its place, or of its first output at -1.
Size = Callable[[int], Shape]

#: Bits of an element, by `TensorProto.DataType`; 32 for the others.
_BITS = {
    2: 8, 3: 8, 4: 16, 5: 16, 7: 64, 9: 8, 10: 16, 11: 64, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
#: Whole numbers of a weight, packed, are of these types; those of a shape are of others.
_WEIGHTS = {1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 25, 26}


def work(model: Any, fed: Mapping[str, Shape]) -> list[Work]:
    """Every node, constants left out.

    Args:
        model: onnx's protobuf.
        fed: sizes of inputs that the file leaves open.
    """
    graph = model.graph
    known = {value.name: _stated(value) for value in (*graph.input, *graph.value_info)}
    known |= {value.name: _stated(value) for value in graph.output}
    return list(_of(graph, {**known, **fed}, {}, looped=False))


def shaped(model: Any, fed: Mapping[str, Shape]) -> bytes:
    """The model with these sizes of its inputs, and none of its inner values."""
    made = type(model)()
    made.CopyFrom(model)
    del made.graph.value_info[:]
    for value in made.graph.input:
        if value.name in fed:
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            for size in fed[value.name]:
                dims.dim.add().dim_value = size
    raw: bytes = made.SerializeToString()
    return raw


def _stated(value: Any) -> Shape | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    sizes = tuple(one.dim_value for one in tensor.shape.dim)
    stated = all(one.HasField("dim_value") and one.dim_value >= 0 for one in tensor.shape.dim)
    return sizes if stated else None


def _of(
    graph: Any, known: Mapping[str, Shape | None], held: Mapping[str, Any], *, looped: bool
) -> Iterator[Work]:
    held = {**held, **{one.name: one for one in graph.initializer}}
    known = (
        {**known, **{v.name: _stated(v) for v in (*graph.input, *graph.value_info)}}
        if looped
        else known
    )
    taken: set[str] = set()
    for node in graph.node:
        if node.op_type == "Constant":
            held.update((node.output[0], one.t) for one in node.attribute if one.name == "value")
            continue
        for one in inner(node):
            yield from _of(one, known, held, looped=True)
        macs = _macs(node, known, held)
        if macs and looped:
            macs = None  # which branch, or how many rounds, is not known
        tensors = [held[name] for name in node.input if name in held]
        fresh = [one for one in tensors if one.name not in taken]
        taken.update(one.name for one in fresh)
        weights = [one for one in fresh if len(one.dims) and one.data_type in _WEIGHTS]
        yield Work(
            next(iter(node.output), node.name), node.op_type, _module(node, weights), macs,
            sum(max(prod(one.dims), 0) for one in weights), sum(map(_bytes, fresh)),
            tuple(one.name for one in tensors), node.name,
        )  # fmt: skip


def _bytes(tensor: Any) -> int:
    bits: int = max(prod(tensor.dims), 0) * _BITS.get(tensor.data_type, 32)
    return -(-bits // 8)


def _module(node: Any, weights: list[Any]) -> str:
    """As lading wrote it, else the weight's name without its last part."""
    noted = next((one.value for one in node.metadata_props if one.key == MODULE_KEY), "")
    named = next((one.name for one in weights if "::" not in one.name), "")
    return noted or named.rpartition(".")[0] or (named and node.name) or ""


def _macs(node: Any, known: Mapping[str, Shape | None], held: Mapping[str, Any]) -> int | None:
    if node.domain not in ("", "ai.onnx"):
        return None  # what another domain's operation computes is its own affair
    rule = _RULES.get(node.op_type)
    if rule is None:
        return 0

    def size(place: int) -> Shape:
        name = node.output[0] if place < 0 else node.input[place]
        found = tuple(held[name].dims) if name in held else known.get(name)
        if found is None:
            raise LookupError(name)
        return found

    try:
        return rule(node, size)
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        return None


def _told(node: Any, name: str) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), 0)


def _gemm(node: Any, size: Size) -> int:
    return rules.matmul(size(-1), size(0)[0 if _told(node, "transA") else 1])


def _einsum(node: Any, size: Size) -> int:
    shapes = [size(place) for place in range(len(node.input))]
    return rules.einsum(_told(node, "equation").decode(), shapes)


def _attention(node: Any, size: Size) -> int:
    """Of rank 4 ``[N, heads, L, E]``, of rank 3 ``[N, L, heads · E]``; heads of keys and values may
    be fewer, each then read by several of the queries; keys of earlier calls are read too."""
    query, key, value = size(0), size(1), size(2)
    if len(query) == 3:
        heads, shared = _told(node, "q_num_heads"), _told(node, "kv_num_heads")
        query = (query[0], heads, query[1], query[2] // heads)
        key, value = ((n, shared, length, wide // shared) for n, length, wide in (key, value))
    past = size(4)[-2] if len(node.input) > 4 and node.input[4] else 0
    return rules.attention(query, (*key[:-2], key[-2] + past, key[-1]), value)


#: By the node's type.
_RULES: dict[str, Callable[[Any, Size], int]] = {
    "Conv": lambda node, size: rules.conv(size(-1), size(1)),
    "ConvInteger": lambda node, size: rules.conv(size(-1), size(1)),
    "QLinearConv": lambda node, size: rules.conv(size(-1), size(3)),
    "ConvTranspose": lambda node, size: rules.conv_transpose(size(0), size(1)),
    "Gemm": _gemm,
    "MatMul": lambda node, size: rules.matmul(size(-1), size(0)[-1]),
    "MatMulInteger": lambda node, size: rules.matmul(size(-1), size(0)[-1]),
    "QLinearMatMul": lambda node, size: rules.matmul(size(-1), size(0)[-1]),
    "Einsum": _einsum,
    "Attention": _attention,
    "LSTM": lambda node, size: rules.recurrent(prod(size(0)[:2]), [size(1), size(2)]),
    "GRU": lambda node, size: rules.recurrent(prod(size(0)[:2]), [size(1), size(2)]),
    "RNN": lambda node, size: rules.recurrent(prod(size(0)[:2]), [size(1), size(2)]),
}
