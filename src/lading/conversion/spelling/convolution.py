"""Transposed convolutions with a padding of their output in 3-D, or with a computed weight.

Symptoms with coremltools 9.0: "output_padding is supported only for ConvTranspose1D or
ConvTranspose2D!" and "Input weight must be const at compile time". Checked with torch 2.13; the
first can go when coremltools pads, the second never: MIL's ``conv_transpose`` has no other weight.

    transposed(x, w) = the whole of it without any padding, cut by p and padded by the output's
    transposed(x, w, stride s) = convolution of x with s - 1 zeros between, by w turned round
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

aten = torch.ops.aten
_PLAIN = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_CONV = (F.conv1d, F.conv2d, F.conv3d)


def _transposed(
    node: fx.Node, x: torch.Tensor, w: torch.Tensor, bias: Any = None, stride: Any = 1,
    padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    axes = w.dim() - 2
    stride, padding, extra, dilation = (_each(one, axes) for one in (
        stride, padding, output_padding, dilation))  # fmt: skip
    computed = _computed(node.args[1])
    if not computed and not (axes == 3 and any(extra)):
        return NotImplemented
    if computed:
        whole = _by_convolution(x, w, stride, dilation, groups)
    else:
        whole = _PLAIN[axes - 1](x, w, None, stride, 0, 0, groups, dilation)
    made, missing = whole, [0] * axes
    for axis, (p, e) in enumerate(zip(padding, extra, strict=True)):
        kept = int(whole.shape[axis + 2]) - 2 * p + e
        missing[axis] = max(0, e - p)
        if p or e < p:
            made = made.narrow(axis + 2, p, kept - missing[axis])
    if any(missing):
        made = F.pad(made, [n for one in reversed(missing) for n in (0, one)])
    return made if bias is None else made + bias.reshape(1, -1, *[1] * axes)


def _by_convolution(
    x: torch.Tensor, w: torch.Tensor, stride: list[int], dilation: list[int], groups: int
) -> torch.Tensor:
    axes = w.dim() - 2
    for axis, step in enumerate(stride, 2):
        if step > 1:
            x = x.unsqueeze(axis + 1)
            x = F.pad(x, [0, 0] * (x.dim() - axis - 2) + [0, step - 1])
            x = x.flatten(axis, axis + 1)
            x = x.narrow(axis, 0, x.shape[axis] - step + 1)
    w = w.flip(list(range(2, 2 + axes)))
    inside, out = w.shape[0] // groups, w.shape[1]
    w = w.reshape(groups, inside, out, *w.shape[2:]).transpose(1, 2)
    w = w.reshape(groups * out, inside, *w.shape[3:])
    border = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    return _CONV[axes - 1](x, w, None, 1, border, dilation, groups)


def _convolution(
    node: fx.Node, x: torch.Tensor, w: torch.Tensor, bias: Any, stride: Any, padding: Any,
    dilation: Any, transposed: bool, output_padding: Any, groups: int,
) -> Any:  # fmt: skip
    if not transposed:
        return NotImplemented
    return _transposed(node, x, w, bias, stride, padding, output_padding, groups, dilation)


def _each(value: Any, axes: int) -> list[int]:
    found = [value] if isinstance(value, int) else list(value)
    return found * axes if len(found) == 1 else found


def _computed(weight: Any) -> bool:
    """Whether an input has to do with it."""
    waiting, seen = [weight], set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "placeholder":
            return True
        waiting += node.all_input_nodes
    return False


SPELLING = {
    aten.conv_transpose1d.default: _transposed,
    aten.conv_transpose2d.input: _transposed,
    aten.conv_transpose3d.input: _transposed,
    aten.convolution.default: _convolution,
}
