"""`lading.mil` as a runtime: arrays and pictures in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError
from lading.formats.coreml import TARGET
from lading.interface import Options
from lading.interface.settings import Settings
from lading.runtimes.mil import RUNTIME
from lading.runtimes.torch import Eager
from tests.toys import interface, noise

PICTURE = Options(image="rgb", bake=("zscore",))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mil")
    made = {"array": interface(), "picture": interface(PICTURE, channels=3)}
    for name, one in made.items():
        settings = Settings(precision="fp32")
        TARGET.convert(capture(one, "trace"), settings, folder / f"{name}.mlpackage")
    return {name: folder / f"{name}.mlpackage" for name in made}


def test_it_is_here() -> None:
    assert RUNTIME.unavailable() is None


def test_arrays(artifacts: dict[str, Path]) -> None:
    x = noise((1, 1, 16, 16))
    outputs = RUNTIME.load(artifacts["array"]).run({"image": x})
    assert list(outputs) == ["logits"]
    assert outputs["logits"].dtype == np.float32
    expected = Eager(interface()).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


def test_pictures(artifacts: dict[str, Path]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    outputs = RUNTIME.load(artifacts["picture"]).run({"image": x})
    expected = Eager(interface(PICTURE, channels=3)).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"image": noise((1, 1, 8, 16))}, "float32 of shape (1, 1, 16, 16)"),
        ({}, "float32 of shape (1, 1, 16, 16)"),
        ({"picture": noise((1, 1, 16, 16))}, "one of image"),
    ],
)
def test_wrong_inputs(artifacts: dict[str, Path], inputs: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        RUNTIME.load(artifacts["array"]).run(inputs)
    assert caught.value.expected == expected


def test_what_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "a.mlpackage").mkdir()
    for name in ("a.mlpackage", "b.mlpackage"):
        with pytest.raises(ProgramError):
            RUNTIME.load(tmp_path / name)
