"""The fewest operations that must stay in fp32 for an fp16 program to pass its gates.

The program that the file holds is run again and again with some of its operations computed in
fp32, as a conversion with those kept wide would compute them: their results are not rounded, and
where an fp16 operation reads one it is rounded first. Halves of what is kept are given up while the
gates are met (delta debugging, Zeller and Hildebrandt, IEEE TSE 28(2), 2002), until no single
operation can be.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lading.coreml.mil import package
from lading.coreml.mil.model import Model
from lading.coreml.mil.program import Binding, Block, Constant, Op, Value, ValueType
from lading.runtimes import Predicting, noted_labels

#: What coremltools appends to the name of an operation that it turns to fp16.
SUFFIX = "_cast_fp16"
#: No more runs of the program than this.
PATIENCE = 200


@dataclass(frozen=True)
class Search:
    """What was found. `kept` are names of operations as the converter knows them; `passes` says
    whether the program meets its gates with them; `trials` what was tried, in order."""

    kept: tuple[str, ...]
    operations: int
    passes: bool
    trials: tuple[str, ...]


def operations(path: Path) -> tuple[str, ...]:
    """Names of the fp16 operations of a program, in order.

    Raises:
        ProgramError: it cannot be read.
    """
    source = package.read(path)
    if source.program is None:
        return ()
    (function, *_) = source.program.functions.values()
    return tuple(op.name for op in function.block.operations if _half(op))


def search(path: Path, passes: Callable[[Mixed], bool]) -> Search:
    """The search; 1-minimal unless it runs out of patience.

    Args:
        path: an ML Program.
        passes: whether a session meets the gates.
    """
    names = operations(path)
    trials: list[str] = []

    def good(kept: Sequence[str]) -> bool:
        met = passes(Mixed(path, frozenset(kept)))
        trials.append(f"{len(kept)} of {len(names)} in fp32: {'pass' if met else 'fail'}")
        return met

    if good(()):
        return Search((), len(names), True, tuple(trials))
    if not good(names):
        return Search((), len(names), False, tuple(trials))
    kept = list(names)
    pieces = 2
    while len(kept) > 1 and len(trials) < PATIENCE:
        for piece in _split(kept, pieces):
            rest = [name for name in kept if name not in piece]
            if good(piece):
                kept, pieces = list(piece), 2
                break
            if pieces > 2 and good(rest):
                kept, pieces = rest, pieces - 1
                break
            if len(trials) >= PATIENCE:
                break
        else:
            if pieces >= len(kept):
                break
            pieces = min(2 * pieces, len(kept))
    plain = tuple(name.removesuffix(SUFFIX) for name in kept)
    return Search(plain, len(names), True, tuple(trials))


def _split(names: Sequence[str], pieces: int) -> Iterator[list[str]]:
    bounds = np.linspace(0, len(names), pieces + 1).astype(int)
    for start, end in itertools.pairwise(bounds):
        if end > start:
            yield list(names[start:end])


class Mixed(Predicting):
    """A session of a program with some of its operations computed in fp32.

    Args:
        path: an ML Program.
        kept: names of the operations that keep fp32.
    """

    def __init__(self, path: Path, kept: frozenset[str]) -> None:
        source = package.read(path)
        if source.program is not None:
            functions = {
                name: dataclasses.replace(one, block=_widened(one.block, kept))
                for name, one in source.program.functions.items()
            }
            program = dataclasses.replace(source.program, functions=functions)
            source = dataclasses.replace(source, program=program)
        #: the program as it is run
        self.model = model = Model(source)
        images = {port.name for port in model.inputs if port.kind == "image"}
        super().__init__(model.predict, images, noted_labels(model.metadata))


def _half(op: Op) -> bool:
    real = op.type != "const" and not op.type.startswith("constexpr_")
    return real and any(value.type.dtype == "float16" for value in op.outputs)


def _widened(block: Block, kept: frozenset[str]) -> Block:
    """The block with the results of `kept` in fp32, and a rounding before each fp16 reader."""
    wide: dict[str, ValueType] = {}
    made: list[Op] = []
    for op in block.operations:
        if op.name in kept:
            outputs = tuple(_as_wide(value) for value in op.outputs)
            wide.update({value.name: value.type for value in outputs})
            made.append(dataclasses.replace(op, outputs=outputs))
            continue
        if not _half(op) or op.type == "cast":
            made.append(op)
            continue
        inputs = {}
        for name, bindings in op.inputs.items():
            inputs[name] = tuple(_rounded(one, wide, made) for one in bindings)
        made.append(dataclasses.replace(op, inputs=inputs))
    return dataclasses.replace(block, operations=tuple(made))


def _as_wide(value: Value) -> Value:
    if value.type.dtype != "float16":
        return value
    return Value(value.name, dataclasses.replace(value.type, dtype="float32"))


def _rounded(one: Binding, wide: dict[str, ValueType], made: list[Op]) -> Binding:
    """The name of the rounded value in the place of a wide one; the cast is made once."""
    if not isinstance(one, str) or one not in wide:
        return one
    name = f"{one}_rounded"
    if not any(op.outputs and op.outputs[0].name == name for op in made):
        kind = dataclasses.replace(wide[one], dtype="float16")
        dtype = Constant(ValueType("tensor", "string", ()), "fp16")
        made.append(Op("cast", name, {"x": (one,), "dtype": (dtype,)}, (Value(name, kind),)))
    return name
