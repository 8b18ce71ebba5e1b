"""The gate that is measured, and the graph read in fp32."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lading.interface import Interface, Options
from lading.interface.original import TorchSide
from lading.proof import metrics, noise
from lading.proof.probes import Probe, make
from lading.record import Port, Task
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


class Counts(nn.Module):
    """Gives the number of calls of its own, kept in a buffer that it writes into."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1.0)  # type: ignore[operator]
        return x + self.calls


def test_what_a_call_in_half_writes_is_gone_at_the_next() -> None:
    x, y = (Port(name, "tensor", "float32", (1, 2)) for name in "xy")
    one = Interface(Counts().eval(), (x,), (y,), Options(), Task("module", (x,), (y,)))
    probe = Probe("zeros", "zeros", "", {"x": np.zeros((1, 2), np.float32)})
    small = noise.in_half(one)
    first, second = (noise.halved(one, probe, small)["y"] for _ in range(2))
    assert first.tolist() == second.tolist() == [[1.0, 1.0]]
    assert float(one.module.calls) == 0.0  # type: ignore[arg-type]
