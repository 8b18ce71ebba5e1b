"""Shapes, order, parts and joints: nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lading.coreml.neuralnetwork.registry import exact


@exact
def copy(x: Tensor) -> Tensor:
    return x


# ---------------------------------------------------------------------------------------- shape
@exact
def reshape_static(x: Tensor, *, target_shape: Sequence[int]) -> Tensor:
    return x.reshape(list(target_shape))


@exact
def reshape_dynamic(x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape(_whole(shape))


@exact
def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    return x.reshape(like.shape)


@exact
def rank_preserving_reshape(x: Tensor, *, target_shape: Sequence[int]) -> Tensor:
    """A size of 0 keeps the one of the input."""
    return x.reshape([n or x.shape[axis] for axis, n in enumerate(target_shape)])


@exact
def expand_dims(x: Tensor, *, axes: Sequence[int]) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@exact
def squeeze(x: Tensor, *, axes: Sequence[int] = (), squeeze_all: bool = False) -> Tensor:
    if squeeze_all:
        return x.squeeze()
    for axis in axes:
        if x.shape[axis] != 1:
            raise ValueError(f"axis {axis} of {list(x.shape)} is not 1")
    return x.squeeze(tuple(axes))


@exact
def flatten_to2d(x: Tensor, *, axis: int = 0) -> Tensor:
    """The axes before `axis` are one, and those from it on are the other."""
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


@exact
def flatten(x: Tensor, *, mode: str = "CHANNEL_FIRST") -> Tensor:
    """The last three axes become (C · H · W, 1, 1)."""
    if mode == "CHANNEL_LAST":
        x = x.movedim(-3, -1)
    return x.flatten(-3)[..., None, None]


@exact
def reshape(x: Tensor, *, target_shape: Sequence[int], mode: str = "CHANNEL_FIRST") -> Tensor:
    """Of rank 5, [Seq, B, C, H, W], to a shape of three or four (the first is Seq)."""
    shape = list(target_shape)
    lead = [shape[0], x.shape[1]] if len(shape) == 4 else list(x.shape[:2])
    channels, height, width = shape[-3:]
    if mode == "CHANNEL_FIRST":
        return x.reshape(*lead, channels, height, width)
    return x.movedim(-3, -1).reshape(*lead, height, width, channels).movedim(-1, -3)


@exact
def get_shape(x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.float32)


def _whole(values: Tensor) -> list[int]:
    return [int(n) for n in values.flatten().tolist()]


# ---------------------------------------------------------------------------------------- order
@exact
def transpose(x: Tensor, *, axes: Sequence[int]) -> Tensor:
    return x.permute(*axes)


@exact
def permute(x: Tensor, *, axis: Sequence[int] = ()) -> Tensor:
    """The axes Seq, C, H, W of [Seq, B, C, H, W] in another order; B stays."""
    places = [0, 2, 3, 4]
    order = [places[one] for one in axis or range(4)]
    return x.permute(order[0], 1, *order[1:])


@exact
def reverse(x: Tensor, *, reverse_dim: Sequence[bool]) -> Tensor:
    return x.flip([axis for axis, flipped in enumerate(reverse_dim) if flipped])


@exact
def reverse_seq(
    x: Tensor, lengths: Tensor, *, batch_axis: int = 0, sequence_axis: int = 0
) -> Tensor:
    """The first `lengths[i]` elements of each instance in reverse order."""
    work = x.movedim((batch_axis, sequence_axis), (0, 1)).clone()
    for instance, length in enumerate(_whole(lengths)):
        work[instance, :length] = work[instance, :length].flip(0)
    return work.movedim((0, 1), (batch_axis, sequence_axis))


@exact
def reorganize_data(x: Tensor, *, mode: str = "SPACE_TO_DEPTH", block_size: int) -> Tensor:
    """Blocks of pixels to channels and back; the two ways back differ in the channels' order."""
    lead, n = x.shape[:-3], block_size
    planes = x.reshape(-1, *x.shape[-3:])
    if mode == "PIXEL_SHUFFLE":
        result = F.pixel_shuffle(planes, n)
    elif mode == "DEPTH_TO_SPACE":
        batch, channels, height, width = planes.shape
        split = planes.reshape(batch, n, n, channels // n**2, height, width)
        moved = split.permute(0, 3, 4, 1, 5, 2)
        result = moved.reshape(batch, channels // n**2, height * n, width * n)
    else:
        batch, channels, height, width = planes.shape
        split = planes.reshape(batch, channels, height // n, n, width // n, n)
        moved = split.permute(0, 3, 5, 1, 2, 4)
        result = moved.reshape(batch, channels * n**2, height // n, width // n)
    return result.reshape(*lead, *result.shape[1:])


# ------------------------------------------------------------------------------ joints and parts
@exact
def concat(*xs: Tensor, sequence_concat: bool = False) -> Tensor:
    return torch.cat(xs, -5 if sequence_concat else -3)


@exact
def concat_nd(*xs: Tensor, axis: int = 0, interleave: bool = False) -> Tensor:
    if not interleave:
        return torch.cat(xs, axis)
    place = axis % xs[0].dim()
    return torch.stack(xs, place + 1).flatten(place, place + 1)


@exact
def stack(*xs: Tensor, axis: int = 0) -> Tensor:
    return torch.stack(xs, axis)


@exact
def split(x: Tensor, *, n_outputs: int) -> tuple[Tensor, ...]:
    return x.tensor_split(n_outputs, -3)


@exact
def split_nd(
    x: Tensor, *, axis: int = 0, num_splits: int = 0, split_sizes: Sequence[int] = ()
) -> tuple[Tensor, ...]:
    if split_sizes:
        return torch.split(x, list(split_sizes), axis)
    return x.tensor_split(num_splits, axis)


@exact
def tile(x: Tensor, repeats: Tensor | None = None, *, reps: Sequence[int] = ()) -> Tensor:
    return torch.tile(x, _whole(repeats) if repeats is not None else list(reps))


@exact
def sequence_repeat(x: Tensor, *, n_repetitions: int = 1) -> Tensor:
    return torch.cat([x] * max(1, n_repetitions), -5)


@exact
def sliding_windows(x: Tensor, *, axis: int = 0, window_size: int = 1, step: int = 1) -> Tensor:
    """Axis L becomes the windows and their elements: (..., M, W, ...)."""
    place = axis % x.dim()
    return x.unfold(place, window_size, step).movedim(-1, place + 1)


_SLICE_AXES = {"CHANNEL_AXIS": -3, "HEIGHT_AXIS": -2, "WIDTH_AXIS": -1}


@exact
def slice_(
    x: Tensor,
    *,
    start_index: int = 0,
    end_index: int = 0,
    stride: int = 1,
    axis: str = "CHANNEL_AXIS",
) -> Tensor:
    """Along one of the last three axes; an end of -1 is the last element, which is left out."""
    place = x.dim() + _SLICE_AXES[axis]
    index = [slice(None)] * x.dim()
    index[place] = slice(start_index, end_index, max(1, stride))
    return x[tuple(index)]


@exact
def slice_static(
    x: Tensor,
    *,
    begin_ids: Sequence[int],
    end_ids: Sequence[int],
    strides: Sequence[int],
    begin_masks: Sequence[bool] = (),
    end_masks: Sequence[bool] = (),
    squeeze_masks: Sequence[bool] = (),
) -> Tensor:
    """As numpy slices; a mask leaves a bound out, and a squeeze mask takes one element alone."""
    for axis in reversed(range(x.dim())):
        if axis < len(squeeze_masks) and squeeze_masks[axis]:
            x = x.select(axis, begin_ids[axis])
            continue
        first = None if _set(begin_masks, axis) else begin_ids[axis]
        last = None if _set(end_masks, axis) else end_ids[axis]
        step = strides[axis] if strides else 1
        places = range(x.shape[axis])[slice(first, last, step)]
        if step > 0:
            stop = max(places.start, places.stop)
            x = x[(slice(None),) * axis + (slice(places.start, stop, step),)]
        else:  # torch knows no negative step
            x = x.index_select(axis, torch.tensor(list(places), dtype=torch.long))
    return x


def _set(masks: Sequence[bool], axis: int) -> bool:
    return axis < len(masks) and bool(masks[axis])


@exact
def slice_dynamic(
    x: Tensor,
    begin: Tensor,
    end: Tensor | None = None,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
    *,
    begin_masks: Sequence[bool] = (),
    end_ids: Sequence[int] = (),
    end_masks: Sequence[bool] = (),
    strides: Sequence[int] = (),
    squeeze_masks: Sequence[bool] = (),
) -> Tensor:
    """`slice_static` whose bounds are inputs, as far as there are that many."""

    def given(value: Tensor | None, static: Sequence[Any]) -> Sequence[Any]:
        return list(static) if value is None else _whole(value)

    return slice_static(
        x,
        begin_ids=_whole(begin),
        end_ids=given(end, end_ids),
        strides=given(stride, strides),
        begin_masks=given(begin_mask, begin_masks),
        end_masks=given(end_mask, end_masks),
        squeeze_masks=given(squeeze_mask, squeeze_masks),
    )


@exact
def slice_by_size(x: Tensor, begin: Tensor, *, size: int, axis: int = 0) -> Tensor:
    return x.narrow(axis, _whole(begin)[0], size)


@exact
def crop(
    x: Tensor,
    like: Tensor | None = None,
    *,
    crop_amounts: Mapping[str, Any] | None = None,
    offset: Sequence[int] = (),
) -> Tensor:
    """Less the borders of the last two axes, or the size of a second input from an offset on."""
    if like is not None:
        top, left = offset or (0, 0)
        height, width = like.shape[-2:]
        return x[..., top : top + height, left : left + width]
    (top, bottom), (left, right) = _borders(crop_amounts)
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def _borders(amounts: Mapping[str, Any] | None) -> list[tuple[int, int]]:
    """Before and after, of height and width."""
    borders = (amounts or {}).get("border_amounts", ())
    pairs = [(one["start_edge_size"], one["end_edge_size"]) for one in borders]
    return pairs or [(0, 0), (0, 0)]


# --------------------------------------------------------------------------------------- padding
@exact
def padding(
    x: Tensor,
    *,
    padding_amounts: Mapping[str, Any] | None = None,
    constant: Mapping[str, Any] | None = None,
    reflection: Mapping[str, Any] | None = None,
    replication: Mapping[str, Any] | None = None,
) -> Tensor:
    """Of the last two axes: a constant, or the picture mirrored at its edge, or the edge itself."""
    (top, bottom), (left, right) = _borders(padding_amounts)
    amounts = [left, right, top, bottom]
    if reflection is None and replication is None:
        return F.pad(x, amounts, value=(constant or {}).get("value", 0.0))
    lead, planes = x.shape[:-2], x.reshape(1, -1, *x.shape[-2:])
    result = F.pad(planes, amounts, "reflect" if reflection is not None else "replicate")
    return result.reshape(*lead, *result.shape[-2:])


@exact
def constant_pad(
    x: Tensor,
    amounts: Tensor | None = None,
    *,
    value: float = 0.0,
    pad_amounts: Sequence[int] = (),
    pad_to_given_output_size_mode: bool = False,
) -> Tensor:
    """Before and after each axis; or up to a size, on the side where it is not 0."""
    pads = list(pad_amounts) if amounts is None else _whole(amounts)
    if pad_to_given_output_size_mode:
        for axis, size in enumerate(x.shape):
            for side in (2 * axis, 2 * axis + 1):
                pads[side] = max(0, pads[side] - size)
    pairs = [pads[i : i + 2] for i in range(0, len(pads), 2)]
    return F.pad(x, [n for pair in reversed(pairs) for n in pair], value=value)
