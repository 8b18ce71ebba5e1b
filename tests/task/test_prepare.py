"""A user's pictures, arrays and texts as an input takes them, by one rule for every command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lading.errors import InputError
from lading.network.families.keyboard_layout import alphabet
from lading.record import Port
from lading.task import pictures, prepare
from lading.task.text import Vocabulary
from tests.toys import task

PORT = task().inputs[0]
RANGED = replace(PORT, value_range=(-1.0, 1.0))
PLAIN = replace(PORT, meaning="grey levels", value_range=(0.0, 255.0))
IMAGE = replace(PLAIN, kind="image")
OPEN = replace(PLAIN, shape=(-1, 1, -1, -1))
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def drawn(path: Path, pixels: Any = PIXELS) -> Path:
    Image.fromarray(pixels).save(path)
    return path


# ------------------------------------------------------------------------------------------ levels
def test_values_in_the_port_s_units() -> None:
    levels = np.array([[[[0.0, 51.4], [255.0, 300.0]]]], np.float32)
    np.testing.assert_array_equal(prepare.levels(levels, PORT)[0], pictures.normalise(levels[0]))
    assert prepare.levels(levels[:, :, :, ::2], RANGED).ravel().tolist() == [-1.0, 1.0]
    np.testing.assert_array_equal(prepare.levels(levels, PLAIN), levels)
    assert prepare.levels(levels, IMAGE).tolist() == [[[[0.0, 51.0], [255.0, 255.0]]]]
    assert prepare.levels(levels, replace(PLAIN, dtype="float16")).dtype == np.float16


@given(hnp.arrays(np.uint8, (3, 1, 4, 5)), st.sampled_from([PORT, RANGED, PLAIN, IMAGE]))
def test_every_sample_is_prepared_by_itself_in_whatever_type(values: Any, port: Port) -> None:
    together = prepare.levels(values, port)
    alone = [prepare.levels(values[i : i + 1].astype(np.float32), port) for i in range(3)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert together.dtype == port.dtype


# ------------------------------------------------------------------------------------------- files
def test_a_picture_is_prepared_and_said(tmp_path: Path) -> None:
    made = prepare.file(drawn(tmp_path / "a.png"), PORT)
    np.testing.assert_array_equal(made.levels, PIXELS[None, None])
    np.testing.assert_array_equal(made.value, prepare.levels(PIXELS[None, None], PORT))
    assert made.notes == ("normalised: zscore",)
    small = prepare.file(drawn(tmp_path / "b.png", PIXELS[:12, :10]), RANGED)
    assert small.notes == ("resampled from 12x10 to 16x16, bilinear", "normalised: rescaled")
    assert small.value.shape == (1, 1, 16, 16)
    assert prepare.file(tmp_path / "a.png", PLAIN).notes == ()


@pytest.mark.parametrize("port", [PORT, RANGED, PLAIN])
def test_an_array_in_the_port_s_shape_is_fed_as_it_is(port: Port, tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((1, 1, 16, 16))
    made = prepare.file(saved(tmp_path / "a.npy", values), port)
    np.testing.assert_array_equal(made.value, values.astype(np.float32))
    assert (made.notes, made.levels) == (("fed as it is",), None)


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 16)])
def test_an_array_of_planes_is_a_picture(shape: tuple[int, ...], tmp_path: Path) -> None:
    made = prepare.file(saved(tmp_path / "a.npy", PIXELS.reshape(shape)), PORT)
    np.testing.assert_array_equal(made.levels, PIXELS[None, None])


def test_a_pixel_buffer_takes_no_fractions(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(-9, 300, (1, 1, 16, 16))
    made = prepare.file(saved(tmp_path / "a.npy", values), IMAGE)
    np.testing.assert_array_equal(made.value, np.rint(values.astype(np.float32)).clip(0, 255))


@pytest.mark.parametrize(
    ("size", "fed"), [((12, 10), (12, 10)), ((13, 11), (12, 10)), ((1, 1), (2, 2))]
)
def test_where_the_size_is_open_a_picture_keeps_its_own(
    size: tuple[int, int], fed: tuple[int, int], tmp_path: Path
) -> None:
    made = prepare.file(drawn(tmp_path / "a.png", PIXELS[: size[0], : size[1]]), OPEN)
    assert made.value.shape == (1, 1, *fed)


def test_a_row_of_numbers_with_and_without_the_axis_of_samples(tmp_path: Path) -> None:
    port = Port("x", "tensor", "float32", (1, 4))
    for values in (np.arange(4.0), np.arange(4.0)[None]):
        made = prepare.file(saved(tmp_path / "a.npy", values), port)
        assert made.value.tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_what_does_not_fit(tmp_path: Path) -> None:
    port = Port("x", "tensor", "int32", (1, 4))
    for path, found in (
        (saved(tmp_path / "a.npy", np.zeros((3, 3))), "an array of shape [3, 3]"),
        (drawn(tmp_path / "a.png"), "a picture"),
        (tmp_path / "none.png", "no such file"),
        (saved(tmp_path / "b.npy", np.full(4, 0.5)), "numbers that are not whole, or too large"),
    ):
        with pytest.raises(InputError) as caught:
            prepare.file(path, port)
        assert caught.value.found == found


# ------------------------------------------------------------------------------------------- texts
def test_texts_in_the_port_s_dtype() -> None:
    port = Port("ids", "tensor", "int64", (1, 4))
    ids = prepare.texts(["ab", "b!abab"], port, Vocabulary("ab", 4))
    assert (ids.tolist(), ids.dtype) == ([[1, 2, 0, 0], [2, 0, 1, 2]], np.int64)


def test_the_words_are_the_rule_s() -> None:
    assert prepare.in_words([IMAGE], task()) == "image: whole numbers 0-255 as they are"
    assert prepare.in_words([RANGED], task()) == "image: -1 + raw / 255 * 2"
    assert "standard deviation, 1e-8" in prepare.in_words([PORT], task())
    assert prepare.in_words([PLAIN], task()) == "image: as it is"
    words = alphabet.task(20)
    assert "its place in the vocabulary" in prepare.in_words(words.inputs, words)
