"""What coremltools 9.0 does again and again in a conversion, and that changes no byte of the file.

- `Program.validate` goes over the whole program after each of some 110 passes, two fifths of a
  conversion's time. It only ever raises; here it is asked once, of the program that comes out.
- The pass manager spells the whole program before and after each pipeline for a message that nobody
  asked for.
- The pass that moves transposes about infers every type anew, where there is no transpose too.
- Every block that a pass leaves is searched for what packed weights flow into, where there are none
  too.
- A conversion ends in a full garbage collection, and sets off more of them by what it makes: each
  goes over all that was there before, half a million objects of torch alone.
- The search for weights beyond fp16 builds the places of all of them, where their size is asked.

`test_quick.py` converts with this and without, and compares every byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from lading.base.memory import collected_alone

#: The largest float16, and from where on coremltools takes a number for infinite.
_LARGEST, _INFINITE = 65504, 1e38


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Within it coremltools converts so."""
    from coremltools.converters.mil.mil import Block
    from coremltools.converters.mil.mil.passes.defs.optimize_repeat_ops import reduce_transposes
    from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision
    from coremltools.converters.mil.mil.program import Program

    moved = reduce_transposes._reduce_transposes_block

    def where_there_are_any(block: Any) -> None:
        if any(op.op_type == "transpose" for op in block.operations):
            moved(block)

    flown, packed = Block._propagate_nonreplaceable_vars, False

    def where_any_were_packed(block: Any) -> None:
        nonlocal packed
        packed = packed or _has_packed(block)
        if packed:
            flown(block)

    with (
        collected_alone(),
        patch.object(Block, "_propagate_nonreplaceable_vars", where_any_were_packed),
        patch.object(
            reduce_transposes, "_reduce_transposes_block", staticmethod(where_there_are_any)
        ),
        patch.object(Program, "validate", lambda self, check_essential_scope=False: None),
        patch.object(Program, "__str__", lambda self: "a program"),
        patch.object(FP16ComputePrecision, "fp16_overflow", staticmethod(_overflows)),
    ):
        yield


def _has_packed(block: Any) -> bool:
    return any(
        op.op_type.startswith("constexpr_") or any(map(_has_packed, op.blocks))
        for op in block.operations
    )


def _overflows(op: Any) -> bool:
    """Whether a constant that an operation reads is finite in fp32 and beyond fp16."""
    for inputs in op.inputs.values():
        for var in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
            maker = var.op
            if maker is None or maker.op_type != "const":
                continue
            if var.is_tensor_or_scalar_of(dtype="fp32"):
                size = np.abs(maker.val.val)
                if np.max(size, initial=0.0, where=size < _INFINITE) > _LARGEST:
                    return True
    return False
