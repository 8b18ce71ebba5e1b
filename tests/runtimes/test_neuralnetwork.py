"""`lading.neuralnetwork` as two runtimes: arrays and pictures in, arrays out, each its gates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError
from lading.formats.mlmodel import TARGET
from lading.interface import Options
from lading.interface.settings import Settings
from lading.proof import compare, probes
from lading.proof.verdict import GATES
from lading.record import ArtifactRecord, Comparison
from lading.runtimes import Runtime
from lading.runtimes.neuralnetwork import RUNTIME as FULL
from lading.runtimes.neuralnetwork_fp16 import RUNTIME as HALF
from lading.runtimes.torch import Eager
from tests.toys import interface, noise

PICTURE = Options(image="rgb", scale=1 / 255)
BOTH = [FULL, HALF]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ArtifactRecord]:
    path = tmp_path_factory.mktemp("nn") / "net.mlmodel"
    record = TARGET.convert(capture(interface(), "trace"), Settings(precision="fp32"), path)
    return path, record


@pytest.mark.parametrize("runtime", BOTH)
def test_arrays(runtime: Runtime, made: tuple[Path, ArtifactRecord]) -> None:
    assert runtime.unavailable() is None
    x = noise((1, 1, 16, 16))
    outputs = runtime.load(made[0]).run({"image": x})
    assert list(outputs) == ["logits"]
    assert outputs["logits"].dtype == np.float32
    expected = Eager(interface()).run({"image": x})["logits"]
    slack = 5e-3 if runtime.precision else 1e-5
    assert np.abs(outputs["logits"] - expected).max() < slack * np.abs(expected).max()


def test_pictures(tmp_path: Path) -> None:
    one = interface(PICTURE, channels=3)
    TARGET.convert(capture(one, "trace"), Settings(precision="fp32"), tmp_path / "a.mlmodel")
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    outputs = FULL.load(tmp_path / "a.mlmodel").run({"image": x})
    expected = Eager(one).run({"image": x})["logits"]
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)


def judged(runtime: Runtime, made: tuple[Path, ArtifactRecord], noisy: float = 0.0) -> Comparison:
    one = interface()
    drawn = probes.make(one)
    expected = compare.reference(Eager(one), drawn)
    if noisy:
        expected = [
            {k: v + noisy * noise(v.shape) * np.abs(v).max() for k, v in each.items()}
            for each in expected
        ]
    return compare.compare(made[1], runtime, runtime.load(made[0]), drawn, expected, one.task)


@pytest.mark.parametrize("runtime", BOTH)
def test_gates_are_those_of_the_reading(
    runtime: Runtime, made: tuple[Path, ArtifactRecord]
) -> None:
    """An fp32 file: the CPU has to give fp32's equality, and GPU and Neural Engine cannot."""
    steady = judged(runtime, made)
    gates = {metric.gate for metric in steady.metrics if metric.name == "logits psnr"}
    assert gates == {GATES[runtime.precision or "fp32"].psnr}
    # Noise of 2e-3 of the largest value, some 48 dB: within what fp16 leaves, never of fp32.
    noisy = judged(runtime, made, 2e-3)
    psnr = next(metric for metric in noisy.metrics if metric.name == "logits psnr")
    assert psnr.passed is (runtime is HALF)


def test_wrong_inputs(made: tuple[Path, ArtifactRecord]) -> None:
    for runtime in BOTH:
        with pytest.raises(InputError):
            runtime.load(made[0]).run({"image": noise((1, 1, 8, 16))})


def test_what_is_no_file(tmp_path: Path) -> None:
    for runtime in BOTH:
        with pytest.raises(ProgramError):
            runtime.load(tmp_path / "a.mlmodel")
