"""What an ONNX file says of itself: read from its messages alone, by no runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from lading.formats.onnx.graph import graphs, inner, tensors
from lading.interface.settings import Precision
from lading.record import Port
from lading.record.text import LFS_POINTER

#: ONNX's numbers of the types that a network is computed and stored in. Whole numbers of 32 and 64
#: bits are shapes and places.
_FLOATS = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64"}
_WEIGHTS = {
    **_FLOATS, 2: "uint8", 3: "int8", 17: "fp8", 18: "fp8", 19: "fp8", 20: "fp8", 21: "uint4",
    22: "int4", 23: "fp4", 24: "fp8", 25: "uint2", 26: "int2",
}  # fmt: skip
#: They copy, look up or change a type: nothing is rounded by them that another does not show.
_NO_ARITHMETIC = {"Constant", "Cast", "CastLike", "Identity", "Shape"}
_MOST = 2**63 - 1


def described(model: Any, folder: Path) -> tuple[Precision, dict[str, str]]:
    """What a model computes in (fp16 where any value or weight is half precision), and the rest in
    words: opsets, operations with those of branches, loops and functions, weights by type, and what
    of them is not there.

    Args:
        model: the file's message, weights outside it not loaded.
        folder: where it lies.
    """
    nodes = Counter(node.op_type for graph in graphs(model.graph) for node in graph.node)
    for function in model.functions:
        nodes.update(node.op_type for graph in graphs(function) for node in graph.node)
    outside = lru_cache(maxsize=None)(partial(_outside, folder))
    stored: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for tensor in (*tensors(model.graph), *(t for one in model.functions for t in tensors(one))):
        if tensor.data_type in _WEIGHTS:
            stored[_WEIGHTS[tensor.data_type]] += _count(tensor)
        missing.update(_missing(tensor, outside))
    computed = _computed(model)
    ends = (value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output))
    half = {"fp16", "bf16"} & {*stored, *computed, *(_FLOATS.get(one, "") for one in ends)}
    many = ", ".join(f"{n} operations in {name}" for name, n in computed.most_common())
    details = {
        "opset": ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import),
        "operations": ", ".join(f"{name} {n}" for name, n in nodes.most_common()),
        "functions": ", ".join(f"{one.domain}.{one.name}" for one in model.functions),
        "weights": ", ".join(f"{n:,} in {name}" for name, n in stored.most_common() if n),
        "missing": ", ".join(f"{n:,} tensors {where}" for where, n in missing.most_common()),
        "precision": "" if not half else f"mixed: {many}" if len(computed) > 1 else many,
    }
    return ("fp16" if half else "fp32"), {name: text for name, text in details.items() if text}


def port(value: Any) -> Port:
    """A graph input or output; open axes have the size -1, and what is no tensor no shape."""
    kind = value.type.WhichOneof("value") or "tensor_type"
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return Port(value.name, "tensor", kind.removesuffix("_type"), ())
    tensor = getattr(value.type, kind)
    sizes = (d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    return Port(
        value.name, "tensor", _type_name(tensor.elem_type), tuple(max(n, -1) for n in sizes)
    )


def _type_name(number: int) -> str:
    """numpy's name of an element type, or ONNX's, or its number where neither knows it."""
    import onnx

    if number not in onnx.TensorProto.DataType.values() or not number:
        return f"type {number}"
    if number == onnx.TensorProto.STRING:
        return "string"
    return str(onnx.helper.tensor_dtype_to_np_dtype(number).name)


# ------------------------------------------------------------------------------- what is stored
def _count(tensor: Any) -> int:
    count = 1
    for size in tensor.dims:
        count = min(count * max(size, 0), _MOST)
    return count


def _missing(tensor: Any, outside: Callable[[str], str]) -> Iterator[str]:
    """Where a tensor's numbers ought to be and are not."""
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        told = {entry.key: entry.value for entry in tensor.external_data}
        name = told.get("location", "")
        state = outside(name)
        if state:
            yield f"in {name[:200] or 'no file'}, {state}"
    elif (
        _count(tensor)
        and not tensor.raw_data
        and not any(
            entry.name.endswith("_data") and entry.name != "external_data"
            for entry, _ in tensor.ListFields()
        )
    ):
        yield "of which only the shape is there"


def _outside(folder: Path, name: str) -> str:
    """What is wrong with a file of weights; empty where nothing is."""
    try:
        place = (folder / name).resolve()
        if not name or not place.is_relative_to(folder.resolve()):
            return "which is outside the model's folder"
        if not place.is_file():
            return "which is not there"
        with place.open("rb") as file:
            pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
        return "which is a Git LFS pointer: git lfs pull" if pointer else ""
    except (OSError, ValueError, RuntimeError):
        return "which is no path"


# ------------------------------------------------------------------------------ what is computed
def _computed(model: Any) -> Counter[str]:
    """How many operations give each floating-point type.

    Types are carried from a node's inputs to its outputs by the operations' own schemas, in the
    order of the file; shapes are of no matter. What a function of the model gives, or an operation
    that ONNX does not know, is known only where the file says it.
    """
    versions = {one.domain: one.version for one in model.opset_import}
    found: Counter[str] = Counter()
    _carry(model.graph, {}, versions, found)
    return found


def _carry(
    graph: Any, outer: Mapping[str, int], versions: Mapping[str, int], found: Counter[str]
) -> list[int]:
    """Counts in `found` what the nodes of a graph give; the types of its outputs."""
    types = dict(outer)
    types.update((one.name, one.data_type) for one in graph.initializer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.elem_type:
            types[value.name] = value.type.tensor_type.elem_type
    for node in graph.node:
        held = [_carry(one, types, versions, found) for one in inner(node)]
        for name, kind in zip(node.output, _given(node, types, versions, held), strict=False):
            if kind and name:
                types.setdefault(name, kind)
        if node.op_type not in _NO_ARITHMETIC:
            found.update({_FLOATS.get(types.get(name, 0), "") for name in node.output} - {""})
    return [types.get(value.name, 0) for value in graph.output]


def _given(
    node: Any, types: Mapping[str, int], versions: Mapping[str, int], inner: list[list[int]]
) -> list[int]:
    """The types of a node's outputs, 0 where nothing says."""
    if inner:
        return inner[0][1:] if node.op_type == "Loop" else inner[0]
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype", "output_dtype") and attribute.i:
            return [attribute.i]
        if attribute.name == "value" and attribute.HasField("t"):
            return [attribute.t.data_type]
    takes, gives = _schema(node.op_type, node.domain, versions.get(node.domain, 1))
    known: dict[str, int] = {}
    for place, name in enumerate(node.input):
        if takes and types.get(name):
            known.setdefault(takes[min(place, len(takes) - 1)], types[name])
    return [
        known.get(word, _fixed().get(word, 0))
        for word in (
            gives[min(place, len(gives) - 1)] for place in range(len(node.output)) if gives
        )
    ]


@lru_cache(maxsize=4096)
def _schema(name: str, domain: str, version: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words for the types that an operation takes and gives; empty of one that is not known."""
    from onnx import defs

    try:
        schema = defs.get_schema(name, min(max(version, 1), 1000), domain)
    except Exception:  # SchemaError, which has no public name
        return (), ()
    return tuple(i.type_str for i in schema.inputs), tuple(o.type_str for o in schema.outputs)


@lru_cache(maxsize=1)
def _fixed() -> dict[str, int]:
    """The number of each type that schemas spell out: ``"tensor(float)"``."""
    from onnx import TensorProto

    return {f"tensor({name.lower()})": number for name, number in TensorProto.DataType.items()}
