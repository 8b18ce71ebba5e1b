"""Labels over the picture that they were made of, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lading.base.drawing.palette import colour_of
from lading.record.text import visible
from lading.task.finish import class_name
from lading.task.pictures import colour, grey

Array = npt.NDArray[Any]

#: How much of a label's colour is laid over the picture.
OPACITY = 0.45
#: Smaller pictures are enlarged, pixel by pixel, to at least this many across.
LEAST = 480
LINE, MARGIN = 22, 8


def draw(own: Array, labels: Array, names: Sequence[str] = ()) -> Image.Image:
    """A picture [C, H, W] under its labels [H, W], and the classes that are there below; of a
    volume [C, Z, Y, X] the slice with the most classes other than 0.

    Args:
        own: grey levels or RGB values, of any range.
        labels: class of every pixel; 0 is the background and stays clear.
        names: of the classes.
    """
    said = ""
    if labels.ndim == 3:
        place = int((labels != 0).sum(axis=(1, 2)).argmax())
        said = f"slice {place + 1} of {len(labels)}"
        own, labels = own[:, place], labels[place]
    over = colour(labels).convert("RGB")
    mask = Image.fromarray(np.where(labels != 0, int(255 * OPACITY), 0).astype(np.uint8))
    picture = Image.composite(over, _picture(own), mask)
    factor = max(1, -(-LEAST // picture.width))
    size = (factor * picture.width, factor * picture.height)
    there, counts = np.unique(labels, return_counts=True)
    legend = [
        (colour_of(int(n)), f"{n}  {class_name(int(n), names)}  {100 * count / labels.size:.2f} %")
        for n, count in zip(there, counts, strict=True)
    ]
    return _with_legend(picture.resize(size, Image.Resampling.NEAREST), legend, said)


def _with_legend(
    picture: Image.Image, legend: Sequence[tuple[tuple[int, int, int], str]], said: str
) -> Image.Image:
    rows = len(legend) + bool(said)
    size = (picture.width, picture.height + rows * LINE + 2 * MARGIN)
    sheet = Image.new("RGB", size, (255, 255, 255))
    sheet.paste(picture)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    top = picture.height + MARGIN
    if said:
        pen.text((MARGIN, top), said, fill=(0, 0, 0), font=font)
        top += LINE
    for shade, text in legend:
        pen.rectangle((MARGIN, top, MARGIN + 16, top + 14), fill=shade, outline=(90, 90, 90))
        pen.text((MARGIN + 26, top - 1), visible(text)[:80].replace("\n", " "), (0, 0, 0), font)
        top += LINE
    return sheet


def _picture(own: Array) -> Image.Image:
    if own.shape[0] != 3:
        return grey(own[0]).convert("RGB")
    low, high = float(own.min()), float(own.max())
    if low < 0 or high > 255:
        own = (own - low) / (high - low) * 255.0
    return Image.fromarray(np.rint(own).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
