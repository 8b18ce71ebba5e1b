"""A pass of lading's own over the MIL program: what is finite in fp32 stays finite in fp16.

A mask is often spelled with the least number of float32, or with -1e9, in place of -inf.
coremltools 9.0 rounds the first to -inf, so that ``0 · least`` is NaN; it computes with the second
in fp32 and rounds the result to -inf, so that a row that is masked whole is NaN behind a softmax,
where torch gives the mean. apple/coremltools pull request 2669 mends a part of it after 9.0. Here

    half(c) = round(min(max(c, -65504), 65504))     of a finite constant c
    half(x) = round(max(x, -65504))                 of what an operation gives that reads a constant
                                                    below -65504

What is infinite stays so, and what grows large in another way overflows as it did. `test_finite.py`
passes without this once it can go.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lading.conversion.compatibility import passes

NAME = "lading::finite_in_fp16"
LARGEST = float(np.finfo(np.float16).max)


def register() -> str:
    """Makes the pass known to coremltools; its name."""
    return passes.register(NAME, passes.everywhere(_bound))


def _bound(block: Any, op: Any) -> None:
    """Keeps what a cast to fp16 takes within its range."""
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    if op.op_type != "cast" or op.dtype.val != "fp16":
        return
    if op.x.val is not None:
        values = np.asarray(op.x.val)
        beyond = np.isfinite(values) & (np.abs(values) > LARGEST)
        if not beyond.any():
            return
        bounded = np.where(beyond, np.clip(values, -LARGEST, LARGEST), values).astype(np.float16)
        value = mb.const(val=bounded[()], name=op.name, before_op=op)
    elif op.x.op is not None and _masks(op.x.op):
        least = np.float32(-LARGEST)
        within = mb.maximum(x=op.x, y=least, name=f"{op.name}_bounded", before_op=op)
        value = mb.cast(x=within, dtype="fp16", name=op.name, before_op=op)
    else:
        return
    block.replace_uses_of_var_after_op(anchor_op=op, old_var=op.outputs[0], new_var=value)
    block.remove_ops([op])


def _masks(op: Any) -> bool:
    """Whether an operation reads a finite constant below what fp16 holds."""
    for given in op.inputs.values():
        for var in given if isinstance(given, (list, tuple)) else [given]:
            if var.is_tensor_or_scalar_of(dtype="fp32") and var.val is not None:
                values = np.asarray(var.val)
                if bool((np.isfinite(values) & (values < -LARGEST)).any()):
                    return True
    return False
