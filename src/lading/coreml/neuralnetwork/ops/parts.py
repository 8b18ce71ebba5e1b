"""Parts and shapes of arrays whose rank the file leaves open. Nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from lading.coreml.mil.registry import exact


@exact
def flatten(x: Tensor) -> Tensor:
    """The last three axes become (C · H · W, 1, 1)."""
    return x.flatten(-3)[..., None, None]


@exact
def channels_last(x: Tensor) -> Tensor:
    """(..., C, H, W) to (..., H, W, C)."""
    return x.movedim(-3, -1)


@exact
def drop_axes(x: Tensor, axes: Sequence[int]) -> Tensor:
    """Without `axes`, whose size must be 1."""
    for axis in axes:
        if x.shape[axis] != 1:
            raise ValueError(f"axis {axis} of {list(x.shape)} is not 1")
    return x.squeeze(tuple(axes))


@exact
def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.expand(list(shape))


@exact
def slice_axis(x: Tensor, axis: int, begin: int, end: int, stride: int = 1) -> Tensor:
    """Python's ``[begin:end:stride]`` along one axis."""
    index = [slice(None)] * x.dim()
    index[axis] = slice(begin, end, stride)
    return x[tuple(index)]


@exact
def narrow(x: Tensor, axis: int, begin: int, size: int) -> Tensor:
    """`size` elements along one axis, all of which must be there."""
    return x.narrow(axis, begin, size)


@exact
def parts(x: Tensor, axis: int, count: int) -> Sequence[Tensor]:
    """So many parts along one axis, the first ones longer by one where they are not equal."""
    return x.tensor_split(count, axis)


@exact
def crop_like(x: Tensor, like: Tensor, top: int, left: int) -> Tensor:
    """As much of the last two axes as `like` has, from an offset on."""
    height, width = like.shape[-2:]
    return x[..., top : top + height, left : left + width]


@exact
def pad_to(x: Tensor, sizes: Sequence[int], value: float) -> Tensor:
    """Up to a size before or behind each axis, two numbers an axis of which one is 0."""
    pads = [max(0, size - x.shape[place // 2]) if size else 0 for place, size in enumerate(sizes)]
    pairs = [pads[i : i + 2] for i in range(0, len(pads), 2)]
    return F.pad(x, [n for pair in reversed(pairs) for n in pair], value=value)


@exact
def lower_triangle(x: Tensor, diagonal: int) -> Tensor:
    """What lies on or below a diagonal, the main one being 0."""
    return x.tril(diagonal)


@exact
def upper_triangle(x: Tensor, diagonal: int) -> Tensor:
    """What lies on or above a diagonal."""
    return x.triu(diagonal)
