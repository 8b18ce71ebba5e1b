"""An ML Program's graph alone: every constant at the precision that it came from, all in fp32.

Rounding to fp16 hides a wrong approximation, a wrong epsilon, a changed slope. So the program is
run a second time with each traced constant put back: the checkpoint's own tensor, the formula
recomputed, the number that a person wrote down. What differs then is the graph, and it is judged
like fp32. What nothing explains stays as it is.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np

from lading.coreml.mil import package
from lading.coreml.mil.model import Model
from lading.coreml.mil.program import Binding, Block, Constant, Op, Value, ValueType
from lading.proof.weights.folding import Formulas, generated, roots
from lading.proof.weights.origins import Origins
from lading.runtimes import Array, Predicting, noted_labels


class Lifted(Predicting):
    """A session of the lifted reading; see `lading.runtimes.Session`.

    Attributes:
        rounded: constants that stay as the file has them: their rounding is still in the result.
    """

    def __init__(self, path: Path, state: Origins) -> None:
        self.rounded = 0
        source = package.read(path)
        if source.program is not None:
            lift = _Lift(state, Model(source))
            functions = {
                name: dataclasses.replace(one, block=lift.block(one.block))
                for name, one in source.program.functions.items()
            }
            program = dataclasses.replace(source.program, functions=functions)
            source = widened(dataclasses.replace(source, program=program))
            self.rounded = lift.unknown
        #: the program as it is run
        self.model = model = Model(source)
        images = {port.name for port in model.inputs if port.kind == "image"}
        wide = partial(model.predict, precision="float32")
        super().__init__(wide, images, noted_labels(model.metadata))


def widened(source: package.Package) -> package.Package:
    """The package with fp32 declared wherever its program declares fp16, so that a value that is
    looked at in the reading in fp32 is not rounded when it is handed out."""
    if source.program is None:
        return source
    functions = {
        name: dataclasses.replace(one, block=_declared_wide(one.block))
        for name, one in source.program.functions.items()
    }
    program = dataclasses.replace(source.program, functions=functions)
    return dataclasses.replace(source, program=program)


def _declared_wide(block: Block) -> Block:
    operations = []
    for op in block.operations:
        outputs = tuple(
            Value(value.name, dataclasses.replace(value.type, dtype="float32"))
            if value.type.kind == "tensor" and value.type.dtype == "float16"
            else value
            for value in op.outputs
        )
        blocks = tuple(map(_declared_wide, op.blocks))
        operations.append(dataclasses.replace(op, outputs=outputs, blocks=blocks))
    return dataclasses.replace(block, operations=tuple(operations))


class Sources:
    """Where rounded constants come from.

    Attributes:
        unknown: how many stay rounded, as nobody knows what they were.
    """

    def __init__(self, state: Origins) -> None:
        self.state, self.formulas = state, Formulas(state)
        self.unknown = 0

    def origin(self, data: Array) -> Array:
        """Where the values come from, in full precision; themselves where nobody knows."""
        if data.size == 1:
            return self.number(data)
        names = self.state.whole(data)
        if names:
            return self.state.cast(names[0], "float32")
        order = self.state.permuted(data)
        if order is not None:
            return self.state.cast(order[0], "float32").transpose(order[1])
        rows = self.state.unrounded(data)
        if rows is not None:
            return rows
        derived = self.formulas.find(data)
        if derived is None and not generated(data):
            self.unknown += 1
        return data if derived is None else derived.values

    def number(self, data: Array) -> Array:
        """1.0014e-5 was 1e-5 before it was rounded, 0.3535 was 8^-1/2, 0.4502 a sigmoid."""
        half = float(data.reshape(-1)[0])
        if not np.isfinite(half) or half == int(half):
            return data
        written = float(np.format_float_scientific(data.reshape(-1)[0], unique=True))
        few = len(f"{written:e}".split("e")[0].strip("-0").replace(".", "").strip("0")) <= 2
        if few:
            return np.asarray(written)
        for _, known in roots(abs(half)):
            if float(np.float16(known)) == abs(half):
                return np.asarray(known if half > 0 else -known)
        derived = self.formulas.find(data)
        if derived is not None:
            return derived.values
        self.unknown += written != half
        return np.asarray(written)


class _Lift(Sources):
    def __init__(self, state: Origins, model: Model) -> None:
        super().__init__(state)
        self.model = model

    def block(self, block: Block) -> Block:
        return dataclasses.replace(block, operations=tuple(map(self.op, block.operations)))

    def op(self, op: Op) -> Op:
        if op.type.startswith("constexpr_") and len(op.outputs) == 1:
            return self.unpacked(op)
        attributes = {name: self.constant(one) for name, one in op.attributes.items()}
        inputs = {name: tuple(map(self.binding, many)) for name, many in op.inputs.items()}
        blocks = tuple(map(self.block, op.blocks))
        return dataclasses.replace(op, attributes=attributes, inputs=inputs, blocks=blocks)

    def binding(self, one: Binding) -> Binding:
        return one if isinstance(one, str) else self.constant(one)

    def constant(self, one: Constant) -> Constant:
        data = one.data
        if not isinstance(data, np.ndarray) or data.dtype != np.float16 or not data.size:
            return one
        return Constant(one.type, self.origin(data).astype(np.float32).reshape(data.shape))

    def unpacked(self, op: Op) -> Op:
        """A packed weight as the plain constant of the tensor that it was packed from."""
        value = op.outputs[0]
        decoded = self.model.constant(value.name)
        near = self.near(decoded)
        if near is None:
            return op
        kind = ValueType("tensor", value.type.dtype, decoded.shape)
        constant = Constant(kind, near.astype(np.float32).reshape(decoded.shape))
        return Op("const", op.name, {}, (Value(value.name, kind),), attributes={"val": constant})

    def near(self, decoded: Array) -> Array | None:
        """The tensor that a packed weight is nearest to, if it is near at all."""
        flat = decoded.astype(np.float64).reshape(-1)
        best: tuple[float, Array] | None = None
        for name in self.state.alike("float32"):
            tensor = self.state.cast(name, "float32")
            if tensor.size != flat.size:
                continue
            apart = float(np.linalg.norm(flat - tensor.reshape(-1)))
            if best is None or apart < best[0]:
                best = apart, tensor
        if best is None or best[0] > 0.5 * float(np.linalg.norm(best[1])):
            return None
        return best[1]
