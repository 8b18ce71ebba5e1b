"""A pass of lading's own over the MIL program: constants that are equal become one.

coremltools writes every stride, axis and flag of every operation as a constant of its own; in a
deep network they are more than half of the program. The values are not changed, and weights keep a
constant each: only whole numbers, flags, texts, single numbers, and arrays of one repeated number
are shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lading.conversion.compatibility import finite, padding, passes

NAME = "lading::share_constants"


def pipeline(*, half: bool) -> Any:
    """coremltools' default passes, padding as Core ML loads it, and this one behind all that make
    or remove constants; of a program in fp16, what keeps its numbers finite too."""
    import coremltools as ct

    made = ct.PassPipeline.DEFAULT
    if half:
        rounding = made.passes.index("common::add_fp16_cast")
        made.insert_pass(rounding + 1, finite.register())
    made.append_pass(padding.register())
    made.append_pass(passes.register(NAME, _share))
    return made


def _share(block: Any) -> None:
    """In one block; nested blocks keep theirs, as a constant must lie where it is seen."""
    first: dict[Any, Any] = {}
    for op in list(block.operations):
        if op.op_type != "const" or op.outputs[0] in block.outputs:
            continue
        key = _key(op.outputs[0])
        if key is None:
            continue
        kept = first.setdefault(key, op)
        if kept is not op:
            block.replace_uses_of_var_after_op(
                anchor_op=op, old_var=op.outputs[0], new_var=kept.outputs[0]
            )
            block.remove_ops([op])


def _key(constant: Any) -> Any:
    """What two constants must have in common to be one; None for one that is left alone."""
    value = constant.val
    if isinstance(value, (str, bool, np.bool_)):
        return type(value).__name__, str(value)
    array = np.asarray(value)
    if array.dtype == object or array.size == 0:
        return None
    weight = array.dtype.kind == "f" and array.ndim > 0
    flat = array.reshape(-1)
    if weight and not ((flat[:64] == flat[0]).all() and (flat == flat[0]).all()):
        return None
    return str(array.dtype), array.shape, array.tobytes()
