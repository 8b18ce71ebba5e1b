"""A contact sheet of trajectories: the original and every runtime, at a few moves."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from PIL import Image

from lading.base.drawing import gallery
from lading.proof.trajectory.course import Course, Taken
from lading.record import Picture, Trajectory
from lading.record.wording import FORMATS, RUNTIMES, number
from lading.runtimes import Array

NAME = "trajectory/sheet"
#: Cells are about so many pixels wide or high.
CELL = 192
#: Colours of the sheet: noise in all of them would be most of the bill.
COLOURS = 64
#: Differences are drawn at most so many times as large.
MOST = 10_000


def pictures(course: Course, walks: Sequence[Taken]) -> tuple[Picture, ...]:
    """The sheet, of the walks that were taken to the end; none where there are none, or where x is
    no picture.
    """
    whole = [one for one in walks if len(one.frames) == len(course.shown)]
    if not whole or course.trail[-1].ndim not in (4, 5):
        return ()
    columns = [course.frames, *(one.frames for one in whole)]
    rows = [[cell(as_image(one[place][0])) for one in columns] for place in range(len(columns[0]))]
    captions = [
        f"after move {move} of {len(course.trail)}, told {course.way.told[move - 1]:g}"
        for move in course.shown
    ]
    last = columns[0][-1]
    apart = [np.abs(_drawable(one[-1]) - _drawable(last)) for one in columns]
    times = _times(max(float(one.max()) for one in apart))
    rows.append([cell(as_image((times * one[0]).clip(0, 2) - 1.0)) for one in apart])
    captions.append(f"difference from the original's last picture, times {times:,}")
    titles = ["PyTorch (original)", *(said(one.record) for one in whole)]
    first = whole[0].record
    heading = f"One noise (seed {first.seed}), {first.steps} moves of {first.sampler}"
    ends = "; ".join(
        f"{said(one.record)} ends {number('psnr', one.record.psnr[-1])} "
        f"from it, gate {one.record.gate:g} dB"
        for one in whole
    )
    alt = (
        f"The original and {len(whole)} more walk{'s' * (len(whole) > 1)} from the same noise, "
        f"drawn after moves {', '.join(map(str, course.shown))} of {first.steps}, and below them "
        f"how far the last picture is from the original's, times {times:,}. {ends}."
    )
    page = gallery.sheet(titles, rows, captions, heading).quantize(COLOURS)
    title = f"Original and runtimes from one noise; the last row is {times:,} times too bright"
    return (Picture(NAME, title, alt, base64.b64encode(png(page)).decode("ascii")),)


def _times(largest: float) -> int:
    """The power of ten that brings the largest difference nearest to white, which is 2.

    >>> _times(0.003), _times(0.0), _times(1.5)
    (100, 10000, 1)
    """
    times = MOST
    while times > 1 and times * largest > 2.0:
        times //= 10
    return times


def said(record: Trajectory) -> str:
    """An artifact and its runtime for people.

    >>> said(Trajectory("a/B.onnx", "onnxruntime", "ddim", 1, 0, (), (), None, 60.0, "", "pass"))
    'ONNX in ONNX Runtime'
    """
    kinds = {".mlpackage": "coreml", ".onnx": "onnx", ".mlmodel": "mlmodel"}
    kind = kinds.get(PurePath(record.artifact).suffix, record.artifact)
    where = RUNTIMES.get(record.runtime, record.runtime)
    return f"{FORMATS.get(kind, kind)} in {where}"


def as_image(values: Array) -> Image.Image:
    """Values -1 to 1, [C, H, W], as grey levels or RGB; of [C, D, H, W] the middle slice."""
    plane = values[:, values.shape[1] // 2] if values.ndim == 4 else values
    pixels = np.rint((_drawable(plane) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
    if pixels.shape[0] == 3:
        return Image.fromarray(pixels.transpose(1, 2, 0))
    return Image.fromarray(pixels[0])


def cell(image: Image.Image) -> Image.Image:
    """Whole pixels for small pictures; the mean of several for large ones."""
    longest = max(image.size)
    if longest > CELL:
        size = [max(1, round(side * CELL / longest)) for side in image.size]
        return image.resize((size[0], size[1]), Image.Resampling.BOX)
    scale = CELL // longest
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def png(image: Image.Image) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _drawable(values: Array) -> Array:
    """What is not a number is black, and what is infinite is as far as a picture goes."""
    return np.nan_to_num(values, nan=-1.0, posinf=1.0, neginf=-1.0)
