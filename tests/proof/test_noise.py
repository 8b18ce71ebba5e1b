"""The gate that is measured, and the graph read in fp32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lading.interface import Interface, Options
from lading.interface.original import TorchSide
from lading.proof import channels, metrics, noise
from lading.proof.probes import Probe, make
from lading.record import Port, Task
from tests import networks, toys


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


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("size", [(3, 5), (7, 300_007)])
def test_factors_follow_one_another_round_the_ring(size: tuple[int, int], turned: bool) -> None:
    one = torch.ones(size[::-1]).t() if turned else torch.ones(size)
    disturbed = noise.Disturbed()
    disturbed._multiply(one)
    factors, (start,) = noise._factors(), [noise.Disturbed()._starts.randrange(noise._FACTORS)]
    places = start + torch.arange(one.numel()) % noise._FACTORS
    assert torch.equal(one, factors[places].view(size))


def test_the_disturbance_repeats_and_leaves_the_network_alone() -> None:
    one = toys.interface()
    probe = make(one)[0]
    before = {n: t.clone() for n, t in one.module.state_dict().items()}
    outputs = [noise.disturbed(one, probe)["logits"] for _ in range(2)]
    np.testing.assert_array_equal(*outputs)
    plain = TorchSide(one).run(probe.inputs)["logits"]
    assert not np.array_equal(outputs[0], plain)
    assert all(bool((t == before[n]).all()) for n, t in one.module.state_dict().items())


WHICH = {
    "topk": lambda x: x.topk(3, 1).indices,
    "sort": lambda x: x.sort(1).indices,
    "argmax": lambda x: x.argmax(1),
    "max": lambda x: x.max(1).indices,
    "kthvalue": lambda x: x.kthvalue(2, 1).indices,
}


@pytest.mark.parametrize("value", [0.0, 0.75])
@pytest.mark.parametrize("name", WHICH)
def test_of_equal_elements_another_one_is_taken(name: str, value: float) -> None:
    """Which one is no property of the network; of such as differ it is the same one."""
    which, x = WHICH[name], torch.full((64, 9), value)
    with noise.Disturbed():
        moved = which(x)
    assert bool((moved != which(x)).any())
    apart = torch.randn(64, 9, generator=torch.Generator().manual_seed(0))
    with noise.Disturbed():
        assert torch.equal(which(apart), which(apart.clone()))
        assert torch.equal(apart.argmax(1), apart.argmax(1))
    assert bool((x == value).all())


def test_values_beside_places_move_by_no_more_than_a_rounding() -> None:
    x = torch.randn(8, 50, generator=torch.Generator().manual_seed(0))
    with noise.Disturbed():
        (values, _), whole = x.topk(5, 1), (x * 10).to(torch.int32).argmax(1)
    bound = (noise.DISTURBANCE + 2**-23) * x.abs().max()
    assert bool(((values - x.topk(5, 1).values).abs() <= bound).all())
    assert torch.equal(whole, (x * 10).to(torch.int32).argmax(1))


def _off(one: Interface, probe: Probe) -> float:
    (wanted,), (moved,) = (
        made.values() for made in (TorchSide(one).run(probe.inputs), noise.disturbed(one, probe))
    )
    return float(np.sqrt(np.mean(np.square(moved.astype(np.float64) - wanted))))


@pytest.mark.parametrize("name", ["toy", *networks.networks()])
def test_what_fp16_moves_is_what_the_twin_does_and_as_much_more(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = networks.networks()
    one = networks.plain(*many[name]) if name in many else toys.interface()
    probes = [probe for probe in make(one) if probe.kind in ("noise", "shapes", "stripes")]
    assert probes
    twins = [_off(one, probe) for probe in probes]
    monkeypatch.setattr(noise, "DISTURBANCE", noise.HALF)
    noise._factors.cache_clear()
    try:
        halves = [_off(one, probe) for probe in probes]
    finally:
        noise._factors.cache_clear()
    for twin, half in zip(twins, halves, strict=True):
        assert 0.5 < half / (channels.HALF * twin) < 2


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
