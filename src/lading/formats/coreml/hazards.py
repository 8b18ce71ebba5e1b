"""What is known to go wrong on devices although the graph is right.

The verifier runs the program that the file holds; it cannot run a phone. These are reports by
others, each with its address, looked for in an artifact's operations. One that applies is no
verdict: it says where to look first when a device disagrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.program import Constant, Op
from lading.record import ArtifactRecord, Hazard

_ISSUES = "https://github.com/apple/coremltools/issues/"
#: Elements of a rank-5 value beyond which a 3-D convolution is large: 128 cubed.
LARGE = 128**3
#: Positions named in one hazard.
NAMED = 20


@dataclass(frozen=True)
class _Program:
    """What rules look at."""

    record: ArtifactRecord
    operations: Sequence[Op]
    constants: dict[str, Constant]

    def of(self, *types: str) -> Iterator[Op]:
        return (op for op in self.operations if op.type in types)

    def constant(self, op: Op, name: str) -> Constant | None:
        bound = op.inputs.get(name, ())
        if len(bound) != 1:
            return None
        one = bound[0]
        return self.constants.get(one) if isinstance(one, str) else one


Rule = Callable[[_Program], Iterator[str]]


def _half(op: Op) -> bool:
    return any(value.type.dtype == "float16" for value in op.outputs)


def _rank(op: Op) -> int:
    return max((len(v.type.shape) for v in op.outputs if v.type.shape is not None), default=0)


def _name(op: Op) -> str:
    return op.outputs[0].name if op.outputs else op.name


def _norm_of_volumes(program: _Program) -> Iterator[str]:
    return (_name(op) for op in program.of("instance_norm", "batch_norm") if _rank(op) > 4)


def _half_op(*types: str) -> Rule:
    return lambda program: (_name(op) for op in program.of(*types) if _half(op))


def _log_of_softmax(program: _Program) -> Iterator[str]:
    made = {_name(op): op.type for op in program.operations}
    for op in program.of("log"):
        if _half(op) and any(made.get(str(one)) == "softmax" for one in op.inputs.get("x", ())):
            yield _name(op)


def _masks(program: _Program) -> Iterator[str]:
    for name, constant in program.constants.items():
        data = constant.data
        if isinstance(data, np.ndarray) and data.dtype.kind == "f" and bool(_beyond(data).any()):
            yield name


def _beyond(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which elements lie below float16; of its own that is minus infinity alone."""
    if data.dtype == np.float16:
        return np.asarray(data.view(np.uint16) == np.float16(-np.inf).view(np.uint16))
    return np.asarray(data < -65504)


def _squares(program: _Program) -> Iterator[str]:
    for op in program.operations:
        if not _half(op):
            continue
        same = op.inputs.get("x") == op.inputs.get("y") and op.type == "mul" and "x" in op.inputs
        exponent = program.constant(op, "y") if op.type == "pow" else None
        two = exponent is not None and np.all(np.asarray(exponent.data) == 2)
        if op.type == "square" or op.type == "reduce_sum_square" or same or two:
            yield _name(op)


def _rows(program: _Program) -> Iterator[str]:
    for port in program.record.outputs:
        if port.dtype == "float16" and len(port.shape) > 1 and port.shape[-1] % 32:
            yield port.name


def _batches(program: _Program) -> Iterator[str]:
    for port in program.record.inputs:
        if len({shape[0] for shape in port.enumerated if shape}) > 1:
            yield port.name


def _powers(program: _Program) -> Iterator[str]:
    for op in program.of("pow"):
        base = program.constant(op, "x")
        if base is not None and np.all(np.asarray(base.data) == 2):
            yield _name(op)


def _volumes(program: _Program) -> Iterator[str]:
    for op in program.of("conv", "conv_transpose"):
        sizes = [value.type.fixed for value in op.outputs]
        if any(size and len(size) == 5 and int(np.prod(size)) >= LARGE for size in sizes):
            yield _name(op)


def _packed(program: _Program) -> Iterator[str]:
    return (_name(op) for op in program.operations if op.type.startswith("constexpr_lut"))


#: Every hazard with the rule that finds it. The addresses were looked up, each thread read.
TABLE: tuple[tuple[Hazard, Rule], ...] = (
    (
        Hazard(
            "norm over three spatial axes",
            "the process is aborted on the GPU; the CPU is right",
            "coremltools 9.0, macOS 26, any precision; batch norm likewise since 8.3",
            _ISSUES + "2667 and " + _ISSUES + "2572",
            "set computeUnits to cpuOnly, or write the norm as reductions over a reshaped value",
        ),
        _norm_of_volumes,
    ),
    (
        Hazard(
            "softplus or mish in fp16",
            "the output falls to 0 above about 10.4 on the Neural Engine",
            "coremltools 9.0 and before, M1 to M4",
            _ISSUES + "2687 and " + _ISSUES + "2359",
            "keep it in fp32 (--precision auto), or write max(x, 0) + log(1 + exp(-|x|))",
        ),
        _half_op("softplus", "softplus_parametric", "mish"),
    ),
    (
        Hazard(
            "log of a softmax in fp16",
            "-inf where a class's probability is below 6e-8",
            "coremltools 9.0 and before, Neural Engine",
            _ISSUES + "2728",
            "give logits and take the logarithm in the app, or keep both in fp32",
        ),
        _log_of_softmax,
    ),
    (
        Hazard(
            "log-sum-exp in fp16",
            "the output falls to 0 where the sum of exponentials passes 65504",
            "coremltools 9.0 and before, Neural Engine",
            _ISSUES + "2690",
            "subtract the maximum first, or keep it in fp32",
        ),
        _half_op("reduce_log_sum_exp"),
    ),
    (
        Hazard(
            "-inf in a mask",
            "rows that are masked whole become NaN, on the Neural Engine also others",
            "coremltools up to 9.0; mended after it for finite values beyond fp16",
            "https://github.com/apple/coremltools/pull/2669",
            "mask with -1e4 in place of -inf",
        ),
        _masks,
    ),
    (
        Hazard(
            "square in fp16",
            "inf where a value is beyond 255; norms built of squares then give 0 or NaN",
            "any fp16 program on hardware that keeps fp16 between operations",
            "https://github.com/huggingface/swift-transformers/issues/95",
            "use the norm's own operation, or keep it in fp32 (--precision auto)",
        ),
        _squares,
    ),
    (
        Hazard(
            "fp16 output whose rows are no multiple of 32",
            "random numbers in the output array where its padding is read as data",
            "macOS 13 and 14, coremltools 6.3 and later",
            _ISSUES + "1893",
            "give the output in fp32, or read it by its strides",
        ),
        _rows,
    ),
    (
        Hazard(
            "enumerated shapes with several batch sizes",
            "shapes other than the default fail on the device, classifiers always",
            "iOS 18 and macOS 15 and 26, coremltools 9.0",
            _ISSUES + "2730 and " + _ISSUES + "2764",
            "fix the batch at 1 and let Core ML predict a batch of inputs",
        ),
        _batches,
    ),
    (
        Hazard(
            "2 to the power of a value",
            "the system computes the square of the exponent",
            "coremltools up to 9.0; the system's own fast path",
            _ISSUES + "2628",
            "write exp(x * log(2))",
        ),
        _powers,
    ),
    (
        Hazard(
            "palettised weights",
            "crash while loading for the Neural Engine, or after many calls; wrong output in some",
            "coremltools 9.0 on macOS 26, iOS 18 programs with scales",
            _ISSUES + "2716 and https://github.com/apple/coremltools/pull/2688",
            "try on the oldest and the newest system that you support, or use 8-bit linear weights",
        ),
        _packed,
    ),
    (
        Hazard(
            "3-D convolution over a large volume",
            "the process ends with a bad access on the CPU",
            "macOS 13 and 14, coremltools 7.0",
            _ISSUES + "2000",
            "feed smaller tiles, or raise the oldest system",
        ),
        _volumes,
    ),
)


def find(model: mil.Model, record: ArtifactRecord) -> tuple[Hazard, ...]:
    """The hazards that apply to a program.

    Args:
        model: the program, or a pipeline of them.
        record: what it says of itself.
    """
    found: dict[str, list[str]] = {}
    for part in model.leaves:
        for function in part.program.functions.values():
            operations = list(function.block.walk())
            constants = {
                op.outputs[0].name: op.attributes["val"]
                for op in operations
                if op.type == "const" and "val" in op.attributes
            }
            program = _Program(record, operations, constants)
            for hazard, rule in TABLE:
                found.setdefault(hazard.name, []).extend(rule(program))
    return tuple(
        replace(hazard, where=tuple(dict.fromkeys(found[hazard.name]))[:NAMED])
        for hazard, _ in TABLE
        if found.get(hazard.name)
    )
