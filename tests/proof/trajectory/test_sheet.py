"""The contact sheet: every finished walk is a column, and the words have the numbers."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lading.proof.trajectory import Taken, pictures
from lading.record import Trajectory
from lading.task.pictures import signed

CELL = 192

RECORD = Trajectory(
    "A.onnx", "onnxruntime", "ddim", 4, 0, (999.0, 666.0, 333.0, 0.0), (120.0, 110.0, 100.0, 97.5),
    2, 60.0, "", "pass",
)  # fmt: skip


def course(*shape: int) -> Any:
    frames = tuple(np.full(shape, value, np.float32) for value in (-0.9, -0.5, 0.0, 0.5))
    return SimpleNamespace(
        frames=frames,
        trail=list(frames),
        shown=(1, 2, 3, 4),
        way=SimpleNamespace(timesteps=RECORD.timesteps),
    )


def drawn(picture: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png))).convert("L"))


def test_a_column_each_and_the_numbers_in_words() -> None:
    one = course(1, 1, 16, 16)
    mil = replace(RECORD, artifact="A.mlpackage", runtime="mil", gate=35.0, psnr=(48.1,) * 4)
    off = tuple(frame + np.float32(0.003) for frame in one.frames)
    (picture,) = pictures(one, [Taken(RECORD, one.frames), Taken(mil, off)])
    assert picture.name == "trajectory/sheet"
    assert ".onnx in ONNX Runtime ends 97.5 dB from it, gate 60 dB" in picture.alt
    assert ".mlpackage in lading.coreml.mil ends 48.1 dB from it, gate 35 dB" in picture.alt
    assert "after moves 1, 2, 3, 4 of 4" in picture.alt
    assert ".onnx in ONNX Runtime equal; .mlpackage in lading.coreml.mil times 660." in picture.alt
    page = drawn(picture)
    assert page.shape[1] > 3 * CELL
    assert page.shape[0] > 5 * CELL
    # The last row: equal is black, 0.003 times 660 is 1.98 of 2, which is white.
    last = page[-CELL // 2 - 40]
    assert last[CELL // 2] == last[CELL // 2 + CELL + 10] == 0
    assert last[CELL // 2 + 2 * (CELL + 10)] == pytest.approx(252, abs=6)  # of 64 colours


def test_where_nothing_differs_no_row_is_black() -> None:
    one = course(1, 1, 16, 16)
    (picture,) = pictures(one, [Taken(RECORD, one.frames)])
    assert picture.title.endswith("the last picture is the same in all")
    assert drawn(picture).shape[0] < 5.5 * CELL
    assert ".onnx in ONNX Runtime equal" in picture.alt


def test_what_broke_off_is_left_out() -> None:
    one = course(1, 1, 16, 16)
    assert pictures(one, []) == ()
    assert pictures(one, [Taken(RECORD, one.frames[:2])]) == ()
    whole = pictures(one, [Taken(RECORD, one.frames)])
    assert pictures(one, [Taken(RECORD, one.frames[:2]), Taken(RECORD, one.frames)]) == whole


def test_a_line_is_no_picture_and_a_volume_is_one() -> None:
    line = course(1, 1, 16)
    assert pictures(line, [Taken(RECORD, line.frames)]) == ()
    volume = course(1, 1, 3, 16, 16)
    assert len(pictures(volume, [Taken(RECORD, volume.frames)])) == 1


def test_what_is_not_a_number_is_drawn_black() -> None:
    one = course(1, 1, 16, 16)
    lost = tuple(np.full_like(frame, np.nan) for frame in one.frames)
    (picture,) = pictures(one, [Taken(RECORD, lost)])
    page = drawn(picture)
    assert page[100, CELL // 2 + CELL + 10] == 0
    values = signed(np.array([[[np.nan, np.inf, -np.inf, 0.0]]], np.float32))
    assert np.asarray(values).tolist() == [[0, 255, 0, 128]]
