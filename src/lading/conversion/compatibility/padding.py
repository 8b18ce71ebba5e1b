"""A pass of lading's own over the MIL program: padding where Core ML's loader takes it.

The loader takes reflection and replication along the last two axes only; along any other the file
cannot be loaded at all (apple/coremltools#2576 and #2571, the rule enumerated in its pull request
#2701; coremltools 9.0 writes such files without a word). Either maps an index of the result to an
index of its axis alone, so padding several axes is padding one after another, and padding an axis
is padding the last one with the two exchanged:

    pad(x, all) = pad(... pad(pad(x, last two), axis 0) ..., axis k)
    pad(x, axis) = swap(pad(swap(x, axis, last), last), axis, last)
"""

from __future__ import annotations

from typing import Any

from lading.conversion.compatibility import passes

NAME = "lading::padding_along_the_last_axes"


def register() -> str:
    """Makes the pass known to coremltools; its name."""
    return passes.register(NAME, passes.everywhere(_split))


def _split(block: Any, op: Any) -> None:
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    if op.op_type != "pad" or op.pad.val is None or op.mode.val == "constant":
        return
    flat = [0] * (2 * op.x.rank - len(op.pad.val)) + [int(n) for n in op.pad.val]
    pairs = [flat[2 * axis : 2 * axis + 2] for axis in range(op.x.rank)]
    outer = [axis for axis, pair in enumerate(pairs[:-2]) if any(pair)]
    if not outer:
        return
    value, last = op.x, op.x.rank - 1

    def padded(value: Any, amounts: list[int], name: str) -> Any:
        # what it pads with is not read, and has to have the dtype of the rest all the same
        how = {"mode": op.mode.val, "constant_val": op.constant_val}
        return mb.pad(x=value, pad=amounts, name=name, before_op=op, **how)

    if any(pair != [0, 0] for pair in pairs[-2:]):
        value = padded(value, [*pairs[-2], *pairs[-1]], f"{op.name}_last")
    for axis in outer:
        order = list(range(op.x.rank))
        order[axis], order[last] = last, axis
        name = op.name if axis == outer[-1] else f"{op.name}_{axis}"
        value = mb.transpose(x=value, perm=order, name=f"{name}_turned", before_op=op)
        value = padded(value, pairs[axis], f"{name}_padded")
        value = mb.transpose(x=value, perm=order, name=name, before_op=op)
    block.replace_uses_of_var_after_op(anchor_op=op, old_var=op.outputs[0], new_var=value)
    block.remove_ops([op])
