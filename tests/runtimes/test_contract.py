"""Runtimes by name and by format; an absent one says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.errors import RequestError, RuntimeUnavailableError
from lading.runtimes import as_numpy, as_picture, require, runtime, runtimes, runtimes_for


def test_the_shelf() -> None:
    names = ["coreml", "mil", "neuralnetwork", "neuralnetwork_fp16", "onnxruntime", "torch"]
    assert list(runtimes()) == names
    readings = runtimes_for("mlmodel")
    assert [one.name for one in readings] == ["coreml", "neuralnetwork", "neuralnetwork_fp16"]
    assert [one.precision for one in readings] == [None, None, "fp16"]
    assert [one.name for one in runtimes_for("coreml")] == ["coreml", "mil"]
    assert [one.name for one in runtimes_for("onnx")] == ["onnxruntime"]
    assert runtimes_for("tflite") == []
    assert runtime("mil").title == "lading.mil (declared precision)"


def test_an_unknown_runtime() -> None:
    with pytest.raises(RequestError) as caught:
        runtime("tensorrt")
    assert str(caught.value) == (
        "--runtime tensorrt\n"
        "  found     'tensorrt'\n"
        "  expected  coreml or mil or neuralnetwork or neuralnetwork_fp16 or onnxruntime or torch\n"
        "  remedy    see `lading doctor` for what runs here"
    )


class Absent:
    name, title, formats = "absent", "Absent (nowhere)", ("onnx",)
    precision = None

    def unavailable(self) -> str | None:
        return "it was never built"

    def load(self, path: Path) -> Any:
        raise AssertionError


def test_an_absent_runtime_says_why() -> None:
    with pytest.raises(RuntimeUnavailableError) as caught:
        require(Absent())
    assert str(caught.value) == (
        "Absent (nowhere)\n"
        "  found     it was never built\n"
        "  expected  a computer that has it\n"
        "  remedy    use another runtime; see `lading doctor`"
    )
    require(runtime("mil"))


def test_arrays_come_in_order() -> None:
    turned = np.arange(6).reshape(2, 3).T
    assert as_numpy(turned).flags.c_contiguous
    np.testing.assert_array_equal(as_numpy(turned), turned)


def test_pictures_of_one_and_three_channels() -> None:
    grey = as_picture(np.array([[[[-3.0, 0.4], [254.6, 300.0]]]]))
    assert grey.mode == "L"
    assert np.asarray(grey).tolist() == [[0, 0], [255, 255]]
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    colour = as_picture(values)
    assert colour.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(colour).transpose(2, 0, 1), values[0])
