"""Constants put back to where they came from: an fp16 file's graph alone, in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from lading.conversion.capture import capture
from lading.formats.coreml import FORMAT
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.interface.side import Side
from lading.proof import metrics, noise
from lading.proof.probes import make
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from tests import toys


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("widened") / "net.mlpackage"
    FORMAT.convert(capture(toys.interface(), "trace"), Settings(), path)
    return path


def widened(program: Path, state: Mapping[str, torch.Tensor]) -> tuple[Side, int]:
    """The program in fp32 with these tensors put back, and how many constants stayed rounded."""
    restored = Restored(Origins(state))
    return FORMAT.open(program).widened(restored), restored.unknown


def test_the_widened_graph_of_an_fp16_program_is_the_original(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    side, rounded = widened(program, one.module.state_dict())
    assert rounded == 0
    wanted = TorchSide(one).run(probe.inputs)["logits"]
    assert metrics.psnr(wanted, side.run(probe.inputs)["logits"]) > 110  # fp32, torch's kernels


def test_what_cannot_be_traced_stays_rounded_and_is_counted(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    side, rounded = widened(program, {})
    assert rounded > 0
    wanted = TorchSide(one).run(probe.inputs)["logits"]
    assert 50 < metrics.psnr(wanted, side.run(probe.inputs)["logits"]) < 90  # fp16 weights


def test_another_epsilon_is_seen_through_the_rounding(program: Path) -> None:
    other = toys.interface()
    norm = other.module.network.norm  # type: ignore[union-attr]
    norm.eps = 1e-3  # type: ignore[union-attr, assignment]
    probe = make(other)[0]
    wanted = TorchSide(other).run(probe.inputs)["logits"]
    side, _ = widened(program, other.module.state_dict())
    gate = noise.gates({"logits": wanted}, noise.disturbed(other, probe))["logits"]
    assert metrics.psnr(wanted, side.run(probe.inputs)["logits"]) < gate
