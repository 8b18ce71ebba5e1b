"""Matrix products and attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import converting


@converting
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (*, D_in) times the transpose of weight (D_out, D_in), plus bias (D_out).

    Integers on one side and floats on the other (iOS 17) are multiplied as floats; the program
    declares which of the two the result is.
    """
    if x.dtype is not weight.dtype:
        x, weight = _alike(x, weight)
    if bias is not None and bias.dtype is not x.dtype:
        bias = bias.to(x.dtype)
    if x.is_floating_point():
        return F.linear(x, weight, bias)
    product = torch.matmul(x, weight.t())
    return product if bias is None else product + bias


def _alike(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype), y.to(dtype)


@converting
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """The product of the last two dimensions; the others broadcast.

    Integers on one side and floats on the other (iOS 17) are multiplied as floats; the program
    declares which of the two the result is.
    """
    if x.dtype is not y.dtype:
        x, y = _alike(x, y)
    if transpose_x and x.dim() > 1:
        x = x.transpose(-1, -2)
    if transpose_y and y.dim() > 1:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


def einsum(values: Sequence[Tensor], equation: str) -> Tensor:
    """Einstein's sum over `values`, dimensions of size 1 broadcast."""
    return torch.einsum(equation, *values)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """``softmax(query · keyᵀ / sqrt(E) + mask) · value``; a bool mask keeps where it is True.

    Source: Vaswani et al., "Attention Is All You Need", 2017.
    """
    return F.scaled_dot_product_attention(query, key, value, attn_mask)
