"""A NeuralNetwork file in its two readings: arrays and pictures in, arrays out, each its gates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError
from lading.formats import Runtime
from lading.formats.mlmodel import FORMAT
from lading.formats.mlmodel.artifact import MLModel
from lading.formats.mlmodel.side import NetworkSide
from lading.interface import Options
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.proof import compare, probes
from lading.proof.original import Original
from lading.proof.verdict import GATES
from lading.record import Comparison
from tests.toys import interface, noise

PICTURE = Options(image="rgb", scale=1 / 255)
BOTH = [runtime for runtime in FORMAT.runtimes if not runtime.own]
FULL, HALF = BOTH


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> MLModel:
    path = tmp_path_factory.mktemp("nn") / "net.mlmodel"
    FORMAT.convert(capture(interface(), "trace"), Settings(precision="fp32"), path)
    return FORMAT.open(path)


@pytest.mark.parametrize("runtime", BOTH)
def test_arrays(runtime: Runtime, artifact: MLModel) -> None:
    assert runtime.unavailable() is None
    x = noise((1, 1, 16, 16))
    side = artifact.open(runtime)
    assert (side.runtime, side.reading) == (runtime.name, runtime.reading)
    outputs = side.run({"image": x})
    assert list(outputs) == ["logits"]
    assert outputs["logits"].dtype == np.float32
    expected = TorchSide(interface()).run({"image": x})["logits"]
    slack = 5e-3 if runtime.precision else 1e-5
    assert np.abs(outputs["logits"] - expected).max() < slack * np.abs(expected).max()


def test_pictures(tmp_path: Path) -> None:
    one = interface(PICTURE, channels=3)
    path = tmp_path / "a.mlmodel"
    FORMAT.convert(capture(one, "trace"), Settings(precision="fp32"), path)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    outputs = FORMAT.open(path).side().run({"image": x})
    expected = TorchSide(one).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


class Noisy(NetworkSide):
    """The file with noise on its outputs, as a share of the largest value."""

    def run(self, inputs: Any, look_at: Any = ()) -> dict[str, Any]:
        values = super().run(inputs, look_at)
        return {n: v + 2e-3 * noise(v.shape) * np.abs(v).max() for n, v in values.items()}


def judged(runtime: Runtime, artifact: MLModel, kind: type[NetworkSide]) -> Comparison:
    original = Original(interface(), probes.make(interface()))
    side = kind(artifact.model, "a.mlmodel", "float16" if runtime.precision else "float32")
    return compare.compare(original, artifact, artifact.record, runtime, side)


@pytest.mark.parametrize("runtime", BOTH)
def test_gates_are_those_of_the_reading(runtime: Runtime, artifact: MLModel) -> None:
    """An fp32 file: the CPU has to give fp32's equality, and GPU and Neural Engine cannot."""
    steady = [one for one in judged(runtime, artifact, NetworkSide).measurements if one.steady]
    gates = {one.gate or 0.0 for one in steady if one.kind == "psnr"}
    if runtime.precision:
        assert gates == {GATES["fp16"].psnr}
    else:  # at least what sound fp32 keeps
        assert min(gates) >= GATES["fp32"].psnr
    # Noise of 2e-3 of the largest value, some 48 dB: within what fp16 leaves, never of fp32.
    noisy = judged(runtime, artifact, Noisy)
    psnr = next(one for one in noisy.measurements if one.kind == "psnr" and one.steady)
    assert psnr.passed is (runtime is HALF)


def test_wrong_inputs(artifact: MLModel) -> None:
    for runtime in BOTH:
        with pytest.raises(InputError):
            artifact.open(runtime).run({"image": noise((1, 1, 8, 16))})


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ProgramError):
        FORMAT.open(tmp_path / "a.mlmodel")
