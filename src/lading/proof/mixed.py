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

import numpy as np

from lading.coreml import mil
from lading.coreml.mil.program import Binding, Constant, Op, Value, ValueType
from lading.interface.side import Array

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


def operations(model: mil.Model) -> tuple[str, ...]:
    """Names of the fp16 operations of a program, in order; none of a pipeline's."""
    if model.parts:
        return ()
    (function, *_) = model.program.functions.values()
    return tuple(op.name for op in function.block.operations if op.half)


def search(
    model: mil.Model,
    passes: Callable[[mil.Model], bool],
    full: Callable[[Array, str], Array | None] = lambda rounded, name: None,
) -> Search:
    """The search; 1-minimal unless it runs out of patience.

    Args:
        model: an ML Program.
        passes: whether one meets the gates.
        full: a constant in fp32, of its rounded values and its name; None where nobody knows. What
            an operation in fp32 reads is not rounded.
    """
    names = operations(model)
    trials: list[str] = []

    def good(kept: Sequence[str]) -> bool:
        met = passes(mixed(model, frozenset(kept), full))
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


def mixed(
    model: mil.Model,
    kept: frozenset[str],
    full: Callable[[Array, str], Array | None] = lambda rounded, name: None,
) -> mil.Model:
    """The program with the results of `kept` in fp32, and a rounding before each fp16 reader.

    Args:
        model: an ML Program.
        kept: names of the operations that keep fp32.
        full: see `search`.
    """
    wide: dict[str, ValueType] = {}
    rounded: set[str] = set()
    constants: dict[str, Constant] = {}

    def read(one: Binding, name: str) -> Binding:
        constant = constants.get(one) if isinstance(one, str) else one
        if constant is None or not isinstance(constant.data, np.ndarray):
            return one
        if constant.data.dtype != np.float16:
            return one
        values = full(constant.data, one if isinstance(one, str) else name)
        if values is None:
            return one
        kind = dataclasses.replace(constant.type, dtype="float32")
        return Constant(kind, np.asarray(values, np.float32).reshape(constant.data.shape))

    def change(op: Op) -> list[Op]:
        if op.type == "const" and op.outputs:
            constants[op.outputs[0].name] = op.attributes["val"]
        if op.name in kept:
            outputs = tuple(_as_wide(value) for value in op.outputs)
            wide.update({value.name: value.type for value in outputs})
            own = outputs[0].name if outputs else op.name
            inputs = {n: tuple(read(one, own) for one in many) for n, many in op.inputs.items()}
            return [dataclasses.replace(op, inputs=inputs, outputs=outputs)]
        if not op.half or op.type == "cast":
            return [op]
        fresh = [name for name in dict.fromkeys(op.reads) if name in wide and name not in rounded]
        rounded.update(fresh)
        inputs = {
            name: tuple(
                _rounded(one) if isinstance(one, str) and one in wide else one for one in many
            )
            for name, many in op.inputs.items()
        }
        return [
            *(_cast(name, wide[name]) for name in fresh),
            dataclasses.replace(op, inputs=inputs),
        ]

    return model.rewritten(change)


def _as_wide(value: Value) -> Value:
    if value.type.dtype != "float16":
        return value
    return Value(value.name, dataclasses.replace(value.type, dtype="float32"))


def _rounded(name: Binding) -> str:
    return f"{name}_rounded"


def _cast(name: str, kind: ValueType) -> Op:
    """The rounding of a value that was kept wide."""
    dtype = Constant(ValueType("tensor", "string", ()), "fp16")
    value = Value(_rounded(name), dataclasses.replace(kind, dtype="float16"))
    return Op("cast", value.name, {"x": (name,), "dtype": (dtype,)}, (value,))
