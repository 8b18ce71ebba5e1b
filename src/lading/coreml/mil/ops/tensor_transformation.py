"""Moving elements: reshaping, slicing, permuting, blocks and windows. Nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact
from lading.coreml.mil.windows import batched
from lading.errors import ProgramError


@exact
def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """To `shape`; 0 keeps the size of the same dimension, -1 takes what is left."""
    if 0 not in shape:
        return x.reshape(shape)
    sizes = [x.shape[i] if n == 0 and i < x.dim() else n for i, n in enumerate(shape)]
    return x.reshape(sizes) if x.numel() else x.reshape(_resolved(x, sizes))


@exact
def reshape_ios17(x: Tensor, shape: Sequence[int]) -> Tensor:
    """As before, and a 0 counts its dimension from the right, where there is one, else 1."""
    if 0 not in shape:
        return x.reshape(shape)
    offset = x.dim() - len(shape)
    sizes = [
        n if n else (x.shape[i + offset] if i + offset >= 0 else 1) for i, n in enumerate(shape)
    ]
    return x.reshape(sizes) if x.numel() else x.reshape(_resolved(x, sizes))


def _resolved(x: Tensor, sizes: Sequence[int]) -> list[int]:
    """torch cannot infer -1 for a tensor without elements: it is 0 there, or what fits."""
    rest = math.prod(n for n in sizes if n != -1)
    return [(x.numel() // rest if rest else 0) if n == -1 else n for n in sizes]


@exact
def reshape_like(
    x: Tensor,
    ref_tensors: Sequence[Tensor],
    begins: Sequence[Tensor],
    ends: Sequence[Tensor],
    end_masks: Sequence[Tensor],
) -> Tensor:
    """To the sizes ``ref.shape[begin:end]`` of each reference, one after another."""
    sizes: list[int] = []
    for ref, begin, end, mask in zip(ref_tensors, begins, ends, end_masks, strict=True):
        stop = None if bool(mask) else int(end)
        sizes.extend(ref.shape[int(begin) : stop])
    return x.reshape(sizes)


@exact
def expand_dims(x: Tensor, axes: Sequence[int]) -> Tensor:
    """New dimensions of size 1 at `axes` of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@exact
def squeeze(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """Without those of the dimensions `axes` (all of them if None) whose size is 1."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@exact
def transpose(x: Tensor, perm: Sequence[int]) -> Tensor:
    return x.permute(*perm)


@exact
def reverse(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """Back to front along `axes`, or along all."""
    return x.flip(tuple(range(x.dim()) if axes is None else axes))


@exact
def reverse_sequence(
    x: Tensor, lengths: Sequence[int], seq_axis: int = 0, batch_axis: int = 0
) -> Tensor:
    """The first ``lengths[i]`` elements along `seq_axis` of sample i, back to front."""
    result = x.clone()
    seq = seq_axis % x.dim()
    for sample, length in enumerate(lengths):
        part = x.select(batch_axis, sample)
        axis = seq - (seq > batch_axis % x.dim())
        target = result.select(batch_axis, sample).narrow(axis, 0, length)
        target.copy_(part.narrow(axis, 0, length).flip(axis))
    return result


# --------------------------------------------------------------------------------------- slicing
def _spans(
    x: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None,
    begin_mask: Sequence[bool] | None,
    end_mask: Sequence[bool] | None,
    squeeze_mask: Sequence[bool] | None,
) -> tuple[list[range], list[int]]:
    """The indices read along each dimension, and the dimensions that go."""
    spans, gone = [], []
    for axis, size in enumerate(x.shape):
        step = stride[axis] if stride is not None else 1
        if step == 0:
            raise ValueError("a stride of 0")
        if squeeze_mask is not None and squeeze_mask[axis]:
            index = begin[axis] + (size if begin[axis] < 0 else 0)
            if not 0 <= index < size:
                raise IndexError(f"index {begin[axis]} in a dimension of size {size}")
            spans.append(range(index, index + 1))
            gone.append(axis)
            continue
        first = None if begin_mask is not None and begin_mask[axis] else begin[axis]
        last = None if end_mask is not None and end_mask[axis] else end[axis]
        spans.append(range(*slice(first, last, step).indices(size)))
    return spans, gone


def _view(x: Tensor, spans: Sequence[range]) -> tuple[Tensor, list[int]]:
    """`x` at `spans`, ascending, and the dimensions that are still to be turned around."""
    turned = [axis for axis, span in enumerate(spans) if span.step < 0 and len(span) > 1]
    parts = []
    for span in spans:
        up = span if span.step > 0 else span[::-1]
        parts.append(slice(up[0], up[-1] + 1, up.step) if len(up) else slice(0, 0))
    return x[tuple(parts)], turned


@exact
def slice_by_index(
    x: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    """Python's ``x[begin:end:stride]`` in every dimension; a mask leaves its bound open."""
    if stride is None or min(stride) > 0:  # torch's own indexing, without a detour
        index: list[int | slice] = []
        for axis, first in enumerate(begin):
            if squeeze_mask and squeeze_mask[axis]:
                index.append(first)
                continue
            start = None if begin_mask and begin_mask[axis] else first
            stop = None if end_mask and end_mask[axis] else end[axis]
            index.append(slice(start, stop, stride[axis] if stride else None))
        return x[tuple(index)]
    spans, gone = _spans(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    result, turned = _view(x, spans)
    if turned:
        result = result.flip(turned)
    return result.squeeze(tuple(gone)) if gone else result


@exact
def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    """A copy of `x` with `update` in the place that `slice_by_index` would read."""
    spans, _ = _spans(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    result = x.clone()
    target, turned = _view(result, spans)
    target.copy_(
        update.reshape(target.shape).flip(turned) if turned else update.reshape(target.shape)
    )
    return result


@exact
def slice_by_size(x: Tensor, begin: Sequence[int], size: Sequence[int]) -> Tensor:
    """``size[i]`` elements from ``begin[i]``; a size of -1 takes the rest."""
    parts = []
    for first, count, whole in zip(begin, size, x.shape, strict=True):
        start = first + whole if first < 0 else first
        stop = start + count if count != -1 else whole
        if not 0 <= start <= stop <= whole:
            raise IndexError(f"{count} elements from {first} in a dimension of size {whole}")
        parts.append(slice(start, stop))
    return x[tuple(parts)]


# --------------------------------------------------------------------------- blocks and windows
def _two(block_size: int) -> int:
    return 2


@exact
@batched(_two)
def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """(N, C·b², H, W) to (N, C, H·b, W·b), the block's place in the slow part of the channels."""
    N, C, H, W = x.shape
    b = block_size
    blocks = x.reshape(N, b, b, C // (b * b), H, W).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(N, C // (b * b), H * b, W * b)


@exact
@batched(_two)
def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """The inverse of `depth_to_space`."""
    N, C, H, W = x.shape
    b = block_size
    blocks = x.reshape(N, C, H // b, b, W // b, b).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(N, C * b * b, H // b, W // b)


@exact
def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """(N, C·r², H, W) to (N, C, H·r, W·r), the block's place in the fast part of the channels."""
    return torch.pixel_shuffle(x, upscale_factor)


@exact
def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`."""
    return torch.pixel_unshuffle(x, downscale_factor)


@exact
def space_to_batch(
    x: Tensor, block_shape: Sequence[int], paddings: Sequence[Sequence[int]]
) -> Tensor:
    """Zero-padded spatial blocks of (N, C, *D) moved to the batch: TensorFlow's SpaceToBatchND."""
    N, C = x.shape[:2]
    rank = len(block_shape)
    flat = [n for pair in reversed(list(paddings)) for n in pair]
    x = torch.nn.functional.pad(x, flat)
    shape = [N, C]
    for size, block in zip(x.shape[2:], block_shape, strict=True):
        shape += [size // block, block]
    inner = [3 + 2 * i for i in range(rank)]
    outer = [2 + 2 * i for i in range(rank)]
    blocks = x.reshape(shape).permute(*inner, 0, 1, *outer)
    sizes = [n // b for n, b in zip(x.shape[2:], block_shape, strict=True)]
    return blocks.reshape(N * math.prod(block_shape), C, *sizes)


@exact
def batch_to_space(x: Tensor, block_shape: Sequence[int], crops: Sequence[Sequence[int]]) -> Tensor:
    """The inverse of `space_to_batch`, with `crops` cut off."""
    N, C = x.shape[:2]
    rank = len(block_shape)
    batch = N // math.prod(block_shape)
    blocks = x.reshape(*block_shape, batch, C, *x.shape[2:])
    order = [rank, rank + 1]
    for i in range(rank):
        order += [rank + 2 + i, i]
    sizes = [n * b for n, b in zip(x.shape[2:], block_shape, strict=True)]
    result = blocks.permute(order).reshape(batch, C, *sizes)
    for axis, (before, after) in enumerate(crops):
        result = result.narrow(2 + axis, before, sizes[axis] - before - after)
    return result


@exact
def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    """Windows along `axis`: that dimension becomes (windows, size)."""
    axis %= x.dim()
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


def _checked_padding(x: Tensor, pad: Sequence[int]) -> None:
    if len(pad) % 2 or len(pad) > 2 * x.dim():
        raise ProgramError(
            "pad",
            found=f"{len(pad)} numbers for rank {x.dim()}",
            expected="two for each padded dimension",
            remedy="convert the model again",
        )


@exact
def pad_(
    x: Tensor, pad: Sequence[int], mode: str = "constant", constant_val: float = 0.0
) -> Tensor:
    """`pad` = before and after of the last ``len(pad) / 2`` dimensions, in their order.

    ``reflect`` mirrors without the edge, ``replicate`` repeats the edge.
    """
    _checked_padding(x, pad)
    first = x.dim() - len(pad) // 2
    if mode == "constant":
        pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
        flat = [n for pair in reversed(pairs) for n in pair]
        return torch.nn.functional.pad(x, flat, value=constant_val)
    if mode not in ("reflect", "replicate"):
        raise ValueError(f"padding mode {mode}")
    for i in range(0, len(pad), 2):
        axis, before, after = first + i // 2, pad[i], pad[i + 1]
        if before or after:
            size = x.shape[axis]
            if mode == "reflect" and max(before, after) >= size:
                raise ValueError(
                    f"cannot reflect {max(before, after)} of a dimension of size {size}"
                )
            places = torch.arange(-before, size + after)
            if mode == "reflect":
                places = places.abs()
                places = (size - 1) - (size - 1 - places).abs()
            x = x.index_select(axis, places.clamp(0, size - 1))
    return x
