"""A runtime's own error is not the file's: where it misses, the file is asked in float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lading.formats import open_artifact
from lading.proof import compare, judge, probes
from lading.proof.original import Original
from lading.record import Comparison
from tests.mutants.court import Subject, carry
from tests.mutants.right_strangers import subject


def rare() -> nn.Module:
    """Probabilities near a millionth, where ONNX Runtime approximates the sigmoid."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Sigmoid())
    with torch.no_grad():
        network[2].bias.sub_(14.0)
    return network.eval()


def compared(one: Subject, path: Path) -> Comparison:
    artifact = open_artifact(path)
    original = Original(one.interface(), probes.make(one.interface()))
    (found,) = compare.every_runtime(original, artifact, artifact.record, lambda *_: None)
    return found


@pytest.fixture(scope="module")
def sound() -> Subject:
    return subject("rare", rare(), {"x": (4, 6)})


def test_what_the_runtime_loses_is_shown_and_the_file_is_judged(
    sound: Subject, tmp_path: Path
) -> None:
    found = compared(sound, carry(sound, "onnx", tmp_path / "a"))
    assert found.verdict == "pass", found.reason
    own = next(m for m in found.measurements if m.kind == "psnr" and m.reading == "declared")
    assert own.gate is None
    assert own.value < 60
    assert own.why == judge.RUNTIME_REASON
    exact = next(m for m in found.measurements if m.kind == "psnr" and m.reading == "float64")
    assert exact.gate is not None
    assert exact.passed


def test_a_wrong_file_is_wrong_in_float64_too(sound: Subject, tmp_path: Path) -> None:
    wrong = rare()
    with torch.no_grad():
        wrong[2].bias.add_(0.01)  # type: ignore[index, operator, union-attr]
    found = compared(sound, carry(sound, "onnx", tmp_path / "a", wrong))
    assert found.verdict == "fail"
    assert not any(m.reading == "float64" for m in found.measurements)
