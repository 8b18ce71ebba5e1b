"""Resizing, cropping and resampling pictures, and their sampling and coordinate modes.

Formulas: the operations' published specification. A *point* is a place along one dimension of the
input in units of elements, 0 at the centre of the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import exact


def _points(mode: str, span: Tensor, count: int) -> Tensor:
    """`count` points for an interval that covers `span` elements, from 0 to ``span - 1``.

    Args:
        mode: the sampling mode.
        span: the number of elements, any shape (...), float64; less than 1 for an inverted box.
        count: how many points.

    Returns:
        (..., count), float64.
    """
    i = torch.arange(count, dtype=torch.float64)
    span = span[..., None]
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if count == 1:
            middle = (span - 1) / 2
            return middle if mode == "ALIGN_CORNERS" else torch.zeros_like(middle)
        points = i * ((span - 1) / (count - 1))
    elif mode == "DEFAULT":
        points = i * (span / count)
    elif mode == "OFFSET_CORNERS":
        points = (i + 0.5) * ((span - 1).clamp(min=1) / count)
    elif mode == "UNALIGN_CORNERS":
        points = (i + 0.5) * (span / count) - 0.5
    else:
        raise ValueError(f"sampling mode {mode}")
    zero = torch.zeros_like(span)
    return points.clamp(torch.minimum(span - 1, zero), torch.maximum(span - 1, zero))


def _nearest_whole(points: Tensor) -> Tensor:
    """The nearest whole point, of two the right one."""
    return (points + 0.5).floor()


def _along(x: Tensor, dim: int, points: Tensor) -> Tensor:
    """`x` at `points` (1-D, inside) along `dim`, linear between neighbours."""
    low = points.floor()
    weight = (points - low).to(x.dtype).reshape(-1, *[1] * (x.dim() - 1 - dim % x.dim()))
    index = low.long()
    left = x.index_select(dim, index)
    right = x.index_select(dim, (index + 1).clamp(max=x.shape[dim] - 1))
    return torch.lerp(left, right, weight)


def _linear(x: Tensor, sizes: Sequence[int], mode: str) -> Tensor:
    """The last dimensions of `x` resized to `sizes`, linear."""
    if len(sizes) == 2 and mode in ("UNALIGN_CORNERS", "STRICT_ALIGN_CORNERS") and x.numel():
        planes = x.reshape(1, -1, *x.shape[-2:]) if x.dim() != 4 else x
        corners = mode == "STRICT_ALIGN_CORNERS"
        result = F.interpolate(planes, list(sizes), mode="bilinear", align_corners=corners)
        return result.reshape(*x.shape[:-2], *sizes)
    kind, wide = x.dtype, x if x.is_floating_point() else x.double()
    for dim, size in enumerate(sizes, x.dim() - len(sizes)):
        span = torch.tensor(wide.shape[dim], dtype=torch.float64)
        wide = _along(wide, dim, _points(mode, span, size))
    if not sizes:
        return x.clone()
    return wide if wide.dtype == kind else wide.round().to(kind)


def _nearest(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """The last dimensions of `x` resized to `sizes`: element ``floor(i · in / out)``."""
    old = x.shape[-len(sizes) :]
    whole = not any(n % m for n, m in zip(sizes, old, strict=True))
    if whole and len(sizes) == 2 and x.dim() == 4 and x.is_floating_point():
        return F.interpolate(x, list(sizes), mode="nearest")
    for dim, (n, m) in enumerate(zip(sizes, old, strict=True), x.dim() - len(sizes)):
        x = x.index_select(dim, torch.arange(n) * m // n)
    return x


def _scaled(x: Tensor, height: float, width: float) -> list[int]:
    return [int(x.shape[-2] * height), int(x.shape[-1] * width)]


@exact
def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1
) -> Tensor:
    return _nearest(x, _scaled(x, scale_factor_height, scale_factor_width))


@exact
def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    return _nearest(x, [target_size_height, target_size_width])


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """The scale is recomputed from the output's size; `half_pixel_centers` is not `align_corners`
    unless it is given."""
    half = not align_corners if half_pixel_centers is None else half_pixel_centers
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half else "DEFAULT"
    return _linear(x, _scaled(x, scale_factor_height, scale_factor_width), mode)


def resize_bilinear(
    x: Tensor,
    target_size_height: int = 1,
    target_size_width: int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    return _linear(x, [target_size_height, target_size_width], sampling_mode)


def resize(
    x: Tensor,
    shape: Sequence[int],
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """The last `resized_dims` sizes from `shape`, where a 0 keeps the size of `x`."""
    old = x.shape[x.dim() - resized_dims :]
    new = [n or m for n, m in zip(shape[len(shape) - resized_dims :], old, strict=True)]
    if interpolation_mode == "LINEAR":
        return _linear(x, new, sampling_mode)
    for dim, size in enumerate(new, x.dim() - resized_dims):
        span = torch.tensor(x.shape[dim], dtype=torch.float64)
        places = _nearest_whole(_points(sampling_mode, span, size)).long()
        x = x.index_select(dim, places.clamp(0, x.shape[dim] - 1))
    return x


@exact
def crop(x: Tensor, crop_height: Sequence[int], crop_width: Sequence[int]) -> Tensor:
    """Without so many rows at the top and bottom and columns at the left and right."""
    H, W = x.shape[-2:]
    top, bottom = crop_height
    left, right = crop_width
    return x[..., top : H - bottom, left : W - right]


# --------------------------------------------------------------------------------- free sampling
def _taps(points: Tensor, size: int, padding: str) -> tuple[Tensor, Tensor]:
    """Whole points as indices into a dimension of `size`, and which of them are inside."""
    index = points.long()
    inside = (index >= 0) & (index < size)
    if padding == "reflection" and size > 1:
        index = (index % (2 * size - 2) - (size - 1)).abs()
        return (size - 1) - index, torch.ones_like(inside)
    if padding == "symmetric":
        index = index % (2 * size)
        return torch.minimum(index, 2 * size - 1 - index), torch.ones_like(inside)
    if padding != "constant":
        return index.clamp(0, size - 1), torch.ones_like(inside)
    return index.clamp(0, size - 1), inside


def _sample(
    x: Tensor, px: Tensor, py: Tensor, padding: str, padding_value: float, nearest: bool
) -> Tensor:
    """x (B, C, H, W) at the points `px`, `py` (B, H2, W2) of an image padded without end."""
    B, C, H, W = x.shape
    shape = (B, C, *px.shape[1:])

    def at(ix: Tensor, iy: Tensor) -> Tensor:
        column, inside_x = _taps(ix, W, padding)
        row, inside_y = _taps(iy, H, padding)
        place = (row * W + column).reshape(B, 1, -1).expand(B, C, -1)
        picked = x.reshape(B, C, H * W).gather(2, place).reshape(shape)
        if padding != "constant":
            return picked
        inside = (inside_x & inside_y)[:, None]
        return torch.where(inside, picked, x.new_full((), padding_value))

    # Far beyond the image nothing changes; this keeps infinities out of the integers.
    px = px.nan_to_num(nan=-1e6).clamp(-1e6, 1e6)
    py = py.nan_to_num(nan=-1e6).clamp(-1e6, 1e6)
    if nearest:
        return at(_nearest_whole(px), _nearest_whole(py))
    x0, y0 = px.floor(), py.floor()
    wx, wy = (px - x0).to(x.dtype)[:, None], (py - y0).to(x.dtype)[:, None]
    top = torch.lerp(at(x0, y0), at(x0 + 1, y0), wx)
    bottom = torch.lerp(at(x0, y0 + 1), at(x0 + 1, y0 + 1), wx)
    return torch.lerp(top, bottom, wy)


def _unnormalized(coordinate: Tensor, size: int, mode: str, align_corners: bool) -> Tensor:
    """A coordinate in units of elements."""
    if mode == "unnormalized":
        return coordinate
    unit = (coordinate + 1) / 2 if mode == "normalized_minus_one_to_one" else coordinate
    return unit * (size - 1) if align_corners else unit * size - 0.5


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """x (B, C, H, W) at coordinates (B, H2, W2, 2), each (x, y)."""
    points = coordinates.double()
    px = _unnormalized(points[..., 0], x.shape[3], coordinates_mode, align_corners)
    py = _unnormalized(points[..., 1], x.shape[2], coordinates_mode, align_corners)
    return _sample(x, px, py, padding_mode, padding_value, sampling_mode == "nearest")


def affine(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """x at ``(a0 x + a1 y + a2, b0 x + b1 y + b2)`` for each (x, y) of the output."""

    def base(count: int) -> Tensor:
        i = torch.arange(count, dtype=torch.float64)
        unit = i / max(1, count - 1) if align_corners else (i + 0.5) / count
        if coordinates_mode == "unnormalized":
            return i
        return unit * 2 - 1 if coordinates_mode == "normalized_minus_one_to_one" else unit

    matrix = transform_matrix.double().expand(x.shape[0], 6)[:, :, None, None]
    column, row = base(output_width)[None, None], base(output_height)[None, :, None]
    to_x = matrix[:, 0] * column + matrix[:, 1] * row + matrix[:, 2]
    to_y = matrix[:, 3] * column + matrix[:, 4] * row + matrix[:, 5]
    px = _unnormalized(to_x, x.shape[3], coordinates_mode, align_corners)
    py = _unnormalized(to_y, x.shape[2], coordinates_mode, align_corners)
    return _sample(x, px, py, padding_mode, padding_value, sampling_mode == "nearest")


def _boxes(
    x: Tensor, boxes: Tensor, layout: str, normalized: bool, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes (N, 4) as top, bottom, left and right points, each (N,)."""
    first, second, third, fourth = (boxes.double() * scale).unbind(1)
    if layout.endswith("WIDTH_FIRST"):
        first, second, third, fourth = second, first, fourth, third
    if layout.startswith("CENTER_SIZE"):
        first, third = first - third / 2, first + third / 2
        second, fourth = second - fourth / 2, second + fourth / 2
    if normalized:
        first, third = first * (x.shape[2] - 1), third * (x.shape[2] - 1)
        second, fourth = second * (x.shape[3] - 1), fourth * (x.shape[3] - 1)
    return first, third, second, fourth


def _whole_if_beyond(first: Tensor, last: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """A side of a box that runs backwards and lies beyond the image, as the image's whole side.

    Documented boxes lie in the image. coremltools' suite has one that does not in this mode, (2, 2)
    to (1, 1) normalized, and expects of it the whole image resized; nothing else is known.
    """
    beyond = (first > last) & (last >= size - 1)
    return first.masked_fill(beyond, 0.0), last.masked_fill(beyond, size - 1.0)


def _crop_resize(
    x: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    normalized: bool,
    scale: float,
    layout: str,
    mode: str,
    pad_value: float,
) -> Tensor:
    """One patch a box, x (N, C, H, W) and boxes (N, 4), to (N, C, *size).

    A point outside the image is `pad_value` as a whole, as in TensorFlow's `crop_and_resize`.
    """
    top, bottom, left, right = _boxes(x, boxes, layout, normalized, scale)
    if mode == "UNALIGN_CORNERS":
        top, bottom = _whole_if_beyond(top, bottom, x.shape[2])
        left, right = _whole_if_beyond(left, right, x.shape[3])
    py = top[:, None] + _points(mode, bottom - top + 1, size[0])
    px = left[:, None] + _points(mode, right - left + 1, size[1])
    H, W = x.shape[2:]
    shape = (len(boxes), *size)
    result = _sample(
        x, px[:, None].expand(shape), py[:, :, None].expand(shape), "border", 0.0, False
    )
    rows, columns = (py >= 0) & (py <= H - 1), (px >= 0) & (px <= W - 1)
    inside = (rows[:, :, None] & columns[:, None])[:, None]
    return torch.where(inside, result, x.new_full((), pad_value))


def crop_resize(
    x: Tensor,
    roi: Tensor,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Tensor:
    """roi (N, 1, 4, 1, 1): each box on every image, to (N, B, C, h, w). With a fifth number in
    front, the image's index, to (N, 1, C, h, w)."""
    N, B = roi.shape[0], x.shape[0]
    flat = roi.reshape(N, roi.shape[2])
    if flat.shape[1] == 5:
        images, flat, per_box = flat[:, 0].long(), flat[:, 1:], 1
    else:
        images, per_box = torch.arange(B).repeat(N), B
        flat = flat.repeat_interleave(B, 0)
    patches = _crop_resize(
        x[images],
        flat,
        (target_height, target_width),
        normalized_coordinates,
        spatial_scale,
        box_coordinate_mode,
        sampling_mode,
        pad_value,
    )
    return patches.reshape(N, per_box, *patches.shape[1:])


def crop_resize_ios17(
    x: Tensor,
    boxes: Tensor,
    box_indices: Tensor | None = None,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Tensor:
    """boxes (N, 4), each on the image that `box_indices` names, to (N, C, h, w)."""
    images = torch.arange(len(boxes)) if box_indices is None else box_indices.long()
    return _crop_resize(
        x[images],
        boxes,
        (target_height, target_width),
        normalized_coordinates,
        spatial_scale,
        box_coordinate_mode,
        sampling_mode,
        pad_value,
    )
