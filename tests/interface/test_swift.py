"""The page's Swift, run before stand-ins for Apple's libraries: it sees what its Python sees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.interface import snippets, swift
from lading.record import ArtifactRecord, Port, Task

STUBS = Path(__file__).parent / "apple.swift"
#: Beside which no other module is there.
OTHERS = ("import CoreGraphics\n", "import CoreML\n", "import Foundation\n")


def made(channels: int = 1, deployment: str = "iOS16", **more: Any) -> tuple[ArtifactRecord, Task]:
    taken = {"meaning": "normalised grey levels", **more}
    taken = Port("image", "tensor", "float32", (1, channels, 4, 5), **taken)  # type: ignore[assignment]
    given = Port("logits", "tensor", "float32", (1, 3, 4, 5), meaning="logits", class_axis=1)
    record = ArtifactRecord(
        "coreml", "Net.mlpackage", 1, "", "fp16", (taken,), (given,), "export",  # type: ignore[arg-type]
        {"deployment": deployment},
    )  # fmt: skip
    return record, Task("segmentation", (taken,), (given,), labels=("a", "b", "c"))  # type: ignore[arg-type]


CASES = {
    "normalised": made(),
    "before shaped arrays": made(deployment="iOS13"),
    "a range": made(value_range=(-1.0, 1.0)),
}


@pytest.mark.skipif(not shutil.which("swiftc"), reason="not run: no Swift")
def test_the_swift_sees_what_the_python_sees(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (4, 5), dtype=np.uint8)
    parts = [STUBS.read_text(), f"let picture = CGImage({pixels.ravel().tolist()})"]
    for index, (record, task) in enumerate(CASES.values()):
        code = swift.snippet(record, task)
        for other in OTHERS:
            code = code.replace(other, "")
        parts.append(f"func case{index}() throws {{\n{code}\nprint(labels, imageValues)\n}}")
        parts.append(f"try case{index}()")
    source = tmp_path / "main.swift"
    source.write_text("\n".join(parts))
    built = subprocess.run(
        ["swiftc", "-swift-version", "5", source, "-o", tmp_path / "main"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-4000:]
    assert "warning" not in built.stderr
    shown = subprocess.check_output([tmp_path / "main"], text=True).splitlines()
    plain = pixels.astype(np.float64)
    normal = (plain - plain.mean()) / plain.std()
    for line, expected in zip(shown, (normal, normal, plain / 255 * 2 - 1), strict=True):
        labels, values = (np.fromstring(one.strip(" ["), sep=",") for one in line.split("]")[:2])
        np.testing.assert_allclose(values, expected.ravel(), atol=1e-5)
        scores = np.stack([values, -values, np.full_like(values, 0.25)])
        np.testing.assert_array_equal(labels, scores.argmax(axis=0))


@pytest.mark.parametrize(
    ("deployment", "call", "shaped"),
    [
        ("iOS13", "try model.prediction", False), ("iOS15", "try model.prediction", True),
        ("iOS16", "try model.prediction", True), ("iOS17", "try await model.prediction", True),
        ("macOS13", "try model.prediction", True), ("macOS14", "try await model.prediction", True),
    ],
)  # fmt: skip
def test_it_asks_for_no_newer_system(deployment: str, call: str, shaped: bool) -> None:
    code = swift.snippet(*made(deployment=deployment))
    assert f"= {call}(from: features)" in code
    assert ("MLShapedArray" in code) == shaped
    assert "NSNumber" not in code
    assert "computeUnits" in code


def test_regions_are_laid_over_one_another() -> None:
    record, task = made()
    code = swift.snippet(record, Task(task.kind, task.inputs, task.outputs, region_order=(1, 3, 2)))
    assert "let regions = [1, 3, 2]" in code
    assert "> 0 {" in code


def test_both_languages_prepare_a_picture_the_same_way() -> None:
    record, task = made(3)
    python = snippets.python([], [], record, task, pictures=False)
    code = swift.snippet(record, task)
    assert '"RGB"' in python
    assert "channels: 3)\n    .flatMap(normalised)" in code
    assert "std(axis=(2, 3)" in python
