"""From a module to a graph: `torch.export`, the same taken apart into core ATen, `torch.jit.trace`.

Every value keeps the module path that made it. In an exported graph the path stands where torch
writes the stack trace: that field is what coremltools carries along, and a module path says more
to a reader than file names of somebody's computer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch

from lading.conversion.spelling import spelled
from lading.errors import CaptureError
from lading.interface import Interface
from lading.network.through import takes_any_number
from lading.record import Port, Route
from lading.task import letters

#: Axes that stay open in the graph: any of "batch", "size".
Axes = frozenset[str]
CLOSED: Axes = frozenset()


@dataclass(frozen=True)
class Captured:
    """A graph taken from a module.

    Attributes:
        route: how it was taken.
        interface: what it was taken from.
        axes: which axes were left open.
        exported: the exported program (routes ``"export"`` and ``"decomposed"``), else None.
        traced: the traced module (route ``"trace"``), else None.
        shapes: what was said to torch.export of open axes.
    """

    route: Route
    interface: Interface
    axes: Axes = CLOSED
    exported: torch.export.ExportedProgram | None = None
    traced: torch.jit.ScriptModule | None = None
    shapes: Any = None


def capture(interface: Interface, route: Route, axes: Axes = CLOSED) -> Captured:
    """Takes the graph of `interface.module` in inference mode; the module is left as it was.

    Args:
        interface: the wrapped network.
        route: ``"export"``; ``"decomposed"``, the same in core ATen's operations alone, which a
            converter knows better; or ``"trace"``.
        axes: which axes stay open. Only the export route needs to be told: a trace follows
            whatever sizes arrive.

    Raises:
        CaptureError: the route cannot take this module; the message holds torch's own reason.
    """
    sizes = letters.traced(interface.inputs) if route != "trace" else {}
    example = interface.example(2 if "batch" in axes else 1, sizes=sizes)
    arguments = tuple(example.values())
    try:
        with torch.no_grad():
            if route == "trace":
                # No re-check: it would run the same code twice and compare it with itself; the
                # converted file is compared with the original instead.
                traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                    interface.module, arguments, check_trace=False
                )
                return Captured(route, interface, axes, traced=traced)
            shapes: tuple[Any, ...] = tuple(_open(port, axes) or None for port in interface.inputs)
            open_ones = any(shapes)
            one = takes_any_number(interface.module)  # all of them are one parameter
            given = (shapes,) if one else shapes
            exported = torch.export.export(
                interface.module, arguments, dynamic_shapes=given if open_ones else None
            )
            _require_known(exported)
            if interface.states:  # what is written in place is spelled as what is not
                exported = exported.run_decompositions({})
                if route == "decomposed":  # before nothing is left of it
                    exported = spelled(exported, shapes if open_ones else None)
            if route == "decomposed":
                exported = exported.run_decompositions()
    except Exception as error:  # torch raises many kinds here; each is "this route cannot"
        raise CaptureError(
            f"{type(interface.module).__name__} by {route}",
            found=innermost(error),
            expected="a module whose forward can be followed for any values of its inputs",
            remedy="try the other route, or change the line that is named",
        ) from error
    return Captured(route, interface, axes, exported=exported, shapes=shapes if open_ones else None)


def _require_known(exported: torch.export.ExportedProgram) -> None:
    """Passes only a graph that changes no buffer: those that a call was seen to change are its
    inputs and outputs, and another would be changed in no file.

    Raises:
        ValueError: it changes one.
    """
    signature = exported.graph_signature
    changed = [*signature.buffers_to_mutate.values()]
    for node in exported.graph.nodes:  # a program that was not taken apart writes in place
        schema = getattr(node.target, "_schema", None)
        if node.op == "call_function" and schema is not None and schema.is_mutable and node.args:
            written = node.args[0]
            while getattr(getattr(written, "target", None), "is_view", False):
                written = written.args[0]
            name = signature.inputs_to_buffers.get(getattr(written, "name", ""))
            changed += [name] if name else []
    if changed:
        raise ValueError(
            f"it changes {', '.join(dict.fromkeys(changed))}, which no call that was tried changed"
        )


def _open(port: Port, axes: Axes) -> dict[int, Any]:
    """The port's open axes as `torch.export` wants them.

    Sizes that must be multiples of a step are written ``step · n``, so that the exporter can prove
    that skip connections meet.
    """
    if port.letters:
        return {
            axis: torch.export.Dim(letter, min=low, max=high)
            for axis, (letter, (low, high)) in enumerate(
                zip(port.letters, port.ranges, strict=True))
            if letter
        }  # fmt: skip
    batch = {0: torch.export.Dim("batch", min=1)} if "batch" in axes else {}
    return {**batch, **(_size_axes(port) if "size" in axes else {})}


def _size_axes(port: Port) -> dict[int, Any]:
    axes: dict[int, Any] = {}
    for axis in range(2, len(port.shape)):
        step = port.multiples[axis] if port.multiples else 1
        sizes = [port.shape[axis], *(shape[axis] for shape in port.enumerated)]
        sizes += port.ranges[axis] if port.ranges else ()
        if port.enumerated or port.ranges:
            if min(sizes) == max(sizes):
                continue
            dim = torch.export.Dim(f"n{axis}", min=min(sizes) // step, max=max(sizes) // step)
        else:
            dim = torch.export.Dim(f"n{axis}", min=1)
        axes[axis] = step * dim if step > 1 else dim
    return axes


def module_path(node: torch.fx.Node) -> str:
    """The path of the innermost module that made `node`, e.g. ``"network.encoder.stages.0"``."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return ""
    path = next(reversed(stack.values()))[0]
    return str(path).removeprefix("L['self'].")


def with_paths(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Puts each node's module path where its stack trace stood; returns the same program."""
    for node in program.graph.nodes:
        node.meta["stack_trace"] = module_path(node)
    return program


def innermost(error: BaseException) -> str:
    """What was wrong at the bottom of it: a converter's own words for that run over pages, and say
    how to report it."""
    while error.__cause__ is not None and str(error.__cause__).strip():
        error = error.__cause__
    lines = itertools.dropwhile(lambda line: not line, map(str.strip, str(error).splitlines()))
    return f"{type(error).__name__}: {next(lines, 'no message')}"[:300]
