"""Rasters: contact sheets, whole pixels, and PNG.

A contact sheet is rows of pictures under column titles, with a caption below each row.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lading.record import Picture

INK, PAPER, FAINT = (20, 22, 26), (255, 255, 255), (96, 102, 112)
RIGHT, WRONG, SUNK = (40, 90, 200), (200, 20, 40), (244, 244, 244)
MARGIN, GAP, TITLE, CAPTION = 16, 10, 22, 20


def sheet(
    titles: Sequence[str],
    rows: Sequence[Sequence[Image.Image]],
    captions: Sequence[str],
    heading: str = "",
) -> Image.Image:
    """One picture of all: each row as high as its first picture, columns equally wide.

    Args:
        titles: one per column.
        rows: pictures, all of one size.
        captions: one per row.
        heading: a line above everything.
    """
    width, height = rows[0][0].size
    columns = len(titles)
    top = MARGIN + (TITLE + GAP if heading else 0)
    total = (
        2 * MARGIN + columns * width + (columns - 1) * GAP,
        top + TITLE + len(rows) * (height + CAPTION + GAP) + MARGIN,
    )
    page = Image.new("RGB", total, PAPER)
    draw = ImageDraw.Draw(page)
    if heading:
        draw.text((MARGIN, MARGIN), heading, INK, ImageFont.load_default(16))
    for column, title in enumerate(titles):
        place = (MARGIN + column * (width + GAP), top)
        draw.text(place, title, INK, ImageFont.load_default(13))
    for number, (row, caption) in enumerate(zip(rows, captions, strict=True)):
        y = top + TITLE + number * (height + CAPTION + GAP)
        for column, picture in enumerate(row):
            page.paste(picture.convert("RGB"), (MARGIN + column * (width + GAP), y))
        draw.text((MARGIN, y + height + 3), caption, FAINT, ImageFont.load_default(12))
    return page


def cell(image: Image.Image, size: int = 192) -> Image.Image:
    """About `size` pixels in its longer side: whole pixels of a small picture, the mean of several
    of a large one.

    >>> cell(Image.new("L", (64, 32))).size, cell(Image.new("L", (400, 10))).size
    ((192, 96), (192, 5))
    """
    longest = max(image.size)
    share = max(1, size // longest) if longest <= size else size / longest
    wide, high = (max(1, round(side * share)) for side in image.size)
    method = Image.Resampling.BOX if longest > size else Image.Resampling.NEAREST
    return image.resize((wide, high), method)


def marked(under: Image.Image, differs: npt.NDArray[np.bool_]) -> Image.Image:
    """[H, W]: red where something differs, over the picture, faded. A place is about one part
    in 40 across, so that a single pixel is seen."""
    mask = Image.fromarray(np.where(differs, 255, 0).astype(np.uint8))
    size = max(mask.size) // 40 // 2 * 2 + 1
    mask = mask.filter(ImageFilter.MaxFilter(size)) if size > 1 else mask
    faded = Image.blend(under.convert("RGB"), Image.new("RGB", under.size, PAPER), 0.55)
    return Image.composite(Image.new("RGB", under.size, WRONG), faded, mask)


def png(image: Image.Image) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def picture(name: str, title: str, alt: str, image: Image.Image) -> Picture:
    """The picture as a bill holds it."""
    return Picture(name, title, alt, base64.b64encode(png(image)).decode("ascii"))
