"""The constants that an artifact holds, read from the file; nothing is run.

One record per constant, whatever the format: initialisers and constant nodes of ONNX, constants
and packed weights of an ML Program, weight fields of a NeuralNetwork `.mlmodel` (flat: that format
leaves shapes to the layers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.coreml import is_network
from lading.coreml.mil.description import specification
from lading.errors import ProgramError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Held:
    """One constant.

    Attributes:
        name: in the artifact.
        values: as declared; for a packed weight, unpacked.
        dtype: numpy's name of the declared element type.
        reader: the operation that reads it, e.g. ``"conv"``; empty where several do or none.
        packed: how it is compressed, e.g. ``"constexpr_lut_to_dense"``; empty where it is plain.
        step: of a linear grid, its spacing, broadcastable to `values`; None without one.
    """

    name: str
    values: Array
    dtype: str
    reader: str = ""
    packed: str = ""
    step: Array | None = None


def constants(path: Path) -> list[Held]:
    """Every constant of the artifact, in the file's order.

    Args:
        path: an `.onnx`, `.mlpackage` or `.mlmodel`.

    Raises:
        ProgramError: the file cannot be read.
    """
    if path.suffix.lower() == ".onnx":
        return list(_of_onnx(path))
    if is_network(path):
        return list(_of_network(path))
    return list(_of_program(path))


# ---------------------------------------------------------------------------------------- ONNX
def _of_onnx(path: Path) -> Iterator[Held]:
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's own kinds
        raise ProgramError(
            str(path),
            found=str(error).splitlines()[0][:200],
            expected="an ONNX model",
            remedy="check the file, or convert again",
        ) from error
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    stored = {one.name: one for one in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                stored[node.output[0]] = attribute.t
    arrays = {name: numpy_helper.to_array(one, str(path.parent)) for name, one in stored.items()}
    inside: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(n in arrays for n in node.input if n):
            yield _dequantized(node, arrays)
            inside.update(node.input)
    whole = {value.name for value in graph.output}
    nested = any(one.HasField("g") or one.graphs for node in graph.node for one in node.attribute)
    for name, array in arrays.items():
        # an initialiser that nothing reads carries nothing, whatever lies in it
        if name not in inside and (name in readers or name in whole or nested):
            kinds = {node.op_type for node in readers.get(name, ())}
            yield Held(name, array, str(array.dtype), kinds.pop() if len(kinds) == 1 else "")


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


# ------------------------------------------------------------------------------------ ML Program
def _of_program(path: Path) -> Iterator[Held]:
    from lading.coreml import mil

    for model in _leaves(mil.load(path)):
        for function in model.program.functions.values():
            readers: dict[str, set[str]] = {}
            operations = list(function.block.walk())
            for op in operations:
                for bindings in op.inputs.values():
                    for one in bindings:
                        if isinstance(one, str):
                            readers.setdefault(one, set()).add(op.type)
            for op in operations:
                if op.type.startswith("constexpr_"):
                    yield from _unpacked(model, op, readers)
                    continue
                if op.type == "const":
                    name, literals = op.outputs[0].name, [op.attributes.get("val")]
                    kinds = readers.get(name, set())
                    if kinds and all(kind.startswith("constexpr_") for kind in kinds):
                        continue
                else:
                    name, kinds = op.outputs[0].name if op.outputs else op.name, {op.type}
                    literals = [b for many in op.inputs.values() for b in many]
                for literal in literals:
                    if literal is None or isinstance(literal, str):
                        continue
                    if isinstance(literal.data, np.ndarray):
                        reader = next(iter(kinds)) if len(kinds) == 1 else ""
                        yield Held(name, literal.data, literal.type.dtype, reader)


def _leaves(model: Any) -> list[Any]:
    return [leaf for part in model.parts for leaf in _leaves(part)] if model.parts else [model]


def _unpacked(model: Any, op: Any, readers: dict[str, set[str]]) -> Iterator[Held]:
    """A packed weight; an inner stage of one that is packed twice is not shown."""
    for value in op.outputs:
        kinds = readers.get(value.name, set())
        if kinds and all(kind.startswith("constexpr_") for kind in kinds):
            continue
        decoded = model.constant(value.name)
        step = None
        scale = op.inputs.get("scale") or op.attributes.get("scale")
        if scale is not None and not op.type.startswith("constexpr_sparse"):
            scale = scale[0] if isinstance(scale, tuple) else scale
            array = model.constant(scale) if isinstance(scale, str) else np.asarray(scale.data)
            step = _spread(np.abs(array.astype(np.float32)), decoded.shape, op)
        reader = next(iter(kinds)) if len(kinds) == 1 else ""
        yield Held(value.name, decoded, value.type.dtype, reader, op.type, step)


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


# --------------------------------------------------------------------------------- NeuralNetwork
def _of_network(path: Path) -> Iterator[Held]:
    spec = specification(path)
    kind = spec.WhichOneof("Type")
    network = getattr(spec, kind or "", None)
    if network is None or not hasattr(network, "layers"):
        raise ProgramError(
            str(path),
            found=f"a model of type {kind}",
            expected="an ML Program or a neural network",
            remedy="give the file of the network",
        )
    for layer in network.layers:
        inner = getattr(layer, layer.WhichOneof("layer") or "name")
        if not isinstance(inner, str):
            yield from _weights(inner, layer.name, layer.WhichOneof("layer"))


def _weights(message: Any, name: str, reader: str) -> Iterator[Held]:
    """The weight fields of a layer, however deep."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        repeated = not hasattr(value, "ListFields")
        for number, one in enumerate(value if repeated else [value]):
            if not hasattr(one, "ListFields"):
                continue
            place = f"{name}.{field.name}" + (f"[{number}]" if repeated else "")
            if field.message_type.name == "WeightParams":
                held = _weight(one, place, reader)
                if held is not None:
                    yield held
            else:
                yield from _weights(one, place, reader)


def _weight(weight: Any, name: str, reader: str) -> Held | None:
    if weight.floatValue:
        return Held(name, np.asarray(weight.floatValue, np.float32), "float32", reader)
    if weight.float16Value:
        return Held(name, np.frombuffer(weight.float16Value, "<f2"), "float16", reader)
    raw = weight.rawValue or weight.int8RawValue
    if not raw:
        return None
    bits = int(weight.quantization.numberOfBits) or 8
    ones = np.unpackbits(np.frombuffer(raw, np.uint8))
    count = len(ones) // bits
    places = (1 << np.arange(bits)[::-1]).astype(np.int64)
    numbers = ones[: count * bits].reshape(count, bits) @ places
    table = np.asarray(weight.quantization.lookupTableQuantization.floatValue, np.float32)
    if table.size:
        return Held(name, table[numbers], "float32", reader, f"table of {table.size}")
    linear = weight.quantization.linearQuantization
    scale = np.asarray(linear.scale, np.float32)
    if not scale.size or count % scale.size:
        return None
    rows = numbers.reshape(scale.size, -1).astype(np.float32) * scale[:, None]
    if len(linear.bias) == scale.size:
        rows = rows + np.asarray(linear.bias, np.float32)[:, None]
    step = np.broadcast_to(np.abs(scale)[:, None], rows.shape).reshape(-1)
    return Held(name, rows.reshape(-1), "float32", reader, f"{bits} bits, linear", step)
