"""A contact sheet of trajectories: the original and every runtime, at a few moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from lading.base.drawing import gallery
from lading.base.drawing.gallery import cell
from lading.proof.trajectory.course import Course, Taken
from lading.record import Picture, Trajectory
from lading.record.wording import number, where
from lading.task.pictures import drawable, signed

NAME = "trajectory/sheet"
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
    rows = [[cell(signed(one[place][0])) for one in columns] for place in range(len(columns[0]))]
    captions = [
        f"after move {move} of {len(course.trail)}, time step {course.way.timesteps[move - 1]:g}"
        for move in course.shown
    ]
    last = columns[0][-1]
    apart = [np.abs(drawable(one[-1]) - drawable(last)) for one in columns]
    times = _times(max(float(one.max()) for one in apart))
    rows.append([cell(signed((times * one[0]).clip(0, 2) - 1.0)) for one in apart])
    captions.append(f"difference from the original's last picture, times {times:,}")
    titles = ["PyTorch (original)", *(_said(one.record) for one in whole)]
    first = whole[0].record
    heading = f"One noise (seed {first.seed}), {first.steps} moves of {first.sampler}"
    ends = "; ".join(
        f"{_said(one.record)} ends {number('psnr', one.record.psnr[-1])} "
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
    return (gallery.picture(NAME, title, alt, page),)


def _times(largest: float) -> int:
    """The power of ten that brings the largest difference nearest to white, which is 2.

    >>> _times(0.003), _times(0.0), _times(1.5)
    (100, 10000, 1)
    """
    times = MOST
    while times > 1 and times * largest > 2.0:
        times //= 10
    return times


def _said(record: Trajectory) -> str:
    """An artifact and its runtime, briefly.

    >>> _said(Trajectory("a/B.onnx", "onnxruntime", "ddim", 1, 0, (), (), None, 60.0, "", "pass"))
    '.onnx in ONNX Runtime'
    """
    return where(PurePath(record.artifact).suffix or record.artifact, record.runtime)
