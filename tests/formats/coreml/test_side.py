"""An ML Program as a side: arrays and pictures in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError
from lading.formats import Runtime
from lading.formats.coreml import FORMAT
from lading.formats.coreml.artifact import MLProgram
from lading.interface import Options
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from tests.toys import interface, noise

PICTURE = Options(image="rgb", bake=("zscore",))
MIL = next(runtime for runtime in FORMAT.runtimes if runtime.name == "mil")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MLProgram]:
    folder = tmp_path_factory.mktemp("mil")
    made = {"array": interface(), "picture": interface(PICTURE, channels=3)}
    for name, one in made.items():
        settings = Settings(precision="fp32")
        FORMAT.convert(capture(one, "trace"), settings, folder / f"{name}.mlpackage")
    return {name: FORMAT.open(folder / f"{name}.mlpackage") for name in made}


def test_it_is_here() -> None:
    assert isinstance(MIL, Runtime)
    assert MIL.unavailable() is None


def test_arrays(artifacts: dict[str, MLProgram]) -> None:
    x = noise((1, 1, 16, 16))
    side = artifacts["array"].open(MIL)
    assert (side.runtime, side.reading, side.outputs) == ("mil", "declared", ("logits",))
    outputs = side.run({"image": x})
    assert list(outputs) == ["logits"]
    assert outputs["logits"].dtype == np.float32
    expected = TorchSide(interface()).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


def test_pictures(artifacts: dict[str, MLProgram]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    outputs = artifacts["picture"].side().run({"image": x})
    expected = TorchSide(interface(PICTURE, channels=3)).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"image": noise((1, 1, 8, 16))}, "float32 of shape (1, 1, 16, 16)"),
        ({}, "float32 of shape (1, 1, 16, 16)"),
        ({"picture": noise((1, 1, 16, 16))}, "one of image"),
    ],
)
def test_wrong_inputs(artifacts: dict[str, MLProgram], inputs: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        artifacts["array"].side().run(inputs)
    assert caught.value.expected == expected


def test_what_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "a.mlpackage").mkdir()
    for name in ("a.mlpackage", "b.mlpackage"):
        with pytest.raises(ProgramError):
            FORMAT.open(tmp_path / name)
