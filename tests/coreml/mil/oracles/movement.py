"""Oracles of what moves elements: reshaping, slicing, gathering, scattering, resizing, boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from tests.coreml.mil.oracles.base import Array, Draw, Pair, onnx, oracle, run, torchs


def _indices(draw: Draw, size: int, *shape: int, signed: bool = True) -> Array:
    return draw.rng.integers(-size if signed else 0, size, shape).astype(np.int32)


# ------------------------------------------------------------------------------------- new tensors
@oracle("fill", "fill_like", "range_1d", "one_hot", "shape", "non_zero", "identity")
def made(draw: Draw) -> Pair:
    shape, x = draw.shape(), draw.whole(*draw.shape(), low=-1, high=1)
    value = float(draw.number(-3, 3)) / 2
    start, end, step = draw.number(-5, 5), draw.number(-5, 9), draw.of([1, 2, 3, -1])
    ends = [np.array(n, np.int32) for n in (start, end, step)]
    depth, axis = draw.number(1, 5), draw.number(-x.ndim - 1, x.ndim)
    picks = _indices(draw, depth, *x.shape, signed=False)
    on_off = np.array([draw.number(2, 9), draw.number(-9, 1)], np.int32)
    full = torch.full(shape, value)
    return (
        [
            run("fill", list(shape), value), run("fill_like", full.numpy(), value), run("shape", x),
            run("range_1d", ends[1], ends[0], ends[2]), run("non_zero", x), run("identity", x),
            run("one_hot", picks, depth, axis, int(on_off[0]), int(on_off[1])),
        ],
        [
            full, full, onnx("Shape", x), onnx("Range", *ends), onnx("NonZero", x).T,
            onnx("Identity", x),
            onnx(
                "OneHot",
                picks.astype(np.int64),
                np.array([depth]),
                on_off[::-1].astype(np.int64),
                axis=axis,
            ),
        ],
    )  # fmt: skip


@oracle("concat", "split", "stack", "tile", "band_part", "cumsum", "flatten2d")
def joined(draw: Draw) -> Pair:
    x = draw.any(*draw.shape(2))
    axis = draw.number(-x.ndim, x.ndim - 1)
    sizes = [draw.number(1, 3) for _ in range(3)]
    parts = [np.repeat(np.take(x, [0], axis), n, axis) + n for n in sizes]
    parts = [one.astype(x.dtype) for one in parts]
    line = np.concatenate(parts, axis)
    reps = [draw.number(1, 3) for _ in range(x.ndim)]
    lower, upper = draw.number(-1, 3), draw.number(-1, 3)
    band = x if lower < 0 else onnx("Trilu", x, np.array(-lower), upper=1)
    band = band if upper < 0 else onnx("Trilu", band, np.array(upper), upper=0)
    back, without = draw.flag(), draw.flag()
    flat = draw.number(0, x.ndim)
    return (
        [
            run("concat", parts, axis), *run("split", line, axis, split_sizes=sizes),
            *run("split", np.concatenate([x, x], axis), axis, num_splits=2),
            run("stack", [x, x * 2], axis), run("tile", x, reps), run("band_part", x, lower, upper),
            run("cumsum", x, axis, without, back), run("flatten2d", x, flat),
        ],
        [
            onnx("Concat", *parts, axis=axis),
            *onnx("Split", line, np.array(sizes), axis=axis, outputs=3), x, x,
            torch.stack([torchs(x), torchs(x * 2)], axis), onnx("Tile", x, np.array(reps)), band,
            onnx("CumSum", x, np.array(axis), exclusive=int(without), reverse=int(back)),
            onnx("Flatten", x, axis=flat),
        ],
    )  # fmt: skip


@oracle("argsort", "topk")
def sorted_(draw: Draw) -> Pair:
    x = draw.any(*draw.shape())
    axis, up = draw.number(-x.ndim, x.ndim - 1), draw.flag()
    k = draw.number(1, x.shape[axis])
    values, places = onnx("TopK", x, np.array([k]), axis=axis, largest=int(not up), outputs=2)
    # Among equals both take the first; torch's stable sort says so too.
    order = torch.sort(torchs(x), dim=axis, descending=not up, stable=True).indices
    return (
        [run("argsort", x, axis, up), *run("topk", x, k, axis, up)],
        [order, values, places],
    )


# --------------------------------------------------------------------------------------- reshaping
@oracle("reshape", "reshape_like", "expand_dims", "squeeze", "transpose", "reverse")
def reshaped(draw: Draw) -> Pair:
    x = draw.any(*draw.shape(2))
    perm = draw.rng.permutation(x.ndim).tolist()
    keep = draw.number(0, x.ndim - 1)
    shape = [0] * keep + [-1]
    axes = sorted({draw.number(0, x.ndim), x.ndim + 1})
    wide = onnx("Unsqueeze", x, np.array(axes))
    turned = [axis for axis in range(x.ndim) if draw.flag()]
    both = np.zeros(x.shape[::-1], np.float32)
    whole = [np.array(0), np.array(x.ndim), np.array(False)]
    like = run("reshape_like", x, [both], *([one] for one in whole))
    return (
        [
            run("reshape", x, shape, opset="CoreML6"), run("reshape", x, [x.size, 1, -1]), like,
            run("expand_dims", x, axes), run("squeeze", wide, axes), run("transpose", x, perm),
            run("reverse", x, turned),
        ],
        [
            onnx("Reshape", x, np.array(shape)), onnx("Reshape", x, np.array([x.size, 1, -1])),
            torchs(x).reshape(both.shape), wide, onnx("Squeeze", wide, np.array(axes)),
            onnx("Transpose", x, perm=perm), torch.flip(torchs(x), turned),
        ],
    )  # fmt: skip


@oracle("depth_to_space", "space_to_depth", "pixel_shuffle", "pixel_unshuffle", "space_to_batch",
        "batch_to_space")  # fmt: skip
def blocks(draw: Draw) -> Pair:
    n, c, h, w, b = (draw.number(1, 3) for _ in range(5))
    deep, wide = draw.floats(n, c * b * b, h, w), draw.floats(n, c, h * b, w * b)
    # The batch is to space_to_batch what the depth is to space_to_depth.
    turned = wide.swapaxes(0, 1).copy()
    to_batch = onnx("SpaceToDepth", turned, blocksize=b).swapaxes(0, 1)
    return (
        [
            run("depth_to_space", deep, b), run("space_to_depth", wide, b),
            run("pixel_shuffle", deep, b), run("pixel_unshuffle", wide, b),
            run("space_to_batch", wide, [b, b], [[0, 0], [0, 0]]),
            run("batch_to_space", to_batch.copy(), [b, b], [[0, 0], [0, 0]]),
        ],
        [
            onnx("DepthToSpace", deep, blocksize=b, mode="DCR"),
            onnx("SpaceToDepth", wide, blocksize=b),
            onnx("DepthToSpace", deep, blocksize=b, mode="CRD"),
            F.pixel_unshuffle(torchs(wide), b), to_batch, wide,
        ],
    )  # fmt: skip


@oracle("pad", "reverse_sequence", "sliding_windows")
def stretched(draw: Draw) -> Pair:
    x = draw.floats(*(draw.number(2, 5) for _ in range(draw.number(2, 4))))
    mode = draw.of(["constant", "reflect", "replicate"])
    count = draw.number(1, x.ndim if mode == "constant" else min(2, x.ndim))
    most = 1 if mode == "reflect" else 3
    sides = [[draw.number(0, most), draw.number(0, most)] for _ in range(count)]
    ends = [[0, 0]] * (x.ndim - count) + sides
    value = float(draw.number(-2, 2))
    theirs = "edge" if mode == "replicate" else mode
    flat = np.array([side[0] for side in ends] + [side[1] for side in ends])
    lengths = draw.rng.integers(1, x.shape[1] + 1, x.shape[0])
    axis = draw.number(0, x.ndim - 1)
    size, stride = draw.number(1, x.shape[axis]), draw.number(1, 2)
    # torch puts the windows' own axis at the end; MIL right after the axis they slide along.
    windows = torchs(x).unfold(axis, size, stride).movedim(-1, axis + 1)
    return (
        [
            run("pad", x, [n for side in sides for n in side], mode, value),
            run("reverse_sequence", x, lengths.tolist(), 1, 0),
            run("sliding_windows", x, axis, size, stride),
        ],
        [
            onnx("Pad", x, flat, np.array(value), mode=theirs),
            onnx("ReverseSequence", x, lengths, time_axis=1, batch_axis=0), windows,
        ],
    )  # fmt: skip


@oracle("slice_by_index", "slice_by_size", "slice_update", "crop")
def sliced(draw: Draw) -> Pair:
    x = draw.any(*(draw.number(3, 6) for _ in range(draw.number(3, 4))))
    n, axes = x.ndim, np.arange(x.ndim)
    begin = [draw.number(0, 1) for _ in range(n)]
    end = [draw.of([size, size - 1, -1]) for size in x.shape]
    stride = [draw.of([1, 2, 3]) for _ in range(n)]
    first = [draw.flag() for _ in range(n)]
    starts = [0 if f else b for f, b in zip(first, begin, strict=True)]
    part = onnx("Slice", x, *map(np.array, (starts, end)), axes, np.array(stride))
    backwards = onnx("Slice", x, *map(np.array, ([-1] * n, [-99] * n)), axes, np.array([-1] * n))
    new = (part * 0 + 7).astype(x.dtype)
    updated = torchs(x)
    updated[tuple(map(slice, starts, end, stride))] = 7
    size = [draw.of([-1, 1, 2]) for _ in range(n)]
    ends = [whole if s == -1 else b + s for whole, b, s in zip(x.shape, begin, size, strict=True)]
    wanted = [[draw.number(0, 1) for _ in range(2)] for _ in range(2)]
    cut = torchs(x)
    for dim, (low, high) in enumerate(wanted):
        cut = cut.narrow(dim - 2, low, cut.shape[dim - 2] - low - high)
    squeeze = [draw.flag() for _ in range(n)]
    one = torchs(x)
    for dim in reversed(range(n)):
        span = slice(begin[dim], None)
        one = one.select(dim, begin[dim]) if squeeze[dim] else one[(slice(None),) * dim + (span,)]
    return (
        [
            run("slice_by_index", x, begin, end, stride, first),
            run("slice_by_index", x, [0] * n, [0] * n, [-1] * n, [True] * n, [True] * n),
            run("slice_by_index", x, begin, [99] * n, squeeze_mask=squeeze),
            run("slice_update", x, new, begin, end, stride, first),
            run("slice_by_size", x, begin, size), run("crop", x, *wanted),
        ],
        [
            part, backwards, one, updated, onnx("Slice", x, np.array(begin), np.array(ends), axes),
            cut,
        ],
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ indices
@oracle("gather", "gather_along_axis", "gather_nd")
def gathered(draw: Draw) -> Pair:
    x = draw.any(*draw.shape(2))
    axis = draw.number(-x.ndim, x.ndim - 1)
    picks = _indices(draw, x.shape[axis], *draw.shape(1, 2))
    shape = list(x.shape)
    shape[axis] = draw.number(1, 4)
    along = _indices(draw, x.shape[axis], *shape)
    batch, depth = draw.number(0, 1), draw.number(1, x.ndim - 1)
    lead = x.shape[:batch]
    rows = [
        _indices(draw, n, *lead, 3) for n in x.shape[batch : batch + min(depth, x.ndim - batch)]
    ]
    nd = np.stack(rows, -1)
    return (
        [
            run("gather", x, picks, axis), run("gather_along_axis", x, along, axis),
            run("gather_nd", x, nd, batch),
        ],
        [
            onnx("Gather", x, picks, axis=axis), onnx("GatherElements", x, along, axis=axis),
            onnx("GatherND", x, nd.astype(np.int64), batch_dims=batch),
        ],
    )  # fmt: skip


@oracle("scatter", "scatter_along_axis", "scatter_nd")
def scattered(draw: Draw) -> Pair:
    x = draw.floats(*draw.shape(2))
    mode = draw.of(["add", "mul", "max", "min", "update"])
    reduction = "none" if mode == "update" else mode
    axis = draw.number(0, x.ndim - 1)
    size, opset = x.shape[axis], draw.of(["CoreML6", "CoreML8"])

    def places(count: int, size: int) -> Array:
        """Where to write; twice at one place only where the order does not matter."""
        if mode == "update":
            return draw.rng.permutation(size)[:count].astype(np.int32)
        return _indices(draw, size, count, signed=False)

    some = places(draw.number(1, size), size)
    shape = list(x.shape)
    shape[axis] = len(some)
    updates = draw.floats(*shape)
    spread = np.broadcast_to(
        some.reshape([-1 if i == axis else 1 for i in range(x.ndim)]), shape
    ).copy()
    want = onnx("ScatterElements", x, spread, updates, axis=axis, reduction=reduction)
    rows = places(draw.number(1, x.shape[0]), x.shape[0])
    news = draw.floats(len(rows), *x.shape[1:])
    nd = rows[:, None]
    return (
        [
            run("scatter", x, some, updates, axis, mode, opset=opset),
            run("scatter_along_axis", x, spread, updates, axis, mode, opset=opset),
            run("scatter_nd", x, nd, news, mode, opset=opset),
        ],
        [want, want, onnx("ScatterND", x, nd.astype(np.int64), news, reduction=reduction)],
    )


# ----------------------------------------------------------------------------------------- pictures
_MODES = {
    "DEFAULT": "asymmetric", "ALIGN_CORNERS": "align_corners",
    "STRICT_ALIGN_CORNERS": "align_corners", "UNALIGN_CORNERS": "half_pixel",
}  # fmt: skip


def _resize(x: Array, sizes: list[int], mode: str, kind: str, **more: Any) -> Any:
    """ONNX Runtime's Resize, of the last dimensions, in float32: it has no wider one."""
    thin = x.astype(np.float32)
    shape = np.array([*x.shape[: x.ndim - len(sizes)], *sizes])
    return onnx("Resize", thin, None, None, shape, mode=kind, coordinate_transformation_mode=mode,
                opset=19, **more)  # fmt: skip


@oracle("resize_bilinear", "upsample_bilinear", "resize_nearest_neighbor",
        "upsample_nearest_neighbor", "resize")  # fmt: skip
def resized(draw: Draw) -> Pair:
    x = draw.floats(1, draw.number(1, 3), draw.number(2, 7), draw.number(2, 7))
    sizes = [draw.number(2, 12), draw.number(2, 12)]
    mode = draw.of(list(_MODES))
    want = _resize(x, sizes, _MODES[mode], "linear")
    up = [draw.number(1, 3), draw.number(1, 3)]
    wider = [n * m for n, m in zip(up, x.shape[2:], strict=True)]
    corners = draw.flag()
    smooth = F.interpolate(torchs(x), wider, mode="bilinear", align_corners=corners)
    floor = {"nearest_mode": "floor"}
    near = _resize(x, sizes, "asymmetric", "nearest", **floor)
    return (
        [
            run("resize_bilinear", x, *sizes, mode), run("resize", x, sizes, 2, "LINEAR", mode),
            run("upsample_bilinear", x, *map(float, up), corners),
            run("resize_nearest_neighbor", x, *sizes),
            run("upsample_nearest_neighbor", x, *map(float, up)),
        ],
        [
            want, want, smooth, near, F.interpolate(torchs(x), wider, mode="nearest"),
        ],
    )  # fmt: skip


@oracle("resample", "affine")
def sampled(draw: Draw) -> Pair:
    B, C, H, W = (draw.number(1, 3), draw.number(1, 2), draw.number(2, 6), draw.number(2, 6))
    x, grid = draw.floats(B, C, H, W), draw.floats(B, 3, 4, 2, low=-1.6, high=1.6)
    align, kind = draw.flag(), draw.of(["bilinear", "nearest"])
    # torch mirrors at the pixels' middles with align_corners, else at their edges.
    mirror = "reflection" if align else "symmetric"
    ours, theirs = draw.of([("constant", "zeros"), ("border", "border"), (mirror, "reflection")])
    rows = draw.number(2, 5), draw.number(2, 5)
    matrix = draw.floats(B, 6, low=-1, high=1)
    points = F.affine_grid(torchs(matrix).reshape(B, 2, 3), [B, C, *rows], align_corners=True)
    return (
        [
            run("resample", x, grid, kind, ours, 0.0, "normalized_minus_one_to_one", align),
            run("affine", x, matrix, *rows, "bilinear", "constant", 0.0,
                "normalized_minus_one_to_one", True),
        ],
        [
            F.grid_sample(torchs(x), torchs(grid), kind, theirs, align),
            F.grid_sample(torchs(x), points, "bilinear", "zeros", True),
        ],
    )  # fmt: skip


@oracle("crop_resize")
def boxes_cropped(draw: Draw) -> Pair:
    B, count = draw.number(1, 3), draw.number(1, 4)
    x = draw.floats(B, 2, draw.number(2, 6), draw.number(2, 6)).astype(np.float32)
    boxes = draw.floats(count, 4, low=-0.2, high=1.2).astype(np.float32)
    which = _indices(draw, B, count, signed=False)
    sizes, value = [draw.number(2, 4), draw.number(2, 4)], float(draw.number(-2, 2))
    want = onnx("CropAndResize", x, boxes, which, np.array(sizes, np.int32), mode="bilinear",
                extrapolation_value=value, domain="com.microsoft")  # fmt: skip
    options: dict[str, Any] = {
        "target_height": sizes[0],
        "target_width": sizes[1],
        "pad_value": value,
        "normalized_coordinates": True,
        "sampling_mode": "ALIGN_CORNERS",
    }
    roi = np.concatenate([which[:, None].astype(np.float32), boxes], 1)
    old = run("crop_resize", x, roi.reshape(count, 1, 5, 1, 1), opset="CoreML6", **options)
    return [run("crop_resize", x, boxes, which, **options), old[:, 0]], [want, want]


@oracle("non_maximum_suppression")
def suppressed(draw: Draw) -> Pair:
    count, most = draw.number(1, 8), draw.number(1, 8)
    boxes = np.concatenate(
        [draw.floats(1, count, 2, low=0), draw.floats(1, count, 2, low=0.5)], 2
    ).astype(np.float32)
    scores = draw.floats(1, count, 1, low=0, high=1).astype(np.float32)
    overlap, least = draw.number(1, 9) / 10, draw.of([0.0, 0.3])
    kept = onnx("NonMaxSuppression", boxes, scores.swapaxes(1, 2).copy(),
                *(np.array([n], np.float32) if isinstance(n, float) else np.array([n])
                  for n in (most, overlap, min(least, float(scores.max()) / 2))),
                center_point_box=1)[:, 2]  # fmt: skip
    least = min(least, float(scores.max()) / 2)  # MIL always keeps the best box
    found = run("non_maximum_suppression", boxes, scores, overlap, least, most, opset="CoreML6")
    filled = np.full((1, most), -1)
    filled[0, : len(kept)] = kept
    there = np.zeros((1, most, 4), np.float32)
    there[0, : len(kept)] = boxes[0, kept]
    newer = run(
        "non_maximum_suppression", boxes.swapaxes(1, 2), scores.swapaxes(1, 2), overlap, most
    )
    every = run("non_maximum_suppression", boxes, scores, overlap, -1.0, most, opset="CoreML6")
    return (
        [found[0], found[2], found[3], newer[2]],
        [there, filled, np.array([len(kept)]), every[2]],
    )
