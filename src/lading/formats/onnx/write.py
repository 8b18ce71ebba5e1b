"""Writing ONNX: one file, the same names and shapes as the Core ML one."""

from __future__ import annotations

import ast
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lading.base.digests import of_path, size_of
from lading.base.memory import give_back
from lading.conversion.capture import Axes, Captured, innermost
from lading.conversion.spelling import spelled
from lading.errors import ConversionError
from lading.formats.onnx import memory, pieces
from lading.formats.onnx.gelu import reorder
from lading.formats.onnx.graph import MODULE_KEY
from lading.formats.onnx.lifted import lift
from lading.interface.memory import apart
from lading.interface.settings import Settings
from lading.record import ArtifactRecord, Port

_AXIS_NAMES = {0: "batch", 2: "height", 3: "width", 4: "depth"}
#: An axis without an upper bound.
OPEN = 2**31 - 1
#: protobuf holds no more in one message
_ONE_FILE = 2_000_000_000


def convert(captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
    """See `lading.formats.Format.convert`."""
    import onnx

    interface = captured.interface
    try:
        write = _from_trace if captured.exported is None else _from_export
        model = write(captured, settings)
        told = _faster(model)
        _tidy(model, settings)
        memory.keep(model, interface.states)
        written = next(one.version for one in model.opset_import if not one.domain)
        if written != settings.opset:
            raise ValueError(f"the exporter wrote opset {written}")
    except Exception as error:  # the exporter raises every kind; each is "it cannot"
        raise _cannot(captured, settings, error) from error
    pieces.write(model, path)  # what the disk says is no matter of the graph's
    del model  # before the checker has its own
    give_back()
    size = size_of(path)
    if size <= _ONE_FILE:
        try:
            onnx.checker.check_model(str(path))
        except Exception as error:  # the checker's kinds too
            path.unlink()
            raise _cannot(captured, settings, error) from error
    if size > _ONE_FILE:
        path.unlink()
        raise ConversionError(
            f"ONNX file {path.name}",
            found=f"{size:,} bytes",
            expected=f"at most {_ONE_FILE:,}, as one ONNX file can hold",
            remedy="convert to Core ML only (--to coreml)",
        )
    give_back()
    return ArtifactRecord(
        format="onnx",
        path=path.name,
        bytes=size_of(path),
        sha256=of_path(path),
        precision="fp32",
        inputs=tuple(as_tensor(port, captured.axes) for port in apart(interface)[0]),
        outputs=tuple(as_tensor(port, captured.axes) for port in apart(interface)[1]),
        route=captured.route,
        details={
            "opset": str(settings.opset),
            "converter": f"torch {torch.__version__}",
            **told,
        },
        states=tuple(kept.state for kept in interface.states),
    )


def _cannot(captured: Captured, settings: Settings, error: Exception) -> ConversionError:
    return ConversionError(
        f"ONNX by {captured.route}",
        found=innermost(error),
        expected=f"a graph whose every operation ONNX opset {settings.opset} can say",
        remedy="try the other route (--route), or a newer --opset",
    )


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
    exported = captured.exported
    if captured.route == "decomposed":
        exported = spelled(exported, captured.shapes)
    program = torch.onnx.export(
        exported,
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
    named = {port.name: names for port in interface.inputs} if names else {}
    for port in interface.inputs:
        own = {axis: letter for axis, letter in enumerate(port.letters) if letter}
        named |= {port.name: own} if own else {}
    buffer = io.BytesIO()
    torch.onnx.export(
        captured.traced,
        tuple(interface.example().values()),
        buffer,  # type: ignore[arg-type]  # documented; its type is narrower
        dynamo=False,
        input_names=[port.name for port in interface.inputs],
        output_names=[port.name for port in interface.outputs],
        opset_version=settings.opset,
        dynamic_axes=named or None,
    )
    return onnx.load_model_from_string(buffer.getvalue())


def _faster(model: Any) -> dict[str, str]:
    """Writes what ONNX Runtime is slow with in another form; what it wrote so, for the bill."""
    counts = {
        "1-D convolutions": (lift(model), "written as 2-D ones of one row"),
        "GELU": (reorder(model.graph), "the half of each last"),
    }
    return {what: f"{count}, {how}" for what, (count, how) in counts.items() if count}


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
