"""Shapes, order, parts and joints: nothing is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref


def _reshape(
    b: Builder, x: Ref, *, target_shape: Sequence[int], mode: str = "CHANNEL_FIRST"
) -> Any:
    """Of rank 5, [Seq, B, C, H, W], to a shape of three or four (the first is Seq)."""
    lead = [target_shape[0], 0] if len(target_shape) == 4 else [0, 0]
    channels, height, width = target_shape[-3:]
    if mode == "CHANNEL_FIRST":
        return b.reshape(x, [*lead, channels, height, width])
    last = b.reshape(b.channels_last(x), [*lead, height, width, channels])
    return b.transpose(last, [0, 1, 4, 2, 3])


def _permute(b: Builder, x: Ref, *, axis: Sequence[int] = ()) -> Any:
    """The axes Seq, C, H, W of [Seq, B, C, H, W] in another order; B stays."""
    places = [0, 2, 3, 4]
    order = [places[one] for one in axis or range(4)]
    return b.transpose(x, [order[0], 1, *order[1:]])


def _split_nd(
    b: Builder,
    x: Ref,
    *,
    axis: int = 0,
    num_splits: int = 0,
    split_sizes: Sequence[int] = (),
) -> Any:
    if len(split_sizes) > 1:
        return b.split(x, axis, None, split_sizes, outputs=len(split_sizes))
    return _parts(b, x, axis, len(split_sizes) or num_splits)


def _parts(b: Builder, x: Ref, axis: int, count: int) -> Any:
    return b.parts(x, axis, count, outputs=count) if count > 1 else b.identity(x)


# --------------------------------------------------------------------------------------- slicing
_SLICE_AXES = {"CHANNEL_AXIS": -3, "HEIGHT_AXIS": -2, "WIDTH_AXIS": -1}


def _slice(
    b: Builder,
    x: Ref,
    *,
    start_index: int = 0,
    end_index: int = 0,
    stride: int = 1,
    axis: str = "CHANNEL_AXIS",
) -> Any:
    """Along one of the last three axes; an end of -1 is the last element, which is left out."""
    return b.slice_axis(x, _SLICE_AXES[axis], start_index, end_index, max(1, stride))


def _sliced(b: Builder, x: Ref, *bounds: Any) -> Any:
    """Python's slices: begin, end, stride, and masks that leave a bound out or take one alone."""
    made = b.slice_by_index(x, *(one if isinstance(one, Ref) else one or None for one in bounds))
    return b.at_least_1d(made) if bounds[-1] else made


def _slice_static(
    b: Builder,
    x: Ref,
    *,
    begin_ids: Sequence[int],
    end_ids: Sequence[int],
    strides: Sequence[int],
    begin_masks: Sequence[bool] = (),
    end_masks: Sequence[bool] = (),
    squeeze_masks: Sequence[bool] = (),
) -> Any:
    return _sliced(b, x, begin_ids, end_ids, strides, begin_masks, end_masks, squeeze_masks)


def _slice_dynamic(
    b: Builder,
    x: Ref,
    begin: Ref,
    *given: Ref,
    begin_masks: Sequence[bool] = (),
    end_ids: Sequence[int] = (),
    end_masks: Sequence[bool] = (),
    strides: Sequence[int] = (),
    squeeze_masks: Sequence[bool] = (),
) -> Any:
    """`_slice_static` whose bounds are inputs, as far as there are that many."""
    static = (end_ids, strides, begin_masks, end_masks, squeeze_masks)
    bounds = [b.whole(one) for one in (begin, *given)]
    return _sliced(b, x, *bounds, *static[len(given) :])


# ---------------------------------------------------------------------------- cropping, padding
def _crop(
    b: Builder,
    x: Ref,
    like: Ref | None = None,
    *,
    crop_amounts: Mapping[str, Any] | None = None,
    offset: Sequence[int] = (),
) -> Any:
    """Less the borders of the last two axes, or the size of a second input from an offset on."""
    if like is not None:
        return b.crop_like(x, like, *(offset or (0, 0)))
    return b.crop(x, *_borders(crop_amounts))


def _borders(amounts: Mapping[str, Any] | None) -> list[tuple[int, int]]:
    """Before and after, of height and width."""
    borders = (amounts or {}).get("border_amounts", ())
    pairs = [(one["start_edge_size"], one["end_edge_size"]) for one in borders]
    return pairs or [(0, 0), (0, 0)]


def _padding(
    b: Builder,
    x: Ref,
    *,
    padding_amounts: Mapping[str, Any] | None = None,
    constant: Mapping[str, Any] | None = None,
    reflection: Mapping[str, Any] | None = None,
    replication: Mapping[str, Any] | None = None,
) -> Any:
    """Of the last two axes: a constant, or the picture mirrored at its edge, or the edge itself."""
    amounts = [n for pair in _borders(padding_amounts) for n in pair]
    mode = "constant" if reflection is None else "reflect"
    mode = mode if replication is None else "replicate"
    return b.pad(x, amounts, mode, (constant or {}).get("value", 0.0))


def _constant_pad(
    b: Builder,
    x: Ref,
    amounts: Ref | None = None,
    *,
    value: float = 0.0,
    pad_amounts: Sequence[int] = (),
    pad_to_given_output_size_mode: bool = False,
) -> Any:
    """Before and after each axis; or up to a size, on the side where it is not 0."""
    pads = pad_amounts if amounts is None else b.whole(amounts)
    if pad_to_given_output_size_mode:
        return b.pad_to(x, pads, value)
    return b.pad(x, pads, "constant", value)


EXACT: Mapping[str, Callable[..., Any]] = {
    "copy": lambda b, x: b.identity(x),
    "get_shape": lambda b, x: b.shape(x),
    "reshape": _reshape,
    "reshape_static": lambda b, x, *, target_shape: b.reshape(x, target_shape),
    "reshape_dynamic": lambda b, x, shape: b.reshape(x, b.whole(shape)),
    "reshape_like": lambda b, x, like: b.reshape(x, b.shape(like)),
    # a size of 0 keeps the one of the input
    "rank_preserving_reshape": lambda b, x, *, target_shape: b.reshape(x, target_shape),
    "expand_dims": lambda b, x, *, axes: b.expand_dims(x, axes),
    "squeeze": lambda b, x, *, axes=(), squeeze_all=False: b.at_least_1d(
        b.squeeze(x) if squeeze_all else b.drop_axes(x, axes)
    ),
    "flatten_to2d": lambda b, x, *, axis=0: b.flatten2d(x, axis),
    "flatten": lambda b, x, *, mode="CHANNEL_FIRST": b.flatten(
        b.channels_last(x) if mode == "CHANNEL_LAST" else x
    ),
    "transpose": lambda b, x, *, axes: b.transpose(x, axes),
    "permute": _permute,
    "reverse": lambda b, x, *, reverse_dim: b.reverse(
        x, [axis for axis, flipped in enumerate(reverse_dim) if flipped]
    ),
    "reverse_seq": lambda b, x, lengths, *, batch_axis=0, sequence_axis=0: b.reverse_sequence(
        x, b.whole(lengths), sequence_axis, batch_axis
    ),
    # the two ways from depth to space differ in the channels' order
    "reorganize_data": lambda b, x, *, mode="SPACE_TO_DEPTH", block_size: b.op(
        mode.lower(), x, block_size
    ),
    "concat": lambda b, *xs, sequence_concat=False: b.concat(xs, -5 if sequence_concat else -3),
    "concat_nd": lambda b, *xs, axis=0, interleave=False: b.concat(xs, axis, interleave),
    "stack": lambda b, *xs, axis=0: b.stack(xs, axis),
    "split": lambda b, x, *, n_outputs: _parts(b, x, -3, n_outputs),
    "split_nd": _split_nd,
    "tile": lambda b, x, repeats=None, *, reps=(): b.tile(
        x, reps if repeats is None else b.whole(repeats)
    ),
    "sequence_repeat": lambda b, x, *, n_repetitions=1: b.concat([x] * max(1, n_repetitions), -5),
    "sliding_windows": lambda b, x, *, axis=0, window_size=1, step=1: b.sliding_windows(
        x, axis, window_size, step
    ),
    "slice": _slice,
    "slice_static": _slice_static,
    "slice_dynamic": _slice_dynamic,
    "slice_by_size": lambda b, x, begin, *, size, axis=0: b.narrow(x, axis, b.number(begin), size),
    "crop": _crop,
    "padding": _padding,
    "constant_pad": _constant_pad,
}
