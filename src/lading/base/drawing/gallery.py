"""Contact sheets: rows of pictures under column titles, with a caption below each row."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

INK, PAPER, FAINT = (20, 22, 26), (255, 255, 255), (96, 102, 112)
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
