"""Products with weights, products of two inputs, and look-up tables of vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.neuralnetwork.weights import Weights


def inner_product(
    x: Tensor,
    *,
    input_channels: int,
    output_channels: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Tensor:
    """The last axis times [C_out, C_in]; of rank 4 and 5 the last three axes are one vector."""
    matrix = weights.tensor([output_channels, input_channels])
    offset = bias.tensor([output_channels]) if has_bias and bias else None
    if x.dim() < 4:
        return F.linear(x, matrix, offset)
    return F.linear(x.flatten(-3), matrix, offset)[..., None, None]


def batched_matmul(
    a: Tensor,
    b: Tensor | None = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    weight_matrix_first_dimension: int = 0,
    weight_matrix_second_dimension: int = 0,
    has_bias: bool = False,
    weights: Weights | None = None,
    bias: Weights | None = None,
) -> Tensor:
    """The product of the last two axes; with one input, of its last axis with a matrix.

    The matrix [X1, X2] lies in the file by columns, which is [X2, X1] by rows.
    """
    if b is None:
        assert weights is not None
        first, second = weight_matrix_first_dimension, weight_matrix_second_dimension
        offset = bias.tensor([second]) if has_bias and bias else None
        return F.linear(a, weights.tensor([second, first]), offset)
    a = a[None] if a.dim() == 1 else a
    b = b[:, None] if b.dim() == 1 else b
    return torch.matmul(
        a.transpose(-1, -2) if transpose_a else a, b.transpose(-1, -2) if transpose_b else b
    )


def _rows(ids: Tensor, size: int) -> Tensor:
    """Ids as whole numbers.

    Raises:
        IndexError: one is no row of a table of `size`.
    """
    rows = ids.long()
    if rows.numel() and not (int(rows.min()) >= 0 and int(rows.max()) < size):
        raise IndexError(f"ids from {int(rows.min())} to {int(rows.max())} in a table of {size}")
    return rows


def embedding_nd(
    x: Tensor,
    *,
    vocab_size: int,
    embedding_size: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Tensor:
    """Ids (..., 1) to vectors (..., E); the table lies in the file as [E, vocabulary]."""
    table = weights.tensor([embedding_size, vocab_size]).t()
    found = table[_rows(x.squeeze(-1), vocab_size)]
    return found + bias.tensor([embedding_size]) if has_bias and bias else found


def embedding(
    x: Tensor,
    *,
    input_dim: int,
    output_channels: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Tensor:
    """Ids (..., 1, 1, 1) to vectors (..., C, 1, 1)."""
    table = weights.tensor([output_channels, input_dim]).t()
    found = table[_rows(x.flatten(-3).squeeze(-1), input_dim)]
    if has_bias and bias:
        found = found + bias.tensor([output_channels])
    return found[..., None, None]


def dot(x: Tensor, y: Tensor, *, cosine_similarity: bool = False) -> Tensor:
    """The sum of products over the channels (..., C, 1, 1), of unit vectors if asked for."""
    product = (x * y).sum(-3, keepdim=True)
    if not cosine_similarity:
        return product
    lengths = (x * x).sum(-3, keepdim=True) * (y * y).sum(-3, keepdim=True)
    return product / lengths.clamp(min=math.ulp(0.0)).sqrt()
