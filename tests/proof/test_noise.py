"""The gate that is measured, and the graph read in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lading.conversion.capture import capture
from lading.formats.coreml import TARGET
from lading.interface.settings import Settings
from lading.proof import metrics, noise
from lading.proof.lifted import Lifted
from lading.proof.probes import make
from lading.proof.weights.origins import Origins
from lading.runtimes.torch import Eager
from tests import toys


def test_a_gate_lies_below_what_is_sound_and_above_what_is_wrong() -> None:
    one = toys.interface()
    for probe in make(one)[:5]:
        outputs = Eager(one).run(probe.inputs)
        gate = noise.gates(one, probe, outputs, one.outputs)["logits"]
        assert noise.LOWEST <= gate <= noise.HIGHEST
        wide = one.module.double()
        with torch.no_grad():
            exact = wide(torch.tensor(probe.inputs["image"]).double()).numpy()
        one.module.float()
        assert metrics.psnr(exact, outputs["logits"]) > gate + 10  # fp32 itself is far above
        wrong = outputs["logits"] + 1e-3 * np.abs(outputs["logits"]).max()
        assert metrics.psnr(outputs["logits"], wrong) <= gate


def test_the_disturbance_repeats_and_leaves_the_network_alone() -> None:
    one = toys.interface()
    probe = make(one)[0]
    before = {n: t.clone() for n, t in one.module.state_dict().items()}
    outputs = [noise.disturbed(one, probe)["logits"] for _ in range(2)]
    np.testing.assert_array_equal(*outputs)
    plain = Eager(one).run(probe.inputs)["logits"]
    assert not np.array_equal(outputs[0], plain)
    assert all(bool((t == before[n]).all()) for n, t in one.module.state_dict().items())


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lifted") / "net.mlpackage"
    TARGET.convert(capture(toys.interface(), "trace"), Settings(), path)
    return path


def test_the_lifted_reading_of_an_fp16_program_is_the_original(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    session = Lifted(program, Origins(one.module.state_dict()))
    assert session.rounded == 0
    wanted = Eager(one).run(probe.inputs)["logits"]
    assert metrics.psnr(wanted, session.run(probe.inputs)["logits"]) > 110  # fp32, torch's kernels


def test_what_cannot_be_traced_stays_rounded_and_is_counted(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    session = Lifted(program, Origins({}))
    assert session.rounded > 0
    wanted = Eager(one).run(probe.inputs)["logits"]
    assert 50 < metrics.psnr(wanted, session.run(probe.inputs)["logits"]) < 90  # fp16 weights


def test_another_epsilon_is_seen_through_the_rounding(program: Path) -> None:
    other = toys.interface()
    norm = other.module.network.norm  # type: ignore[union-attr]
    norm.eps = 1e-3  # type: ignore[union-attr, assignment]
    probe = make(other)[0]
    wanted = Eager(other).run(probe.inputs)["logits"]
    session = Lifted(program, Origins(other.module.state_dict()))
    gate = noise.gates(other, probe, {"logits": wanted}, other.outputs)["logits"]
    assert metrics.psnr(wanted, session.run(probe.inputs)["logits"]) < gate
