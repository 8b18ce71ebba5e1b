"""Convolution and pooling: those of `lading.mil` under the names and paddings of this format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lading.coreml.mil.ops import conv as mil
from lading.coreml.neuralnetwork.weights import Weights


def convolution(
    x: Tensor,
    weight: Tensor | None = None,
    *,
    output_channels: int,
    kernel_channels: int,
    weights: Weights | None = None,
    n_groups: int = 1,
    kernel_size: Sequence[int] = (3, 3),
    stride: Sequence[int] = (1, 1),
    dilation_factor: Sequence[int] = (1, 1),
    valid: Mapping[str, Any] | None = None,
    same: Mapping[str, Any] | None = None,
    is_deconvolution: bool = False,
    has_bias: bool = False,
    bias: Weights | None = None,
    output_shape: Sequence[int] = (),
) -> Tensor:
    """Over the last two axes; what comes before the last three is the batch.

    A deconvolution of a given output shape starts where its padding says, or for "same" padding
    half of what there is too much in, and ends where the shape does; it knows no dilation.
    """
    groups = n_groups or 1
    size = tuple(kernel_size) or (3, 3)
    strides = tuple(stride) or (1, 1)
    pad_type, pad = _padding(valid, same)
    offset = bias.tensor([output_channels]) if has_bias and bias else None
    lead, planes = x.shape[:-3], x.reshape(-1, *x.shape[-3:])
    if is_deconvolution:
        assert weights is not None
        kernel = weights.tensor([kernel_channels, output_channels // groups, *size], channels=1)
        shape = list(output_shape) or None
        result = mil.conv_transpose(
            planes, kernel, offset, pad, shape, pad_type, strides, (1, 1), groups
        )
    else:
        if weight is None:
            assert weights is not None
            weight = weights.tensor([output_channels, kernel_channels, *size])
        dilations = tuple(dilation_factor) or (1, 1)
        result = mil.conv(planes, weight, offset, strides, pad_type, pad, dilations, groups)
    return result.reshape(*lead, *result.shape[1:])


def _padding(
    valid: Mapping[str, Any] | None, same: Mapping[str, Any] | None
) -> tuple[str, list[int]]:
    """In `lading.mil`'s words: the type, and the amounts before and after each axis."""
    if same is not None:
        upper = same["asymmetry_mode"] == "BOTTOM_RIGHT_HEAVY"
        return ("same" if upper else "same_lower"), [0, 0, 0, 0]
    borders = (valid or {}).get("padding_amounts", {}).get("border_amounts", ())
    amounts = [border[end] for border in borders for end in ("start_edge_size", "end_edge_size")]
    return "custom", amounts or [0, 0, 0, 0]


def convolution3d(
    x: Tensor,
    *,
    output_channels: int,
    input_channels: int,
    weights: Weights,
    n_groups: int = 1,
    kernel_depth: int = 1,
    kernel_height: int = 1,
    kernel_width: int = 1,
    stride_depth: int = 1,
    stride_height: int = 1,
    stride_width: int = 1,
    dilation_depth: int = 1,
    dilation_height: int = 1,
    dilation_width: int = 1,
    has_bias: bool = False,
    bias: Weights | None = None,
    padding_type: str = "CUSTOM",
    custom_padding_front: int = 0,
    custom_padding_back: int = 0,
    custom_padding_top: int = 0,
    custom_padding_bottom: int = 0,
    custom_padding_left: int = 0,
    custom_padding_right: int = 0,
    is_deconvolution: bool = False,
    output_shape: Sequence[int] = (),
) -> Tensor:
    """[N, C, D, H, W]; a deconvolution's kernels lie in the file as [C_out / groups, C_in, ...]."""
    groups = n_groups or 1
    size = [kernel_depth, kernel_height, kernel_width]
    strides = [max(1, n) for n in (stride_depth, stride_height, stride_width)]
    dilations = [max(1, n) for n in (dilation_depth, dilation_height, dilation_width)]
    pad = [
        custom_padding_front, custom_padding_back, custom_padding_top,
        custom_padding_bottom, custom_padding_left, custom_padding_right,
    ]  # fmt: skip
    pad_type = padding_type.lower()
    offset = bias.tensor([output_channels]) if has_bias and bias else None
    if is_deconvolution:
        kernel = weights.tensor([output_channels // groups, input_channels, *size]).transpose(0, 1)
        shape = list(output_shape) or None
        return mil.conv_transpose(
            x, kernel, offset, pad, shape, pad_type, strides, dilations, groups
        )
    kernel = weights.tensor([output_channels, input_channels // groups, *size])
    return mil.conv(x, kernel, offset, strides, pad_type, pad, dilations, groups)


def pooling(
    x: Tensor,
    *,
    type: str = "MAX",  # noqa: A002 - the specification's own name
    kernel_size: Sequence[int] = (3, 3),
    stride: Sequence[int] = (1, 1),
    valid: Mapping[str, Any] | None = None,
    same: Mapping[str, Any] | None = None,
    include_last_pixel: Mapping[str, Any] | None = None,
    avg_pool_exclude_padding: bool = False,
    global_pooling: bool = False,
) -> Tensor:
    """Over windows of the last two axes, or over all of them."""
    lead, planes = x.shape[:-3], x.reshape(-1, *x.shape[-3:])
    size, strides = tuple(kernel_size) or (3, 3), tuple(stride) or (1, 1)
    pad_type, pad = _padding(valid, same)
    if global_pooling:
        size, strides, pad_type, pad = tuple(x.shape[-2:]), (1, 1), "custom", [0, 0, 0, 0]
    elif include_last_pixel is not None:
        pad = [n for n in include_last_pixel["padding_amounts"] or (0, 0) for _ in range(2)]
    whole = include_last_pixel is not None
    if type == "AVERAGE":
        result = mil.avg_pool(
            planes, size, pad_type, strides, pad, avg_pool_exclude_padding, ceil_mode=whole
        )
    else:
        pool = mil.max_pool if type == "MAX" else mil.l2_pool
        result = pool(planes, size, pad_type, strides, pad, ceil_mode=whole)
    return result.reshape(*lead, *result.shape[1:])


def pooling3d(
    x: Tensor,
    *,
    type: str = "MAX",  # noqa: A002 - the specification's own name
    kernel_depth: int = 1,
    kernel_height: int = 1,
    kernel_width: int = 1,
    stride_depth: int = 1,
    stride_height: int = 1,
    stride_width: int = 1,
    padding_type: str = "CUSTOM",
    custom_padding_front: int = 0,
    custom_padding_back: int = 0,
    custom_padding_top: int = 0,
    custom_padding_bottom: int = 0,
    custom_padding_left: int = 0,
    custom_padding_right: int = 0,
    count_exclude_padding: bool = False,
) -> Tensor:
    size = [kernel_depth, kernel_height, kernel_width]
    strides = [max(1, n) for n in (stride_depth, stride_height, stride_width)]
    pad = [
        custom_padding_front, custom_padding_back, custom_padding_top,
        custom_padding_bottom, custom_padding_left, custom_padding_right,
    ]  # fmt: skip
    pad_type = padding_type.lower()
    if type == "AVERAGE":
        return mil.avg_pool(x, size, pad_type, strides, pad, count_exclude_padding)
    return mil.max_pool(x, size, pad_type, strides, pad)


def global_pooling3d(
    x: Tensor,
    *,
    type: str = "MAX",  # noqa: A002 - the specification's own name
) -> Tensor:
    axes = (-3, -2, -1)
    return x.amax(axes, keepdim=True) if type == "MAX" else x.mean(axes, keepdim=True)
