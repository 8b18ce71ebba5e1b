"""What Apple's loader refuses although the program is sound.

`lading.coreml.mil` runs what the program says; a device first has to load it. These limits are not
in coremltools' documentation of the operations, or are there and nobody checks them: each is known
from a report with its address, with the loader's own message. A file that breaks one is of no use,
whatever numbers it gives here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.program import Binding, Constant, Function, Op, ValueType

_COREMLTOOLS = "https://github.com/apple/coremltools/"
_EXECUTORCH = "https://github.com/pytorch/executorch/issues/"
#: Axes that any value may have.
MOST_AXES = 5
#: Operations whose int32 form has no implementation where one side is a weight.
_PRODUCTS = ("linear", "matmul")


@dataclass(frozen=True)
class _Function:
    """What rules look at: a function, its constants by name, the types of its values."""

    function: Function
    operations: tuple[Op, ...]
    constants: Mapping[str, Constant]
    types: Mapping[str, ValueType]

    def bound(self, op: Op, name: str) -> Binding | None:
        many = op.inputs.get(name, ())
        return many[0] if len(many) == 1 else None

    def constant(self, op: Op, name: str) -> Constant | None:
        one = self.bound(op, name)
        return self.constants.get(one) if isinstance(one, str) else one

    def shape(self, op: Op, name: str) -> tuple[int | None, ...] | None:
        one = self.bound(op, name)
        kind = self.types.get(one) if isinstance(one, str) else one.type if one else None
        return kind.shape if kind else None


Rule = Callable[[_Function], Iterator[tuple[str, str]]]


@dataclass(frozen=True)
class Limit:
    """A limit of the loader's.

    Attributes:
        name: of it, in a few words.
        reports: addresses.
        rule: the operations that break it, each with how.
    """

    name: str
    reports: tuple[str, ...]
    rule: Rule


def _name(op: Op) -> str:
    return op.outputs[0].name if op.outputs else op.name


def _padded(at: _Function) -> Iterator[tuple[Op, str, list[tuple[int, int]], int]]:
    """Every padding by reflection or replication: its mode, its amounts for the last axes, rank."""
    for op in at.operations:
        mode, amounts = at.constant(op, "mode"), at.constant(op, "pad")
        rank = len(at.shape(op, "x") or ())
        if op.type != "pad" or mode is None or amounts is None or not rank:
            continue
        word = str(mode.plain())
        flat = [int(n) for n in np.asarray(amounts.data).reshape(-1)]
        if word != "constant":
            yield op, word, list(zip(flat[::2], flat[1::2], strict=True)), rank


def _outer_padding(at: _Function) -> Iterator[tuple[str, str]]:
    for op, mode, pairs, rank in _padded(at):
        axes = [rank - len(pairs) + i for i, pair in enumerate(pairs[:-2]) if any(pair)]
        if axes:
            yield _name(op), f"{mode} padding of axis {axes[0]} of {rank}"


def _far_padding(at: _Function) -> Iterator[tuple[str, str]]:
    for op, mode, pairs, rank in _padded(at):
        shape = at.shape(op, "x") or ()
        for size, pair in zip(shape[rank - len(pairs) :], pairs, strict=True):
            if size is not None and max(pair) > size - (mode == "reflect"):
                yield _name(op), f"{mode} padding by {max(pair)} of an axis of {size}"


def _ranks(at: _Function) -> Iterator[tuple[str, str]]:
    for op in at.operations:
        for value in op.outputs:
            if op.type != "const" and len(value.type.shape or ()) > MOST_AXES:
                yield value.name, f"{len(value.type.shape or ())} axes"


def _empty(at: _Function) -> Iterator[tuple[str, str]]:
    for op in at.operations:
        for value in op.outputs:
            real = op.type != "const" and value.type.dtype.startswith("float")
            if real and 0 in (value.type.shape or ()):
                yield value.name, f"no element: shape {value.type}"


def _whole_products(at: _Function) -> Iterator[tuple[str, str]]:
    for op in at.operations:
        whole = op.type in _PRODUCTS and op.outputs[0].type.dtype == "int32"
        if whole and any(at.constant(op, name) is not None for name in ("weight", "x", "y")):
            yield _name(op), f"an int32 {op.type} with a constant"


def _no_input(at: _Function) -> Iterator[tuple[str, str]]:
    if not at.function.inputs:
        yield at.function.name, "no input"


def _passed_through(at: _Function) -> Iterator[tuple[str, str]]:
    names = {value.name for value in at.function.inputs}
    for name in at.function.block.outputs:
        if name in names:
            yield name, "an output that is an input"


#: Every limit. The addresses were looked up, each thread read.
TABLE = (
    Limit(
        "padding other than constant only along the last two axes",
        (
            _COREMLTOOLS + "issues/2576", _COREMLTOOLS + "issues/2571",
            _COREMLTOOLS + "pull/2701", _EXECUTORCH + "11708", _EXECUTORCH + "11709",
        ),
        _outer_padding,
    ),
    Limit(
        "reflection by less than an axis has, replication by no more than it has",
        ("https://github.com/webmachinelearning/webnn/issues/739",),
        _far_padding,
    ),
    Limit(
        f"at most {MOST_AXES} axes",
        (_COREMLTOOLS + "issues/1723", _EXECUTORCH + "11694"),
        _ranks,
    ),
    Limit(
        "no value without elements",
        ("https://github.com/microsoft/onnxruntime/issues/23262", _COREMLTOOLS + "issues/1635"),
        _empty,
    ),
    Limit("no product of int32 with a weight", (_EXECUTORCH + "11691",), _whole_products),
    Limit("at least one input", (_EXECUTORCH + "11719",), _no_input),
    Limit(
        "names of its own for every output", (_COREMLTOOLS + "issues/2184",), _passed_through
    ),
)  # fmt: skip


#: Of an opset, the oldest version of the specification that may hold it.
SPECIFICATION = {"CoreML5": 6, "CoreML6": 7, "CoreML7": 8, "CoreML8": 9, "CoreML9": 10}


def broken(model: mil.Model) -> str:
    """What of a program, or of a pipeline of them, the loader refuses, in words; empty if nothing.

    Args:
        model: the program.
    """
    for part in model.leaves:
        for function in part.program.functions.values():
            found = _outdated(function, part.specification) or _broken(function)
            if found:
                return found
    return ""


def _outdated(function: Function, version: int) -> str:
    least = SPECIFICATION.get(function.opset, 0)
    if version >= least:
        return ""
    return (
        f"Core ML does not load it: specification version {version} holds no {function.opset}, "
        f"which needs {least}; {_COREMLTOOLS}issues/2283"
    )


def _broken(function: Function) -> str:
    operations = tuple(function.block.walk())
    at = _Function(
        function,
        operations,
        {
            op.outputs[0].name: op.attributes["val"]
            for op in operations
            if op.type == "const" and "val" in op.attributes
        },
        {v.name: v.type for op in operations for v in op.outputs}
        | {value.name: value.type for value in function.inputs},
    )
    for limit in TABLE:
        for name, how in limit.rule(at):
            where = f"{name}: {how}"
            return f"Core ML does not load it: {limit.name} ({where}); {limit.reports[0]}"
    return ""
