"""The gate that is measured, and the graph read in fp32."""

from __future__ import annotations

import numpy as np
import torch

from lading.interface.original import TorchSide
from lading.proof import metrics, noise
from lading.proof.probes import make
from tests import toys


def test_a_gate_lies_below_what_is_sound_and_above_what_is_wrong() -> None:
    one = toys.interface()
    for probe in make(one)[:5]:
        outputs = TorchSide(one).run(probe.inputs)
        gate = noise.gates(outputs, noise.disturbed(one, probe))["logits"]
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
    plain = TorchSide(one).run(probe.inputs)["logits"]
    assert not np.array_equal(outputs[0], plain)
    assert all(bool((t == before[n]).all()) for n, t in one.module.state_dict().items())
