"""Pictures and arrays as inputs; label maps and planes as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lading.errors import InputError
from lading.task import pictures
from tests.toys import noise

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
GREY = RGB[:, :, 0].copy()


def saved(path: Path, pixels: Any, mode: str | None = None) -> Path:
    Image.fromarray(pixels).convert(mode or Image.fromarray(pixels).mode).save(path)
    return path


# ------------------------------------------------------------------------------------------ reading
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_grey_pictures(tmp_path: Path, suffix: str) -> None:
    values = pictures.read(saved(tmp_path / f"a{suffix}", GREY), 1)
    assert (values.dtype, values.shape) == (np.float32, (1, 6, 5))
    np.testing.assert_array_equal(values[0], GREY)


def test_colours_as_they_are(tmp_path: Path) -> None:
    values = pictures.read(saved(tmp_path / "a.png", RGB), 3)
    np.testing.assert_array_equal(values, RGB.transpose(2, 0, 1))


def test_colours_to_grey(tmp_path: Path) -> None:
    values = pictures.read(saved(tmp_path / "a.png", RGB), 1)
    luma = RGB @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    np.testing.assert_allclose(values[0], luma, atol=1.0)


def test_grey_repeated_for_three_channels(tmp_path: Path) -> None:
    values = pictures.read(saved(tmp_path / "a.png", GREY), 3)
    np.testing.assert_array_equal(values, np.stack([GREY] * 3))


def test_transparency_and_palettes_are_seen_through(tmp_path: Path) -> None:
    alpha = np.dstack([RGB, np.full((6, 5), 9, np.uint8)])
    values = pictures.read(saved(tmp_path / "a.png", alpha), 3)
    np.testing.assert_array_equal(values, RGB.transpose(2, 0, 1))
    flat = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    Image.fromarray(flat).quantize(4).save(tmp_path / "b.png")
    np.testing.assert_array_equal(
        pictures.read(tmp_path / "b.png", 3), flat.transpose(2, 0, 1).astype(np.float32)
    )


def test_sixteen_bits_keep_their_values(tmp_path: Path) -> None:
    deep = (np.arange(30, dtype=np.uint16) * 2000).reshape(6, 5)
    Image.fromarray(deep).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png", 1)[0], deep)


@pytest.mark.parametrize("shape", [(6, 5), (1, 6, 5), (1, 1, 6, 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int64, np.bool_])
def test_arrays(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    plane = (GREY % 2).astype(dtype)
    np.save(tmp_path / "a.npy", plane.reshape(shape))
    values = pictures.read(tmp_path / "a.npy", 1)
    assert (values.dtype, values.shape) == (np.float32, (1, 6, 5))
    np.testing.assert_array_equal(values[0], plane)


@pytest.mark.parametrize("form", ["a.npy", "a.png"])
def test_another_size_is_resampled(tmp_path: Path, form: str) -> None:
    ramp = np.repeat(np.arange(0, 240, 20, dtype=np.uint8)[None], 8, axis=0)
    np.save(tmp_path / "a.npy", ramp)
    saved(tmp_path / "a.png", ramp)
    values = pictures.read(tmp_path / form, 1, (4, 6))
    assert (values.dtype, values.shape) == (np.float32, (1, 4, 6))
    # Anti-aliased halving of a ramp: the mean of each pair, away from the borders.
    np.testing.assert_allclose(values[0, :, 1:-1], [[50, 90, 130, 170]] * 4, atol=1e-3)
    np.testing.assert_array_equal(pictures.read(tmp_path / form, 1, (8, 12))[0], ramp)


# -------------------------------------------------------------------------------------- wrong files
def refused(path: Path, channels: int = 1) -> InputError:
    with pytest.raises(InputError) as caught:
        pictures.read(path, channels)
    assert caught.value.subject == str(path)
    return caught.value


@pytest.mark.parametrize("name", ["a.png", "a.npy"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name).found == "no such file"


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.tif"])
@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_damaged_files(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    error = refused(tmp_path / name)
    assert error.found
    assert error.remedy in (
        "check the file, or convert it to PNG",
        "save it again with numpy.save",
    )


def test_a_picture_that_is_cut_short(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    whole.write_bytes(whole.read_bytes()[:1000])
    refused(whole)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    refused(tmp_path / "a.png")


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert refused(tmp_path / "a.npy").expected == (
        "an array written by numpy.save, without objects"
    )


@pytest.mark.parametrize("values", [np.array(["a"]), np.zeros((4, 4), complex)])
def test_what_is_no_number(tmp_path: Path, values: Any) -> None:
    np.save(tmp_path / "a.npy", values)
    error = refused(tmp_path / "a.npy")
    assert error.found == f"values of type {values.dtype}"
    assert error.remedy == "save an array of floats or integers"


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        np.savez(stream, a=GREY, b=GREY)
    assert refused(tmp_path / "a.npy").found == "several arrays in one file"


@pytest.mark.parametrize("shape", [(5,), (), (1, 1, 1, 6, 5)])
def test_shapes_that_are_no_picture(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    error = refused(tmp_path / "a.npy")
    assert error.found == f"float64 {list(shape)}"
    assert error.expected == "shape [H, W], [C, H, W] or [1, C, H, W]"


def test_another_number_of_channels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 6, 5)))
    error = refused(tmp_path / "a.npy", 3)
    assert (error.found, error.expected) == ("2 channel(s)", "3")


# --------------------------------------------------------------------------------- units of a port
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=6),
        elements=st.floats(-1e4, 1e4, width=16),
    )
)
def test_normalise_is_the_formula(values: Any) -> None:
    for plane, got in zip(values, pictures.normalise(values), strict=True):
        wide = plane.astype(np.float64)
        expected = (wide - wide.mean()) / max(wide.std(), 1e-8)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
        assert got.dtype == np.float32


# ---------------------------------------------------------------------------------------- pictures
def test_label_maps_in_colour() -> None:
    labels = np.arange(16, dtype=np.int32).reshape(4, 4)
    pixels = np.asarray(pictures.colour(labels).convert("RGB")).reshape(16, 3)
    assert [tuple(p) for p in pixels[:8]] == list(pictures.PALETTE)
    assert [tuple(p) for p in pixels[8:15]] == list(pictures.PALETTE[1:])
    assert len(set(pictures.PALETTE)) == len(pictures.PALETTE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_labels_of_any_integer_type(dtype: Any) -> None:
    labels = np.array([[0, 1], [8, 2]], dtype)
    assert np.asarray(pictures.colour(labels).convert("RGB")).shape == (2, 2, 3)
    assert tuple(np.asarray(pictures.colour(labels).convert("RGB"))[1, 0]) == pictures.PALETTE[1]


def test_what_belongs_to_no_class_is_white() -> None:
    pixels = np.asarray(pictures.colour(np.array([[-1, 0], [200, -1]])).convert("RGB"))
    assert (pixels == 255).all(axis=2).tolist() == [[True, False], [False, True]]
    assert (255, 255, 255) not in pictures.PALETTE


def test_planes_in_grey() -> None:
    assert np.asarray(pictures.grey(np.array([[-1.0, 0.0], [1.0, 3.0]]))).tolist() == [
        [0, 64],
        [128, 255],
    ]
    assert not np.asarray(pictures.grey(noise((4, 4)) * 0 + 7)).any()
