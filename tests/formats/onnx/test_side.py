"""An ONNX file as a side: what ONNX Runtime runs, what it refuses, in lading's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError, RuntimeUnavailableError
from lading.formats.onnx import FORMAT
from lading.formats.onnx import side as module
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from tests.toys import interface, noise


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    FORMAT.convert(capture(interface(), "trace"), Settings(), path)
    return path


def test_it_runs(artifact: Path) -> None:
    x = noise((1, 1, 16, 16))
    outputs = FORMAT.open(artifact).side().run({"image": x})
    assert list(outputs) == ["logits"]
    assert outputs["logits"].dtype == np.float32
    expected = TorchSide(interface()).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "given"),
    [
        ({"image": noise((1, 1, 8, 16))}, "image float32 [1, 1, 8, 16]: "),
        ({"image": noise((1, 1, 16, 16)).astype(np.float64)}, "image float64 [1, 1, 16, 16]: "),
        ({"picture": noise((1, 1, 16, 16))}, "picture float32 [1, 1, 16, 16]: "),
        ({}, "nothing: "),
    ],
)
def test_wrong_inputs(artifact: Path, inputs: Any, given: str) -> None:
    with pytest.raises(InputError) as caught:
        FORMAT.open(artifact).side().run(inputs)
    assert caught.value.subject == "net.onnx in ONNX Runtime"
    assert caught.value.found.startswith(given)
    assert len(caught.value.found) > len(given)
    assert caught.value.expected == "image tensor(float) [1, 1, 16, 16]"


@pytest.mark.parametrize("data", [b"", b"no model"])
def test_what_is_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(data)
    with pytest.raises(ProgramError) as caught:
        FORMAT.open(tmp_path / "a.onnx")
    assert caught.value.expected == "an ONNX model"
    with pytest.raises(ProgramError):
        FORMAT.open(tmp_path / "b.onnx")


def test_it_is_absent_where_the_package_is(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    (runtime,) = FORMAT.runtimes
    assert runtime.unavailable() == "the package onnxruntime is not installed"
    with pytest.raises(RuntimeUnavailableError):
        FORMAT.open(artifact).open(runtime)
