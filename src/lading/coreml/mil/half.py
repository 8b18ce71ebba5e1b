"""Sums that add up in float16: what the policy ``half-accumulate`` runs instead.

The running sum is rounded to float16 each time something is added to it, in a fixed order:
convolutions add one input channel's window at a time, products and reductions `BLOCK` terms.
What is added is itself exact in float32 and then rounded. Normalisation layers and pooling are
left as they are: every compute unit that we know of sums those in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lading.coreml.mil.ops import conv as _conv
from lading.coreml.mil.ops import reduction as _reduction

#: Terms summed at once, the width of a 128-bit float16 register.
BLOCK = 8


def find(name: str) -> Callable[..., Any] | None:
    """The operation `name` with a float16 accumulator, or None if it adds nothing up.

    >>> find("matmul") is matmul, find("relu") is None
    (True, True)
    """
    return _SUMMING.get(name)


def _round(x: Tensor) -> Tensor:
    return x.half().float()


def _add_up(terms: Iterator[Tensor]) -> Tensor:
    total = _round(next(terms))
    for term in terms:
        total = _round(total + _round(term))
    return total


# ---------------------------------------------------------------------------------- convolution
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """`ops.conv.conv`, one input channel of each group at a time."""
    width = x.shape[1] // groups
    grouped = x.reshape(x.shape[0], groups, width, *x.shape[2:])
    terms = (
        _conv.conv(
            grouped[:, :, i], weight[:, i : i + 1], None, strides, pad_type, pad, dilations, groups
        )
        for i in range(width)
    )
    return _biased(_add_up(terms), bias)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pad_type: str = "valid",
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """`ops.conv.conv_transpose`, one input channel of each group at a time."""
    width = x.shape[1] // groups
    grouped = x.reshape(x.shape[0], groups, width, *x.shape[2:])
    kernels = weight.reshape(groups, width, *weight.shape[1:])
    terms = (
        _conv.conv_transpose(
            grouped[:, :, i],
            kernels[:, i],
            None,
            pad,
            output_shape,
            pad_type,
            strides,
            dilations,
            groups,
        )
        for i in range(width)
    )
    return _biased(_add_up(terms), bias)


def _biased(total: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return total
    return total + bias.reshape(-1, *[1] * (total.dim() - 2))


# -------------------------------------------------------------------------------------- products
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """`ops.linear.matmul`, `BLOCK` products at a time."""
    if transpose_x and x.dim() > 1:
        x = x.transpose(-1, -2)
    if transpose_y and y.dim() > 1:
        y = y.transpose(-1, -2)
    if x.dim() == 1 or y.dim() == 1:
        result = matmul(x if x.dim() > 1 else x[None], y if y.dim() > 1 else y[:, None])
        result = result.squeeze(-1) if y.dim() == 1 else result
        return result.squeeze(-1 if y.dim() == 1 else -2) if x.dim() == 1 else result
    parts = zip(x.split(BLOCK, -1), y.split(BLOCK, -2), strict=True)  # type: ignore[no-untyped-call]
    return _add_up(torch.matmul(left, right) for left, right in parts)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`ops.linear.linear`, `BLOCK` products at a time."""
    total = matmul(x, weight.t())
    return total if bias is None else total + bias


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """`ops.linear.scaled_dot_product_attention` with both products summed in float16."""
    scores = _round(matmul(query, key, transpose_y=True) / math.sqrt(query.shape[-1]))
    if attn_mask is not None:
        if attn_mask.dtype is torch.bool:
            scores = scores.masked_fill(~attn_mask, float("-inf"))
        else:
            scores = _round(scores + attn_mask)
    return matmul(_round(scores.softmax(-1)), value)


# ------------------------------------------------------------------------------------ reductions
def _sum(x: Tensor, axes: Sequence[int], keep_dims: bool) -> Tensor:
    """The sum over `axes`, `BLOCK` elements at a time; the signature of `torch.sum`."""
    others = [d for d in range(x.dim()) if d not in axes]
    flat = x.permute(*others, *axes).flatten(len(others))
    if not flat.shape[-1]:
        total = flat.sum(-1)
    else:
        total = _add_up(part.sum(-1) for part in flat.split(BLOCK, -1))  # type: ignore[no-untyped-call]
    if keep_dims:
        total = total.reshape([1 if d in axes else n for d, n in enumerate(x.shape)])
    return total


def _mean(x: Tensor, axes: Sequence[int], keep_dims: bool) -> Tensor:
    return _sum(x, axes, keep_dims) / math.prod(x.shape[axis] for axis in axes)


def reduce_sum(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _reduction._over(x, axes, keep_dims, _sum)


def reduce_mean(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _reduction._over(x, axes, keep_dims, _mean)


def reduce_l1_norm(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return _reduction._over(x.abs(), axes, keep_dims, _sum)


def reduce_l2_norm(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return reduce_sum_square(x, axes, keep_dims).sqrt()


def reduce_sum_square(
    x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False
) -> Tensor:
    return _reduction._over(_round(x.square()), axes, keep_dims, _sum)


def reduce_log_sum(x: Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> Tensor:
    return reduce_sum(x, axes, keep_dims).log()


_SUMMING: dict[str, Callable[..., Any]] = {
    name: function
    for name, function in list(globals().items())
    if name == "linear" or name.startswith(("conv", "matmul", "reduce_", "scaled_dot"))
}
