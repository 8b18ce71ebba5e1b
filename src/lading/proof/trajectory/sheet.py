"""A contact sheet of trajectories: the original and every runtime, at a few moves."""

from __future__ import annotations

import math
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
    times = [_times(float(one.max())) for one in apart]
    factors = [
        f"{_said(one.record)} {'equal' if not factor else f'times {factor:,.6g}'}"
        for factor, one in zip(times[1:], whole, strict=True)
    ]
    title = "Original and runtimes from one noise; the last picture is the same in all"
    if any(times):
        scaled = zip(times, apart, strict=True)
        rows.append([cell(signed((factor * one[0]).clip(0, 2) - 1.0)) for factor, one in scaled])
        captions.append(f"difference from the original's last: {'; '.join(factors)}")
        title = (
            "Original and runtimes from one noise; in the last row each difference fills its range"
        )
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
        f"drawn after moves {', '.join(map(str, course.shown))} of {first.steps}; "
        f"how far the last picture is from the original's, {'; '.join(factors)}. {ends}."
    )
    page = gallery.sheet(titles, rows, captions, heading).quantize(COLOURS)
    return (gallery.picture(NAME, title, alt, page),)


def _times(largest: float) -> float:
    """What brings the largest difference to white, which is 2, in two digits; 0 where there is
    none.

    >>> _times(0.003), _times(0.0), _times(1.5)
    (660.0, 0.0, 1.3)
    """
    if not largest or not math.isfinite(2.0 / largest):
        return 0.0
    digits = 1 - math.floor(math.log10(2.0 / largest))
    return math.floor(2.0 / largest * 10.0**digits) / 10.0**digits


def _said(record: Trajectory) -> str:
    """An artifact and its runtime, briefly.

    >>> _said(Trajectory("a/B.onnx", "onnxruntime", "ddim", 1, 0, (), (), None, 60.0, "", "pass"))
    '.onnx in ONNX Runtime'
    """
    return where(PurePath(record.artifact).suffix or record.artifact, record.runtime)
