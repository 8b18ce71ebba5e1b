"""Trajectories on the page: a chart that can be checked by hand, rows, and words with numbers."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from lading import page as report
from lading.base.drawing.chart import BOTTOM, LEFT, RIGHT, TOP
from lading.page.trajectories import chart, walks
from lading.page.view import look
from lading.record import Bill, Picture, Trajectory
from tests import bills
from tests.page.drawn import Seen
from tests.page.test_page import text_of

TOLD = (999.0, 666.0, 333.0, 0.0)


def walked(*psnr: float, **changes: Any) -> Trajectory:
    one = Trajectory(
        "CAMUS.onnx", "onnxruntime", "ddim", 4, 0, TOLD, psnr, 3, 60.0, "fp32 rounds", "pass"
    )  # fmt: skip
    return replace(one, **changes)


ONNX = walked(140.0, 130.0, 101.26, 100.0)
MIL = walked(100.0, 80.0, 60.0, 40.0, artifact="CAMUS.mlpackage", runtime="mil", gate=35.0, parts=2)
ABSENT = walked(artifact="CAMUS.mlpackage", runtime="coreml", gate=35.0, parts=None,
                verdict="not run", reason="Core ML exists on macOS only")  # fmt: skip
LOST = walked(140.0, 50.0, math.nan, math.nan, verdict="fail", reason="ends nan dB away")
SHEET = Picture("trajectory/sheet", "One noise", "Two walks beside the original", bills.png())


def diffusion(*many: Trajectory, **changes: Any) -> Bill:
    one = bills.full()
    task = replace(one.task, kind="diffusion")
    changes = {"pictures": (*one.pictures, SHEET), **changes}
    return replace(one, task=task, trajectories=many, **changes)


def test_decibels_are_heights_and_moves_are_places() -> None:
    seen = Seen(chart([ONNX, MIL]))
    # 20 to 140 dB over the frame's height, four moves over its width.
    height, width = BOTTOM - TOP, RIGHT - LEFT
    points = seen.points("series-2")
    for place, value in enumerate((100.0, 80.0, 60.0, 40.0)):
        x, y = points[place]
        assert x == pytest.approx(LEFT + width * (place + 0.5) / 4, abs=0.1)
        assert y == pytest.approx(BOTTOM - height * (value - 20) / 120, abs=0.1)
    assert seen.words("tick") == [
        "20", "40", "60", "80", "100", "120", "140", "dB, from the original",
        "1: t 999", "2: t 666", "3: t 333", "4: t 0",
    ]  # fmt: skip
    assert seen.words("limit-label") == [
        "gate 35 dB: CAMUS.mlpackage in lading.coreml.mil", "gate 60 dB: CAMUS.onnx in ONNX Runtime"
    ]  # fmt: skip
    assert seen.heights("first", "series-1") == [seen.points("series-1")[2][1]]
    assert seen.heights("first", "series-2") == [points[1][1]]
    # The legend stands below the frame and within the picture.
    first, second = (float(mark.get("y", "")) for mark in seen("text", "legend")[1:])
    drawn = chart([ONNX, MIL])
    assert drawn is not None
    assert BOTTOM < first < second < drawn.height


def test_a_move_forth_told_nothing() -> None:
    drawn = chart([walked(90.0, 80.0, 70.0, 60.0, timesteps=(9.0, math.nan, 9.0, 0.0))])
    assert "2: t nothing" in Seen(drawn).words("tick")


def test_the_words_have_the_numbers() -> None:
    drawn = chart([ONNX, MIL])
    assert drawn is not None
    assert drawn.alt == (
        "Decibels of x beside the original's after each of 4 moves. CAMUS.onnx in ONNX Runtime "
        "begins at 140.0 dB, has 100.0 dB at its lowest and 100.0 dB at the end, gate 60 dB, and "
        "loses most at move 3; CAMUS.mlpackage in lading.coreml.mil begins at 100.0 dB, has 40.0 "
        "dB at its lowest and 40.0 dB at the end, gate 35 dB, and loses most at move 2."
    )


@pytest.mark.parametrize(
    "psnr", [(math.inf,) * 4, (math.nan,) * 4, (-math.inf, 1e9, -1e9, 0.0), (50.0,)]
)
def test_no_point_leaves_the_chart(psnr: tuple[float, ...]) -> None:
    for x, y in Seen(chart([walked(*psnr, parts=None)])).points("series-1"):
        assert LEFT <= x <= RIGHT
        assert TOP <= y <= BOTTOM


def test_not_a_number_is_at_the_foot_and_equal_at_the_top() -> None:
    seen = Seen(chart([walked(math.inf, math.nan, parts=2)]))
    assert [y for _, y in seen.points("series-1")] == [TOP, BOTTOM]


def test_nothing_walked_is_no_chart() -> None:
    assert chart([]) is None
    assert chart([ABSENT]) is None


def test_rows_say_what_failed_first_and_what_was_not_run_last() -> None:
    shown = walks(diffusion(ABSENT, MIL, LOST), [])
    assert shown is not None
    assert [row.state for row in shown.rows] == ["fail", "pass", "not run"]
    lost, mil, absent = shown.rows
    assert (lost.end, lost.lowest, lost.why) == ("nan dB", "nan dB", "ends nan dB away")
    assert (mil.end, mil.lowest, mil.gate) == ("40.0 dB", "40.0 dB", "≥ 35.0 dB")
    assert (mil.parts, mil.why) == ("move 2, time step 666", "fp32 rounds")
    assert (absent.end, absent.lowest, absent.parts) == ("", "", "")
    assert absent.why == "Core ML exists on macOS only"
    assert shown.moves is not None
    assert shown.moves.names == (
        "CAMUS.onnx in ONNX Runtime",
        "CAMUS.mlpackage in lading.coreml.mil",
    )
    assert shown.moves.rows[1] == (2, "666", ("50.0 dB", "80.0 dB"))


def test_the_page_has_a_section_of_it() -> None:
    page = report.render(diffusion(ONNX, MIL, ABSENT))
    assert page.count('id="trajectory"') == 1
    assert page.count('href="#trajectory"') == 1
    assert page.count(f'alt="{SHEET.alt}"') == 1  # there, and not among the other pictures
    assert page.count('class="line series-1"') == 2  # the walk and its legend
    lines = text_of(page)
    assert "4 moves of ddim from the noise of seed 0, the same for every network" in lines
    assert "| 100.0 dB | 100.0 dB | move 3, time step 333 | ≥ 60.0 dB | pass" in lines
    assert "SVG" not in lines


def test_other_networks_have_no_such_section() -> None:
    page = report.render(bills.full())
    assert 'id="trajectory"' not in page
    assert 'href="#trajectory"' not in page
    assert look(bills.full()).trajectories is None


def test_pictures_of_the_walk_alone_leave_no_empty_section_of_pictures() -> None:
    page = report.render(diffusion(ONNX, pictures=(SHEET,)))
    assert 'id="pictures"' not in page
    none = text_of(report.render(replace(bills.full(), pictures=())))
    assert "The bill holds nothing of: Pictures." in none


def test_a_diffusion_network_that_was_not_walked_says_so() -> None:
    shown = text_of(report.render(diffusion()))
    assert re.search("The bill holds nothing of: .*Trajectory", shown)


def test_the_first_sentence_says_that_it_leads_elsewhere() -> None:
    failed = diffusion(LOST, MIL, verdict="fail")
    assert look(failed).summary == (
        "CAMUS.onnx does not lead where the original leads: ends nan dB away"
    )


def test_a_strangers_words_and_numbers_are_drawn_and_not_obeyed() -> None:
    text = "".join(bills.HOSTILE[:4])
    strange = [
        walked(1.0, artifact=text, runtime=text, sampler=text, reason=text, gate_reason=text),
        walked(*[math.inf] * 9, timesteps=(), steps=-1, parts=77),
        walked(1e300, -1e300, gate=math.nan, parts=-3),
        walked(5.0, 4.0, gate=-math.inf),
    ]
    page = report.render(diffusion(*strange))
    assert "<script>document.title" not in page
    assert "onerror=" not in page.replace("onerror=&#34;", "")
