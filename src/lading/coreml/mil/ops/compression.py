"""Packed weights, and quantised activations.

The constexpr operations run once, when a program is planned. Before iOS 18 their packed bits lie
in bytes, the first element in the lowest bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact


def _spread(parameter: Tensor, data: Tensor, axis: int | None) -> Tensor:
    """A scalar, or one value for each index of `axis`, shaped to broadcast over `data`."""
    if parameter.dim() == 0 or parameter.dim() == data.dim():
        return parameter
    shape = [1] * data.dim()
    shape[0 if axis is None else axis] = -1
    return parameter.reshape(shape)


def _blocks(parameter: Tensor, shape: Sequence[int]) -> Tensor:
    """`parameter` with every element repeated over its block, so that its shape is `shape`."""
    for dim, size in enumerate(shape):
        if size % parameter.shape[dim]:
            raise ValueError(f"{parameter.shape[dim]} blocks in a dimension of size {size}")
        parameter = parameter.repeat_interleave(size // parameter.shape[dim], dim)
    return parameter


def _bits(packed: Tensor, bits: int, count: int) -> Tensor:
    """`count` unsigned integers of `bits` bits out of bytes."""
    places = torch.arange(8)
    stream = ((packed.long().reshape(-1, 1) >> places) & 1).reshape(-1)[: count * bits]
    return (stream.reshape(count, bits) << torch.arange(bits)).sum(1)


# ------------------------------------------------------------------------------------- constexpr
@exact
def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    return source_val


def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    """``scale · (data - zero_point)``, scalars or one value for each index of `axis`."""
    zero = _spread(zero_point, quantized_data, axis).float()
    return _spread(scale, quantized_data, axis) * (quantized_data.float() - zero)


@exact
def constexpr_lut_to_dense(indices: Tensor, lut: Tensor, shape: Sequence[int]) -> Tensor:
    """Indices of ``log2(len(lut))`` bits, packed, into `lut`."""
    bits = int(math.log2(lut.numel()))
    return lut[_bits(indices, bits, math.prod(shape))].reshape(tuple(shape))


@exact
def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Sequence[int]) -> Tensor:
    """The elements where the packed bits of `mask` are 1, zeros elsewhere."""
    kept = _bits(mask, 1, math.prod(shape)).reshape(tuple(shape))
    return _dense(nonzero_data, kept)


def _dense(nonzero: Tensor, mask: Tensor) -> Tensor:
    result = torch.zeros(mask.shape, dtype=nonzero.dtype)
    result[mask != 0] = nonzero
    return result


def constexpr_blockwise_shift_scale(
    data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensor:
    """``scale · (data - offset)``, one value for each block of `data`."""
    value = data.float()
    if offset is not None:
        value = value - _blocks(offset, data.shape).float()
    return _blocks(scale, data.shape) * value


def _looked_up(indices: Tensor, lut: Tensor, vector_axis: int | None) -> Tensor:
    """indices (*D), lut (*blocks, palettes, vector): each index becomes a vector along an axis."""
    tables = lut.flatten(-2)
    for dim, size in enumerate(indices.shape):
        if size % lut.shape[dim]:
            raise ValueError(f"{lut.shape[dim]} tables in a dimension of size {size}")
        tables = tables.repeat_interleave(size // lut.shape[dim], dim)
    tables = tables.reshape(*indices.shape, *lut.shape[-2:])
    place = indices.long()[..., None, None].expand(*indices.shape, 1, lut.shape[-1])
    vectors = tables.gather(-2, place).squeeze(-2)
    if vector_axis is None:
        return vectors.squeeze(-1)
    axis = vector_axis % indices.dim()
    return vectors.movedim(-1, axis + 1).flatten(axis, axis + 1)


@exact
def constexpr_lut_to_dense_ios18(
    indices: Tensor, lut: Tensor, vector_axis: int | None = None
) -> Tensor:
    """indices (*D) into lut (*blocks, palettes, vector), a table for each block."""
    return _looked_up(indices, lut, vector_axis)


@exact
def constexpr_sparse_to_dense_ios18(nonzero_data: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` is 1, zeros elsewhere."""
    return _dense(nonzero_data, mask)


@exact
def constexpr_lut_to_sparse(
    indices_mask: Tensor,
    indices_nonzero_data: Tensor,
    lut: Tensor,
    vector_axis: int | None = None,
) -> Sequence[Tensor]:
    """The mask and the elements of a sparse tensor whose indices are sparse."""
    values = _looked_up(_dense(indices_nonzero_data, indices_mask), lut, vector_axis)
    mask = indices_mask
    if vector_axis is not None:
        mask = mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, values[mask != 0]


def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Sequence[Tensor]:
    """The mask and the elements of a sparse tensor, scaled and shifted block by block."""
    values = constexpr_blockwise_shift_scale(_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, values[data_mask != 0]


# ------------------------------------------------------------------------------------ activations
_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15)}


def quantize(
    input: Tensor,  # noqa: A002 - the operation's own name for it
    scale: Tensor,
    output_dtype: str,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """``clip(round(input / scale) + zero_point)``, halves to even."""
    low, high = _RANGES[output_dtype]
    steps = (input / _spread(scale, input, axis)).round()
    if zero_point is not None:
        steps = steps + _spread(zero_point, input, axis).float()
    signed = torch.uint8 if output_dtype.startswith("u") else torch.int8
    return steps.clamp(low, high).to(signed)


def dequantize(
    input: Tensor,  # noqa: A002 - the operation's own name for it
    scale: Tensor,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """``scale · (input - zero_point)``."""
    value = input.float()
    if zero_point is not None:
        value = value - _spread(zero_point, input, axis).float()
    return _spread(scale, input, axis) * value
