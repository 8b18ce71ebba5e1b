"""ONNX, opset 18 or newer, in fp32: one file, the same names and shapes as the Core ML one."""

from __future__ import annotations

import ast
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lading.base.digests import of_path, size_of
from lading.conversion.capture import Axes, Captured
from lading.errors import ConversionError, ProgramError
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.record import ArtifactRecord, Port

#: Where a node keeps the module path that made it.
MODULE_KEY = "lading.module"
#: ONNX's numbers of the floating-point types that a network is computed in.
_FLOATS = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64"}
#: They copy, look up or change a type: nothing is rounded by them that is not told by another.
_NO_ARITHMETIC = {"Constant", "Cast", "CastLike", "Identity", "Shape"}
_AXIS_NAMES = {0: "batch", 2: "height", 3: "width", 4: "depth"}
#: An axis without an upper bound.
OPEN = 2**31 - 1
#: protobuf holds no more in one message
_ONE_FILE = 2_000_000_000


class ONNX:
    """See `lading.formats.Target`."""

    name = "onnx"
    suffix = ".onnx"

    def precision(self, settings: Settings) -> Precision:
        return "fp32"

    def axes(self, options: Options) -> Axes:
        sized = options.sizes.listed or options.sizes.ranges
        return frozenset({*options.dynamic, *(("size",) if sized else ())})

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        import onnx

        interface = captured.interface
        try:
            write = _from_trace if captured.exported is None else _from_export
            model = write(captured, settings)
            _tidy(model, settings)
            onnx.checker.check_model(model)
            written = next(one.version for one in model.opset_import if not one.domain)
            if written != settings.opset:
                raise ValueError(f"the exporter wrote opset {written}")
        except Exception as error:  # the exporter raises every kind; each is "it cannot"
            lines = str(error).strip().splitlines() or ["no message"]
            raise ConversionError(
                f"ONNX by {captured.route}",
                found=f"{type(error).__name__}: {lines[0]}"[:300],
                expected=f"a graph whose every operation ONNX opset {settings.opset} can say",
                remedy="try the other route (--route), or a newer --opset",
            ) from error
        if model.ByteSize() > _ONE_FILE:
            raise ConversionError(
                f"ONNX file {path.name}",
                found=f"{model.ByteSize():,} bytes",
                expected=f"at most {_ONE_FILE:,}, as one ONNX file can hold",
                remedy="convert to Core ML only (--to coreml)",
            )
        path.write_bytes(model.SerializeToString(deterministic=True))
        return ArtifactRecord(
            format=self.name,
            path=path.name,
            bytes=size_of(path),
            sha256=of_path(path),
            precision="fp32",
            inputs=tuple(as_tensor(port, captured.axes) for port in interface.inputs),
            outputs=tuple(as_tensor(port, captured.axes) for port in interface.outputs),
            route=captured.route,
            details={"opset": str(settings.opset), "converter": f"torch {torch.__version__}"},
        )

    def describe(self, path: Path) -> ArtifactRecord:
        import onnx

        try:
            model = onnx.load(str(path), load_external_data=False)
        except Exception as error:  # protobuf's own kinds
            raise ProgramError(
                str(path),
                found=str(error).splitlines()[0][:200],
                expected="an ONNX model",
                remedy="check the file, or convert again",
            ) from error
        counts = Counter(node.op_type for node in model.graph.node)
        precision, told = _precision(model)
        initial = {one.name for one in model.graph.initializer}
        return ArtifactRecord(
            format=self.name,
            path=str(path),
            bytes=size_of(path),
            sha256=of_path(path),
            precision=precision,
            inputs=tuple(_port(v) for v in model.graph.input if v.name not in initial),
            outputs=tuple(_port(v) for v in model.graph.output),
            route="export",
            details={
                "opset": ", ".join(
                    f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import
                ),
                "operations": ", ".join(f"{name} {n}" for name, n in counts.most_common()),
                **told,
                **{prop.key: prop.value for prop in model.metadata_props},
            },
        )


TARGET = ONNX()


def as_tensor(port: Port, axes: Axes) -> Port:
    """The port as ONNX has it: pictures arrive as the float array of their values, and axes that
    were left open take anything from one step up (within the sizes that were asked for).
    """
    plain = replace(port, kind="tensor", color=None) if port.kind == "image" else port
    if not axes:
        return plain
    spatial = range(
        port.class_axis + 1 if port.class_axis else _first_spatial(port), len(port.shape)
    )
    ranges = []
    for axis, size in enumerate(port.shape):
        if axis == 0 and "batch" in axes:
            ranges.append((1, OPEN))
        elif axis in spatial and "size" in axes:
            ranges.append(_sizes(port, axis))
        else:
            ranges.append((size, size))
    return replace(plain, ranges=tuple(ranges), enumerated=())


def _first_spatial(port: Port) -> int:
    return 1 if port.meaning == "labels" else 2


def _sizes(port: Port, axis: int) -> tuple[int, int]:
    if port.enumerated:
        sizes = [shape[axis] for shape in port.enumerated]
        return min(sizes), max(sizes)
    if port.ranges:
        return port.ranges[axis]
    return (port.multiples[axis] if port.multiples else 1), OPEN


def _from_export(captured: Captured, settings: Settings) -> Any:
    interface = captured.interface
    assert captured.exported is not None
    program = torch.onnx.export(
        captured.exported,
        dynamo=True,
        input_names=[port.name for port in interface.inputs],
        output_names=[port.name for port in interface.outputs],
        opset_version=settings.opset,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def _from_trace(captured: Captured, settings: Settings) -> Any:
    import onnx

    interface = captured.interface
    assert captured.traced is not None
    open_axes = [0] * ("batch" in captured.axes) + [2, 3, 4] * ("size" in captured.axes)
    rank = len(interface.inputs[0].shape)
    names = {axis: _AXIS_NAMES[axis] for axis in open_axes if axis < rank}
    buffer = io.BytesIO()
    torch.onnx.export(
        captured.traced,
        tuple(interface.example().values()),
        buffer,  # type: ignore[arg-type]  # documented; its type is narrower
        dynamo=False,
        input_names=[port.name for port in interface.inputs],
        output_names=[port.name for port in interface.outputs],
        opset_version=settings.opset,
        dynamic_axes={port.name: names for port in interface.inputs} if names else None,
    )
    return onnx.load_model_from_string(buffer.getvalue())


def _tidy(model: Any, settings: Settings) -> None:
    """Facts in; source paths of this computer, and all that varies between two runs, out."""
    model.producer_name = "lading"
    model.producer_version = settings.facts.get("lading.version", "")
    model.doc_string = settings.description
    del model.metadata_props[:]
    facts = {"author": settings.author, "license": settings.license, **settings.facts}
    for key, value in facts.items():
        if value:
            model.metadata_props.add(key=key, value=value)
    graph = model.graph
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del value.metadata_props[:]
    for node in graph.node:
        path = _module_of(node)
        del node.metadata_props[:]
        node.doc_string = ""
        if path:
            node.metadata_props.add(key=MODULE_KEY, value=path)


def _module_of(node: Any) -> str:
    """The module path that the exporter noted on a node; empty where it noted none."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            scopes = ast.literal_eval(prop.value)
            return str(scopes[-2]) if len(scopes) > 1 else ""
    return ""


def _precision(model: Any) -> tuple[Precision, dict[str, str]]:
    """What the file computes in and stores: fp16 where any value or weight is half precision, and
    how much of each, in words.

    The types of the values between are inferred (`onnx.shape_inference`); one that nobody can
    infer, of an operation that ONNX does not know, says nothing.
    """
    import onnx

    stored: Counter[str] = Counter()
    for tensor in _stored(model.graph):
        name = _FLOATS.get(tensor.data_type)
        if name:
            stored[name] += math.prod(tensor.dims)
    computed: Counter[str] = Counter()
    try:
        typed = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # of many kinds, for a graph that is not sound: the runtime says so better
        typed = model.graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.output)}
    for node in model.graph.node:
        if node.op_type not in _NO_ARITHMETIC:
            names = {_FLOATS.get(types.get(output, 0), "") for output in node.output}
            computed.update(names - {""})
    ends = {_FLOATS.get(v.type.tensor_type.elem_type, "") for v in (*typed.input, *typed.output)}
    told: dict[str, str] = {}
    if stored:
        told["weights"] = ", ".join(f"{n:,} in {name}" for name, n in stored.most_common())
    half = {"fp16", "bf16"} & {*stored, *computed, *ends}
    if half and computed:
        many = ", ".join(f"{n} operations in {name}" for name, n in computed.most_common())
        told["precision"] = f"mixed: {many}" if len(computed) > 1 else many
    return ("fp16" if half else "fp32"), told


def _stored(graph: Any) -> Iterator[Any]:
    """Every tensor that the file holds, those of branches and loops included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield attribute.t
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _stored(inner)


def _port(value: Any) -> Port:
    """A graph input or output; open axes have the size -1."""
    import onnx

    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    sizes = (d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    return Port(value.name, "tensor", dtype, tuple(sizes))
