"""Contact sheets hold every picture, untouched, where the titles are."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lading.base.drawing.gallery import PAPER, WRONG, cell, marked, picture, sheet


def block(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (40, 30), colour)


def test_every_picture_lies_on_the_sheet_whole() -> None:
    colours = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 0, 255)]]
    rows = [[block(c) for c in row] for row in colours]
    page = np.asarray(sheet(("a", "b"), rows, ("one", "two"), "heading"))
    where = {}
    for row in colours:
        for colour in row:
            hit = np.argwhere((page == colour).all(axis=-1))
            assert len(hit) == 40 * 30
            where[colour] = hit.min(axis=0)
    (red, green), (blue, pink) = [[where[c] for c in row] for row in colours]
    assert red[0] == green[0] < blue[0] == pink[0]
    assert red[1] == blue[1] < green[1] == pink[1]


def test_grey_pictures_and_no_heading_are_fine() -> None:
    page = sheet(("a",), [[Image.new("L", (40, 30), 7)]], ("one",))
    pixels = np.asarray(page)
    assert (pixels == 7).all(axis=-1).sum() == 40 * 30
    assert tuple(pixels[-1, -1]) == PAPER


def test_text_is_drawn() -> None:
    rows = [[block((255, 0, 0))]]
    bare, titled = sheet(("",), rows, ("",)), sheet(("title",), rows, ("caption",))
    assert bare.size == titled.size
    assert bare.tobytes() != titled.tobytes()


def test_a_caption_for_every_row() -> None:
    with pytest.raises(ValueError, match="zip"):
        sheet(("a",), [[block((1, 2, 3))]], ())


@pytest.mark.parametrize(("size", "shown"), [(16, 192), (64, 192), (192, 192), (256, 192)])
def test_cells_are_of_one_size(size: int, shown: int) -> None:
    assert cell(Image.new("L", (size, size))).size == (shown, shown)


def test_what_differs_is_red() -> None:
    under = Image.new("L", (2, 1), 90)
    plane = marked(under, np.array([[False, True]]))
    assert plane.getpixel((1, 0)) == WRONG != plane.getpixel((0, 0))
    assert plane.getpixel((0, 0)) not in (WRONG, (90, 90, 90))  # the picture, faded


def test_a_single_pixel_of_a_large_picture_is_seen() -> None:
    differs = np.zeros((500, 500), bool)
    differs[250, 250] = True
    plane = np.asarray(marked(Image.new("L", (500, 500)), differs))
    assert (plane == WRONG).all(axis=2).sum() == 13 * 13


def test_a_picture_travels_as_text() -> None:
    made = picture("a/b", "title", "alt", block((1, 2, 3)))
    with Image.open(io.BytesIO(base64.b64decode(made.png))) as image:
        assert (image.format, image.size) == ("PNG", (40, 30))
