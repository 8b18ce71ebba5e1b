"""Pictures of a segmentation: what each runtime sees, and where it differs, pixel by pixel."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lading.base.drawing import gallery
from lading.base.drawing.palette import PALETTE
from lading.formats import Runtime
from lading.proof import figures, probes
from lading.proof.original import Original
from tests import toys
from tests.standin import Changed, Fake


def wrong(outputs: dict[str, Any]) -> None:
    """One corner of the picture given to the last class."""
    outputs["logits"][0, 2, :4, :4] = 1e3


@pytest.fixture
def original() -> Original:
    one = toys.interface()
    return Original(one, probes.make(one))


def drawn(original: Original, absent: str | None = None) -> dict[str, Any]:
    one = original.interface
    side = Changed(one, wrong)
    artifact = Fake(one, side, format="onnx", path="a.onnx", title="ONNX")
    artifact.format.runtimes = (
        Runtime("onnxruntime", "it", unavailable=lambda: absent, opens=lambda path: side),
    )
    return {p.name: p for p in figures.segmentation(original, [(artifact.record, artifact)])}


def pixels(picture: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png))).convert("RGB"))


def test_maps_and_difference(original: Original) -> None:
    made = drawn(original)
    names = ["input", "original", "onnx-onnxruntime", "difference"]
    assert list(made) == [
        f"{probe}/{name}" for probe in ("shapes-2", "stripes-3") for name in names
    ]
    truth = original.outputs[2]["logits"][0].argmax(0)
    expected = np.asarray(PALETTE, dtype=np.uint8)[truth]
    assert np.array_equal(pixels(made["shapes-2/original"]), expected)
    red = (pixels(made["shapes-2/difference"]) == gallery.WRONG).all(axis=2)
    changed = np.zeros((16, 16), dtype=bool)
    changed[:4, :4] = truth[:4, :4] != 2
    assert changed.any()
    assert np.array_equal(red, changed)
    assert f"{int(changed.sum())} of 256 pixels" in made["shapes-2/difference"].title
    for one in made.values():
        assert one.alt


def test_dice_is_told_per_class(original: Original) -> None:
    truth = original.outputs[2]["logits"][0].argmax(0)
    title = drawn(original)["shapes-2/onnx-onnxruntime"].title
    assert title.startswith("ONNX in ONNX Runtime: Dice ")
    got = truth.copy()
    got[:4, :4] = 2
    for label in sorted({int(one) for one in np.union1d(truth, got)} - {0}):
        both = int(((truth == label) & (got == label)).sum())
        dice = 2 * both / (int((truth == label).sum()) + int((got == label).sum()))
        assert f"{toys.LABELS[label]} {dice:.4f}" in title


def test_other_tasks_have_none(original: Original) -> None:
    one = replace(original.interface, task=replace(original.interface.task, kind="diffusion"))
    original.interface = one
    assert figures.segmentation(original, []) == ()


def test_an_absent_runtime_is_left_out(original: Original) -> None:
    made = drawn(original, absent="not here")
    assert list(made)[:2] == ["shapes-2/input", "shapes-2/original"]
    assert len(made) == 4
