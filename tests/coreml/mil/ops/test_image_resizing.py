"""Sampling modes against their published examples, torch, and numbers worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lading.coreml.mil.ops import image_resizing as ops

#: Points that the specification lists for two input elements.
PUBLISHED = {
    ("UNALIGN_CORNERS", 5): [0.0, 0.1, 0.5, 0.9, 1.0],
    ("STRICT_ALIGN_CORNERS", 5): [0.0, 0.25, 0.5, 0.75, 1.0],
    ("ALIGN_CORNERS", 5): [0.0, 0.25, 0.5, 0.75, 1.0],
    ("DEFAULT", 5): [0.0, 0.4, 0.8, 1.0, 1.0],
    ("OFFSET_CORNERS", 5): [0.1, 0.3, 0.5, 0.7, 0.9],
    ("UNALIGN_CORNERS", 6): [0, 0, 1 / 3, 2 / 3, 1, 1],
    ("STRICT_ALIGN_CORNERS", 6): [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
    ("DEFAULT", 6): [0, 1 / 3, 2 / 3, 1, 1, 1],
    ("OFFSET_CORNERS", 6): [1 / 12, 0.25, 5 / 12, 7 / 12, 0.75, 11 / 12],
    ("ALIGN_CORNERS", 1): [0.5],
    ("STRICT_ALIGN_CORNERS", 1): [0.0],
}


@pytest.mark.parametrize(("mode", "size"), PUBLISHED)
def test_points_are_the_published_ones(mode: str, size: int) -> None:
    ramp = torch.tensor([0.0, 1.0]).reshape(1, 1, 2)
    want = PUBLISHED[mode, size]
    for got in (
        ops.resize_bilinear(ramp, 1, size, mode),
        ops.resize(ramp, [1, size], 2, sampling_mode=mode),
        ops.resize(ramp, [size], 1, sampling_mode=mode),
    ):
        np.testing.assert_allclose(got.reshape(-1), want, rtol=0, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 7)] * 4, st.integers(0, 9))
def test_bilinear_is_torchs(h: int, w: int, to_h: int, to_w: int, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2, 3, h, w)
    for corners, mode in ((False, "UNALIGN_CORNERS"), (True, "STRICT_ALIGN_CORNERS")):
        want = F.interpolate(x.double(), (to_h, to_w), mode="bilinear", align_corners=corners)
        got = ops.resize_bilinear(x, to_h, to_w, mode)
        torch.testing.assert_close(got.double(), want, rtol=0, atol=3e-6)
        # The general path, one dimension at a time, agrees with the fast one.
        general = ops.resize(
            ops.resize(x, [to_w], 1, sampling_mode=mode), [to_h, 0], 2, "LINEAR", mode
        )
        torch.testing.assert_close(general.double(), want, rtol=0, atol=3e-6)
        if mode == "UNALIGN_CORNERS":
            up = ops.upsample_bilinear(x, 2, 3, align_corners=False)
            want = F.interpolate(x, scale_factor=(2, 3), mode="bilinear")
            torch.testing.assert_close(up, want, rtol=0, atol=0)


def test_upsampling_without_half_pixels_is_the_default_mode() -> None:
    x = torch.randn(1, 1, 3, 4)
    got = ops.upsample_bilinear(x, 2, 2, align_corners=False, half_pixel_centers=False)
    torch.testing.assert_close(got, ops.resize_bilinear(x, 6, 8, "DEFAULT"))


@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 9)] * 4)
def test_nearest_takes_the_floor_as_torch_does(h: int, w: int, to_h: int, to_w: int) -> None:
    x = torch.arange(h * w, dtype=torch.float32).reshape(1, 1, h, w)
    got = ops.resize_nearest_neighbor(x, to_h, to_w)
    rows, columns = [i * h // to_h for i in range(to_h)], [i * w // to_w for i in range(to_w)]
    assert got.tolist() == x[:, :, rows][..., columns].tolist()
    up = ops.upsample_nearest_neighbor(x, 2, 1.5)
    assert up.shape == (1, 1, 2 * h, int(1.5 * w))


def test_resize_nearest_takes_the_nearest_point() -> None:
    x = torch.tensor([-6.174, 9.371]).reshape(1, 1, 2, 1)
    got = ops.resize(x, [1, 1, 3, 2], 2, "NEAREST_NEIGHBOR", "DEFAULT")
    assert got.shape == (1, 1, 3, 2)
    np.testing.assert_array_equal(got.reshape(3, 2)[:, 0], x.reshape(-1)[[0, 1, 1]])
    whole = ops.resize(torch.tensor([[[1, 2, 9]]], dtype=torch.int32), [0, 5], 2)
    assert whole.dtype == torch.int32
    assert whole.shape == (1, 1, 5)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", ["constant", "border", "reflection", "symmetric"])
def test_bilinear_resampling_is_that_of_a_padded_picture(padding: str, align: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    points = rng.uniform(-2.4, 2.4, (2, 6, 7, 2)).astype(np.float32)
    got = ops.resample(
        torch.from_numpy(x),
        torch.from_numpy(points),
        "bilinear",
        padding,
        0.75,
        "normalized_minus_one_to_one",
        align,
    )
    # numpy pads the picture far enough for every point; then there are no borders to think of.
    far = 8
    mode = {"border": "edge", "reflection": "reflect"}.get(padding, padding)
    extra = {"constant_values": 0.75} if padding == "constant" else {}
    wide = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (far, far), (far, far)], mode, **extra)
    for n, i, j in itertools.product(range(2), range(6), range(7)):
        place = []
        for coordinate, size in zip(points[n, i, j].astype(np.float64), (5, 4), strict=True):
            unit = (coordinate + 1) / 2
            place.append((unit * (size - 1) if align else unit * size - 0.5) + far)
        px, py = place
        x0, y0 = int(np.floor(px)), int(np.floor(py))
        fx, fy = px - x0, py - y0
        part = wide[n, :, y0 : y0 + 2, x0 : x0 + 2]
        want = part @ np.array([1 - fx, fx]) @ np.array([1 - fy, fy])
        np.testing.assert_allclose(got[n, :, i, j], want, rtol=0, atol=5e-6)


def test_resampling_agrees_with_torchs_grid_sample() -> None:
    torch.manual_seed(0)
    x, grid = torch.randn(2, 3, 5, 6), torch.rand(2, 4, 4, 2) * 3 - 1.5
    pairs = (("constant", "zeros"), ("border", "border"), ("reflection", "reflection"))
    for (ours, theirs), align in itertools.product(pairs, (True, False)):
        if ours == "reflection" and not align:
            continue  # torch then reflects about the edge, which is "symmetric" here
        args = ("bilinear", ours, 0.0, "normalized_minus_one_to_one", align)
        want = F.grid_sample(x, grid, padding_mode=theirs, align_corners=align)
        torch.testing.assert_close(ops.resample(x, grid, *args), want, rtol=0, atol=5e-6)


def test_the_published_resampling_examples() -> None:
    x = torch.tensor([11.0, 22.0, 33.0, 44.0]).reshape(1, 1, 2, 2)
    points = torch.tensor([-1.0, -2.0, -3.7, -1.0, 0.0, 0.0, 3.5, 1.2]).reshape(1, 2, 2, 2)
    cases = [
        (
            ("bilinear", "constant", 6.17, "normalized_minus_one_to_one", True),
            [8.585, 6.17, 27.5, 6.17],
        ),
        (("nearest", "border", -1.0, "unnormalized", False), [11.0, 11.0, 11.0, 44.0]),
        (
            ("bilinear", "reflection", -1.0, "normalized_zero_to_one", True),
            [22.0, 36.3, 11.0, 34.1],
        ),
        (("nearest", "symmetric", -1.0, "normalized_zero_to_one", False), [22.0, 33.0, 11.0, 33.0]),
    ]
    for args, want in cases:
        got = ops.resample(x, points, *args).reshape(-1)
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_affine_is_torchs_affine_grid() -> None:
    torch.manual_seed(0)
    x, matrix = torch.randn(2, 3, 5, 6), torch.randn(2, 6)
    grid = F.affine_grid(matrix.reshape(2, 2, 3), [2, 3, 4, 7], align_corners=True)
    want = F.grid_sample(x, grid, align_corners=True)
    for transform in (matrix,):
        got = ops.affine(
            x, transform, 4, 7, "bilinear", "constant", 0.0, "normalized_minus_one_to_one", True
        )
        torch.testing.assert_close(got, want, rtol=0, atol=2e-5)
    one = ops.affine(
        x, matrix[:1], 4, 7, "bilinear", "constant", 0.0, "normalized_minus_one_to_one", True
    )
    torch.testing.assert_close(one[0], got[0])


PICTURE = torch.arange(1, 17, dtype=torch.float32).reshape(1, 1, 4, 4)


def test_crops_are_the_published_ones() -> None:
    box, inverted = torch.tensor([1.0, 1, 2, 2]), torch.tensor([2.0, 2, 1, 1])
    cases = [
        (box, 2, [6, 7, 10, 11]),
        (box, 1, [8.5]),
        (inverted, 2, [11, 10, 7, 6]),
    ]
    for roi, size, want in cases:
        old = ops.crop_resize(
            PICTURE, roi.reshape(1, 1, 4, 1, 1), size, size, sampling_mode="ALIGN_CORNERS"
        )
        assert old.shape == (1, 1, 1, size, size)
        assert old.reshape(-1).tolist() == want
        new = ops.crop_resize_ios17(
            PICTURE, roi.reshape(1, 4), None, size, size, sampling_mode="ALIGN_CORNERS"
        )
        assert new.shape == (1, 1, size, size)
        assert new.reshape(-1).tolist() == want


def test_crops_beyond_the_picture_are_padded() -> None:
    roi = torch.tensor([[0, 0.1, 0.3, 1.3, 1], [0, 0.5, 1.8, 1.0, 0.3], [0, 0.0, 0.4, 0.6, 0.7]])
    got = ops.crop_resize(
        PICTURE,
        roi.reshape(3, 1, 5, 1, 1),
        2,
        2,
        normalized_coordinates=True,
        sampling_mode="ALIGN_CORNERS",
        pad_value=10.0,
    )
    want = [3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3]
    np.testing.assert_allclose(got.reshape(-1), want, rtol=1e-5)


def test_a_backward_box_beyond_the_picture_is_the_whole_picture_in_one_mode() -> None:
    roi = torch.tensor([2.0, 2, 1, 1]).reshape(1, 1, 4, 1, 1)
    crop = {
        mode: ops.crop_resize(
            PICTURE, roi, 2, 2, normalized_coordinates=True, sampling_mode=mode, pad_value=-1.0
        )
        for mode in ("UNALIGN_CORNERS", "ALIGN_CORNERS")
    }
    assert crop["UNALIGN_CORNERS"].reshape(-1).tolist() == [3.5, 5.5, 11.5, 13.5]
    # Rows and columns 6 and 3 of a picture whose last is 3: only the corner is inside.
    assert crop["ALIGN_CORNERS"].reshape(-1).tolist() == [-1, -1, -1, 16]
    inside = torch.tensor([0.5, 0.5, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    upside_down = ops.crop_resize(
        PICTURE, inside, 2, 2, normalized_coordinates=True, sampling_mode="UNALIGN_CORNERS"
    )
    assert upside_down.reshape(-1)[0] > upside_down.reshape(-1)[3]


def test_boxes_in_every_layout_and_on_their_own_picture() -> None:
    pictures = torch.cat([PICTURE, PICTURE + 100])
    corners = torch.tensor([[0.5, 1, 2.5, 2], [1, 0, 3, 3.0]])
    top, left, bottom, right = corners.unbind(1)
    middle = [(top + bottom) / 2, (left + right) / 2, bottom - top, right - left]
    layouts = {
        "CORNERS_HEIGHT_FIRST": corners,
        "CORNERS_WIDTH_FIRST": torch.stack([left, top, right, bottom], 1),
        "CENTER_SIZE_HEIGHT_FIRST": torch.stack(middle, 1),
        "CENTER_SIZE_WIDTH_FIRST": torch.stack([middle[i] for i in (1, 0, 3, 2)], 1),
    }
    results = [
        ops.crop_resize_ios17(
            pictures,
            boxes * 2,
            torch.tensor([1, 0]),
            3,
            2,
            spatial_scale=0.5,
            box_coordinate_mode=layout,
            sampling_mode="STRICT_ALIGN_CORNERS",
        )
        for layout, boxes in layouts.items()
    ]
    # value = 4 · row + column + 1 on this picture, so a crop is its own points.
    rows, columns = torch.tensor([0.5, 1.5, 2.5]), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(results[0][0, 0], 4 * rows[:, None] + columns + 101)
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


def test_crop_cuts_rows_and_columns() -> None:
    assert ops.crop(PICTURE, [0, 1], [1, 1]).reshape(-1).tolist() == [2, 3, 6, 7, 10, 11]
