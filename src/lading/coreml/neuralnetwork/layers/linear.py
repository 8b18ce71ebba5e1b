"""Products with weights, products of two inputs, and look-up tables of vectors."""

from __future__ import annotations

from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights


def inner_product(
    b: Builder,
    x: Ref,
    *,
    input_channels: int,
    output_channels: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Any:
    """The last axis times [C_out, C_in]; of rank 4 and 5 the last three axes are one vector."""
    offset = bias.tensor([output_channels]) if has_bias and bias else None
    return b.inner_product(x, weights.tensor([output_channels, input_channels]), offset)


def batched_matmul(
    b: Builder,
    x: Ref,
    y: Ref | None = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    weight_matrix_first_dimension: int = 0,
    weight_matrix_second_dimension: int = 0,
    has_bias: bool = False,
    weights: Weights | None = None,
    bias: Weights | None = None,
) -> Any:
    """The product of the last two axes; with one input, of its last axis with a matrix.

    The matrix [X1, X2] lies in the file by columns, which is [X2, X1] by rows.
    """
    if y is not None:
        return b.batched_matmul(x, y, transpose_a, transpose_b)
    assert weights is not None
    first, second = weight_matrix_first_dimension, weight_matrix_second_dimension
    offset = bias.tensor([second]) if has_bias and bias else None
    return b.linear(x, weights.tensor([second, first]), offset)


def embedding_nd(
    b: Builder,
    x: Ref,
    *,
    vocab_size: int,
    embedding_size: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Any:
    """Ids (..., 1) to vectors (..., E); the table lies in the file as [E, vocabulary]."""
    table = weights.tensor([embedding_size, vocab_size]).t().contiguous()
    found = b.rows(table, b.whole(b.drop_axes(x, [-1])))
    return b.add(found, bias.tensor([embedding_size])) if has_bias and bias else found


def embedding(
    b: Builder,
    x: Ref,
    *,
    input_dim: int,
    output_channels: int,
    weights: Weights,
    has_bias: bool = False,
    bias: Weights | None = None,
) -> Any:
    """Ids (..., 1, 1, 1) to vectors (..., C, 1, 1)."""
    ids = b.drop_axes(x, [-3, -2])
    offset = bias if has_bias else None
    sizes = {"vocab_size": input_dim, "embedding_size": output_channels}
    found = embedding_nd(b, ids, weights=weights, has_bias=has_bias, bias=offset, **sizes)
    return b.expand_dims(found, [-2, -1])


def dot(b: Builder, x: Ref, y: Ref, *, cosine_similarity: bool = False) -> Any:
    """The sum of products over the channels (..., C, 1, 1), of unit vectors if asked for."""
    product = b.reduce_sum(b.mul(x, y), [-3], True)
    if not cosine_similarity:
        return product
    squares = [b.reduce_sum_square(one, [-3], True) for one in (x, y)]
    return b.real_div(product, b.sqrt(b.mul(*squares)))
