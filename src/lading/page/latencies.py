"""The latencies of a bench as bars, with the mark that 95 of 100 calls do not pass."""

from __future__ import annotations

import base64

from markupsafe import escape

from lading.base.drawing.chart import LETTER, Drawing
from lading.record.bench import Bench, Timing
from lading.record.text import visible
from lading.record.wording import milliseconds, where

MARGIN, BAR, STEP = 16, 18, 34
#: Pixels of the longest bar.
WIDE = 420


def chart(done: Bench) -> Drawing:
    """A bar a row: the median; a line: the 95th percentile; what was not run has no bar."""
    names = [name(one) for one in done.timings]
    left = MARGIN + LETTER * max(map(len, names)) + 12
    longest = max((one.p95 for one in done.ran), default=0.0) or 1.0
    told = "; ".join(
        f"{name(one)} {milliseconds(one.median)}, p95 {milliseconds(one.p95)}" for one in done.ran
    )
    threads = f"{done.threads} thread{'s' * (done.threads != 1)}"
    drawing = Drawing(
        left + WIDE + 260,
        MARGIN + STEP * len(names) + 28,
        f"Latency of a call, {threads}: bar median, line p95",
        f"Latency of a call with {threads}: {told}.",
        "bench",
    )
    for place, (label, one) in enumerate(zip(names, done.timings, strict=True)):
        y = MARGIN + STEP * place
        drawing.text("legend", MARGIN, y + 14, label)
        if one.reason:
            drawing.text("tick", left, y + 14, f"not run: {one.reason}")
            continue
        end, p95 = left + WIDE * one.median / longest, left + WIDE * one.p95 / longest
        drawing.rect("bar", left, y, max(end - left, 1.0), BAR)
        drawing.line("line series-2", p95, y - 4, p95, y + BAR + 4)
        text = f"{milliseconds(one.median)}, p95 {milliseconds(one.p95)}, {one.ratio:.2f} x"
        drawing.text("tick", max(end, p95) + 8, y + 14, text)
    return drawing


def cell(done: Bench) -> str:
    """The chart for a notebook's cell."""
    drawing = chart(done)
    data = base64.b64encode(drawing.file()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(visible(drawing.alt))}">'


def name(one: Timing) -> str:
    """A row's file and runtime, with Core ML's compute units.

    >>> name(Timing("out/Model.mlpackage", "coreml", "cpuOnly"))
    'Model.mlpackage in Core ML, cpuOnly'
    """
    title = where(one.artifact, one.runtime)
    return f"{title}, {one.unit}" if one.unit else title
