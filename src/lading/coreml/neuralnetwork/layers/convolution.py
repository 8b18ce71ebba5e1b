"""Convolution and pooling, under the names and paddings of this format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights

#: Pooling of all there is.
_WHOLE = {"MAX": "reduce_max", "AVERAGE": "reduce_mean", "L2": "reduce_l2_norm"}


def convolution(
    b: Builder,
    x: Ref,
    weight: Any = None,
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
) -> Any:
    """Over the last two axes; what comes before the last three is the batch. The weight may be a
    second input.

    A deconvolution of a given output shape starts where its padding says, or for "same" padding
    half of what there is too much in, and ends where the shape does; it knows no dilation.
    """
    groups = n_groups or 1
    size = tuple(kernel_size) or (3, 3)
    strides = tuple(stride) or (1, 1)
    pad_type, pad = _padding(valid, same)
    offset = bias.tensor([output_channels]) if has_bias and bias else None
    if is_deconvolution:
        assert weights is not None
        kernel = weights.tensor([kernel_channels, output_channels // groups, *size], channels=1)
        shape = list(output_shape) or None
        return b.conv_transpose(x, kernel, offset, pad, shape, pad_type, strides, (1, 1), groups)
    if weight is None:
        assert weights is not None
        weight = weights.tensor([output_channels, kernel_channels, *size])
    dilations = tuple(dilation_factor) or (1, 1)
    return b.conv(x, weight, offset, strides, pad_type, pad, dilations, groups)


def _padding(
    valid: Mapping[str, Any] | None, same: Mapping[str, Any] | None
) -> tuple[str, list[int]]:
    """In `lading.coreml.mil`'s words: the type, and the amounts before and after each axis."""
    if same is not None:
        upper = same["asymmetry_mode"] == "BOTTOM_RIGHT_HEAVY"
        return ("same" if upper else "same_lower"), [0, 0, 0, 0]
    borders = (valid or {}).get("padding_amounts", {}).get("border_amounts", ())
    amounts = [border[end] for border in borders for end in ("start_edge_size", "end_edge_size")]
    return "custom", amounts or [0, 0, 0, 0]


def convolution3d(
    b: Builder,
    x: Ref,
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
) -> Any:
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
        kernel = weights.tensor([output_channels // groups, input_channels, *size])
        kernel = kernel.transpose(0, 1).contiguous()
        shape = list(output_shape) or None
        return b.conv_transpose(x, kernel, offset, pad, shape, pad_type, strides, dilations, groups)
    kernel = weights.tensor([output_channels, input_channels // groups, *size])
    return b.conv(x, kernel, offset, strides, pad_type, pad, dilations, groups)


def pooling(
    b: Builder,
    x: Ref,
    *,
    type: str = "MAX",  # noqa: A002 - the specification's own name
    kernel_size: Sequence[int] = (3, 3),
    stride: Sequence[int] = (1, 1),
    valid: Mapping[str, Any] | None = None,
    same: Mapping[str, Any] | None = None,
    include_last_pixel: Mapping[str, Any] | None = None,
    avg_pool_exclude_padding: bool = False,
    global_pooling: bool = False,
) -> Any:
    """Over windows of the last two axes, or over all of them."""
    if global_pooling:
        return b.op(_WHOLE[type], x, [-2, -1], True)
    pad_type, pad = _padding(valid, same)
    whole = include_last_pixel is not None
    if include_last_pixel is not None:
        pad = [n for n in include_last_pixel["padding_amounts"] or (0, 0) for _ in range(2)]
    windows = (x, tuple(kernel_size) or (3, 3), pad_type, tuple(stride) or (1, 1), pad)
    if type == "AVERAGE":
        return b.avg_pool(*windows, avg_pool_exclude_padding, whole)
    return b.op("max_pool" if type == "MAX" else "l2_pool", *windows, whole)


def pooling3d(
    b: Builder,
    x: Ref,
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
) -> Any:
    size = [kernel_depth, kernel_height, kernel_width]
    strides = [max(1, n) for n in (stride_depth, stride_height, stride_width)]
    pad = [
        custom_padding_front, custom_padding_back, custom_padding_top,
        custom_padding_bottom, custom_padding_left, custom_padding_right,
    ]  # fmt: skip
    pad_type = padding_type.lower()
    if type == "AVERAGE":
        return b.avg_pool(x, size, pad_type, strides, pad, count_exclude_padding)
    return b.max_pool(x, size, pad_type, strides, pad)


def global_pooling3d(
    b: Builder,
    x: Ref,
    *,
    type: str = "MAX",  # noqa: A002 - the specification's own name
) -> Any:
    return b.op(_WHOLE[type], x, [-3, -2, -1], True)
