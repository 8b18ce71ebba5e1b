"""An ML Program, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np

from lading.conversion.described import record as recorded
from lading.coreml import described, mil
from lading.coreml.mil.precision import Precision
from lading.coreml.mil.program import Binding, Constant, Op, Value, ValueType
from lading.errors import ProgramError, refused
from lading.formats import Artifact, Format, Held, Restore
from lading.formats.coreml import hazards, limits
from lading.formats.coreml.constants import constants, place, places
from lading.formats.coreml.side import MilSide
from lading.interface.settings import Settings
from lading.interface.side import Array
from lading.interface.work import Work, program
from lading.record import ArtifactRecord, Hazard

#: fp16 sums are computed term by term: beyond this many weights they are left out.
_LONGEST = 2_000_000
#: Outputs, and what statistics tell of every value.
Seen = tuple[dict[str, Array], Mapping[str, mil.Statistics]]
_READINGS: tuple[Precision, ...] = ("float32", "declared", "half-accumulate")


class MLProgram(Artifact):
    """See `lading.formats.Artifact`."""

    _heavy = ("model",)

    def __init__(self, path: Path, form: Format) -> None:
        super().__init__(path, form)
        self._spec = described.parsed(path)
        self._seen: dict[str, tuple[Mapping[str, Array], Seen]] = {}

    @cached_property
    def model(self) -> mil.Model:
        """The program as `lading.coreml.mil` runs it.

        Raises:
            ProgramError: it cannot be run here.
        """
        return mil.load(self.path, spec=self._spec)

    @cached_property
    def record(self) -> ArtifactRecord:
        form, model = self.format, described.describe(self.path, self._spec)
        return recorded(self.path, model, form.name, form.title, "mlProgram")

    def constants(self) -> list[Held]:
        with refused(ProgramError, str(self.path), "a program whose constants can be read"):
            return list(constants(self.model))

    @property
    def settings(self) -> Settings:
        functions = (f for part in self.model.leaves for f in part.program.functions.values())
        newest = max((_system(function.opset) for function in functions), default=16)
        return Settings("fp32", deployment=f"iOS{newest}")

    def hazards(self) -> tuple[Hazard, ...]:
        with refused(ProgramError, str(self.path), "a program that can be read"):
            return hazards.find(self.model, self.record)

    def work(self, fed: Mapping[str, Array] | None = None) -> list[Work]:
        with refused(ProgramError, str(self.path), "a program that can be read"):
            found = program.work(self.model)
            if fed is None or all(one.macs is not None for one in found):
                return found
        return MilSide(self.model, str(self.path)).work(fed)

    def randomness(self) -> str:
        functions = (f for part in self.model.leaves for f in part.program.functions.values())
        for op in (op for function in functions for op in function.block.walk()):
            if op.type.startswith("random_"):
                return f"{op.type} {op.outputs[0].name} draws random numbers"
        return ""

    def unloadable(self) -> str:
        return limits.broken(self.model)

    @property
    def readings(self) -> tuple[Precision, ...]:
        """Of an fp16 program those of `lading.coreml.mil.precision`, the best for it first."""
        assert set(_READINGS) == set(get_args(Precision))
        if self.record.precision != "fp16" or self.model.parts:
            return ()
        weights = sum(
            int(np.size(op.attributes["val"].data))
            for function in self.model.program.functions.values()
            for op in function.block.walk()
            if op.type == "const" and isinstance(op.attributes["val"].data, np.ndarray)
        )
        return _READINGS if weights <= _LONGEST else _READINGS[:2]

    def statistics(self, inputs: Mapping[str, Array], reading: str) -> Seen:
        known = self._seen.get(reading)
        if known is None or known[0] is not inputs:
            side = MilSide(self.model, str(self.path), reading)  # type: ignore[arg-type]
            known = self._seen[reading] = inputs, side.statistics(inputs)
        return known[1]

    def seen(self, inputs: Mapping[str, Array], reading: str) -> Mapping[str, Array] | None:
        known = self._seen.get(reading)
        return known[1][0] if known and known[0] is inputs else None

    def side(self, reading: str = "declared") -> MilSide:
        if reading == "float32" and not self.model.parts:
            # declared so as well: a value that is looked at is not rounded when it is handed out
            return MilSide(self.model.rewritten(declared_wide), str(self.path), "float32")
        return MilSide(self.model, str(self.path), reading)  # type: ignore[arg-type]

    def widened(self, restore: Restore) -> MilSide:
        """Numbers that are one when they are rounded, and were several before, are several again:
        the converter keeps one for all who read them."""
        shared: dict[str, Constant] = {}

        def read(one: Binding, key: str, op: Op) -> Binding:
            own = op.outputs[0].name if op.outputs else op.name
            if not isinstance(one, str):
                return _restored(one, restore, own)
            if one not in shared:
                return one
            whole, here = (
                _restored(shared[one], restore, *names) for names in ((one,), (place(key, op), one))
            )
            same = np.array_equal(np.asarray(whole.data), np.asarray(here.data))
            return one if same else here

        def restored(op: Op) -> Op:
            if op.type.startswith("constexpr_") and len(op.outputs) == 1:
                return declared_wide(self._unpacked(op, restore))
            own = op.outputs[0].name if op.outputs else op.name
            if op.type == "const" and own in several:
                shared[own] = op.attributes["val"]
            attributes = {name: _restored(one, restore, own) for name, one in op.attributes.items()}
            inputs = {
                key: tuple(read(one, key, op) for one in many) for key, many in op.inputs.items()
            }
            return declared_wide(replace(op, attributes=attributes, inputs=inputs))

        if self.model.parts:
            return MilSide(self.model, str(self.path), "float32")
        blocks = [function.block for function in self.model.program.functions.values()]
        where = places(op for block in blocks for op in block.walk())
        several = {name for name, many in where.items() if len(many) > 1}
        return MilSide(self.model.rewritten(restored), str(self.path), "float32")

    def with_model(self, model: mil.Model) -> MilSide:
        """The artifact with its program changed, each value rounded as that declares."""
        return MilSide(model, str(self.path))

    def _unpacked(self, op: Op, restore: Restore) -> Op:
        """A packed weight as the plain constant of the tensor that it was packed from."""
        value = op.outputs[0]
        decoded = self.model.constant(value.name)
        tensor = restore.packed(decoded)
        if tensor is None:
            return op
        kind = ValueType("tensor", value.type.dtype, decoded.shape)
        constant = Constant(kind, tensor.astype(np.float32).reshape(decoded.shape))
        return Op("const", op.name, {}, (Value(value.name, kind),), attributes={"val": constant})


def declared_wide(op: Op) -> Op:
    """The operation with fp32 declared wherever it declares fp16."""
    outputs = tuple(
        Value(value.name, replace(value.type, dtype="float32"))
        if value.type.kind == "tensor" and value.type.dtype == "float16"
        else value
        for value in op.outputs
    )
    return replace(op, outputs=outputs)


def _system(opset: str) -> int:
    """The first iOS that reads a set of operations, ``"CoreML6"`` being iOS 16's."""
    digits = opset.removeprefix("CoreML")
    return min(max(int(digits) + 10, 15), 18) if digits.isdigit() else 16


def _restored(one: Constant, restore: Restore, *names: str) -> Constant:
    data = one.data
    if not isinstance(data, np.ndarray) or data.dtype != np.float16 or not data.size:
        return one
    whole = restore.constant(data, *names).astype(np.float32, copy=False)
    return Constant(one.type, whole.reshape(data.shape))
