"""Each channel by itself: a large one hides no small one, an offset hides nothing on it, and what
the arithmetic does not resolve is said, not failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lading.interface import Interface, Options
from lading.proof import channels, noise
from lading.proof.channels import Moved
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from lading.proof.probes import make
from lading.record import Comparison, Port, Task
from lading.record.wording import left_open, missed, subject
from tests.standin import Change, Changed, Fake

Arrays = Sequence[Any]
X = Port("x", "tensor", "float32", (1, 2, 8, 8))
Y = Port("y", "tensor", "float32", (1, 3, 8, 8))


class Scaled(nn.Module):
    """Channels of any size on any offset, and after that nothing."""

    def __init__(self, gain: Sequence[float], offset: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(2, len(gain), 3, padding=1)
        self.gain, self.offset = torch.tensor(gain).view(1, -1, 1, 1), offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = self.conv(x) * self.gain + self.offset
        return scaled


def interface(network: nn.Module) -> Interface:
    x = X
    y = Port("y", "tensor", "float32", tuple(network(torch.zeros(x.shape)).shape))
    task = Task("module", (x,), (y,))
    return Interface(network.eval(), (x,), (y,), Options(), task)


def judged(network: nn.Module, change: Change, precision: str = "fp32") -> Comparison:
    """The network with its outputs changed, beside itself."""
    one = interface(network)
    artifact = Fake(one, Changed(one, change), precision)
    original = Original(one, make(one))
    (found,) = every_runtime(original, artifact, artifact.record, lambda *_: None)
    return found


def put(*places: Any, value: Callable[[Any], Any]) -> Change:
    def change(outputs: dict[str, Any]) -> None:
        outputs["y"][places] = value(outputs["y"])

    return change


def known_of(
    wanted: list[Any], twins: list[Any], halved: Sequence[Any] = ()
) -> tuple[channels.Channels, ...]:
    half = halved or [None] * len(wanted)
    each = (Moved(*three) for three in zip(wanted, twins, half, strict=True))
    return channels.measured(Y, wanted, dict(enumerate(each)))


def a_bit_off(outputs: dict[str, Any]) -> None:
    outputs["y"] = np.nextafter(outputs["y"], np.float32(np.inf))


SMALL = Scaled((1000.0, 0.01, 0.01))


@pytest.mark.parametrize(
    ("change", "channel"),
    [
        (put(slice(None), 1, value=lambda y: 0.0), "[:, 1]"),
        (put(slice(None), [1, 2], value=lambda y: y[:, [2, 1]]), "[:, 1]"),
        (put(slice(None), 2, value=lambda y: -y[:, 2]), "[:, 2]"),
        (put(slice(None), 2, value=lambda y: y[:, 2] * 1.001), "[:, 2]"),
        (put(..., 5, value=lambda y: y[..., 4]), "[..., 5]"),
        (put(..., 3, slice(None), value=lambda y: y[..., 3, :] * 1.0001), ""),  # is no channel
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_large_channel_hides_no_small_one(change: Change, channel: str, precision: str) -> None:
    found = judged(SMALL, change, precision)
    assert found.verdict == "fail"
    if channel:
        lost = [one.channel for one in found.measurements if one.kind == "snr" and not one.passed]
        assert channel in lost or lost, found.reason


def test_what_is_right_passes_and_says_which_channel_is_nearest_to_its_gate() -> None:
    found = judged(SMALL, a_bit_off)
    (number,) = [one for one in found.measurements if one.kind == "snr"]
    assert (found.verdict, found.unproved) == ("pass", ()), found.reason
    assert number.gate is not None
    assert 60 < number.gate <= noise.HIGHEST
    assert subject(number).startswith("y snr [")


@pytest.mark.parametrize("factor", [-1.0, 0.0])
def test_an_offset_hides_nothing_that_stands_on_it(factor: float) -> None:
    network = Scaled((1e-3,), 100.0)
    found = judged(network, put(..., value=lambda y: 100.0 + factor * (y - 100.0)))
    assert found.verdict == "fail"
    assert any("y snr" in missed(one) for one in found.measurements if not one.passed)
    assert judged(network, lambda outputs: None).verdict == "pass"


def test_what_stands_out_of_noise_over_many_values_alone_is_looked_for_along_the_channel() -> None:
    generator = np.random.default_rng(0)
    apart = [3e-4 * generator.standard_normal((1, 1, 64)) for _ in range(6)]
    moved = [4e-4 * generator.standard_normal((1, 1, 64)) for _ in range(6)]
    wanted = [100.0 + one for one in apart]
    twin = [one + other for one, other in zip(wanted, moved, strict=True)]
    known = known_of(wanted, twin)[:1]
    found = [
        channels.judged(Y, known, wanted, [100.0 + f * one for one in apart], "fp32", 90.0)
        for f in (1.0, 0.7, 0.0, -1.0)
    ]
    assert [one.number.passed for one in found if one] == [True, True, False, False]
    assert all(
        one.number.why == channels.ALONG_REASON and not one.unresolved for one in found if one
    )
    assert found[-1]
    assert found[-1].number.value == pytest.approx(-20 * np.log10(2.0), abs=0.2)


def test_what_the_arithmetic_does_not_resolve_is_said_to_be_not_proved() -> None:
    network = Scaled((1e-3,), 100.0)

    def half(outputs: dict[str, Any]) -> None:
        outputs["y"] = outputs["y"].astype(np.float16).astype(np.float32)
        outputs["y"][0, 0, 0, 0] += 0.1  # or it would be constant, which is another fault

    one = interface(network)
    sides = Changed(one, half), Changed(one)
    artifact = Fake(one, sides[0], "fp32")
    original = Original(one, make(one))
    known = original.channels(one.outputs[0], range(len(original.drawn)), "fp16")
    wanted = [outputs["y"] for outputs in original.outputs]
    got = [sides[0].run(probe.inputs)["y"] for probe in original.drawn]
    found = channels.judged(Y, known[:1], wanted, got, "fp16", 40.0)
    assert found is not None
    assert (found.unresolved, found.number.passed) == (("[:, 0]",), True)
    (compared,) = every_runtime(original, artifact, artifact.record, lambda *_: None)
    assert compared.verdict == "fail"  # fp32 resolves it


def test_unresolved_channels_are_named_along_one_axis() -> None:
    network = Scaled((1e-6,) * 12, 100.0)
    assert judged(network, lambda outputs: None).unproved == ()  # equal to the last bit
    found = judged(network, a_bit_off)
    (left,) = found.unproved
    assert (found.verdict, left.what) == ("pass", "channels")
    assert left.why.endswith("[..., 7] of y")
    assert "is not proved" in left_open([found])[0]


def test_a_channel_that_is_constant_is_held_against_its_size() -> None:
    class Dead(Scaled):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = super().forward(x)
            return torch.cat([made, made * 0.0 + 0.01, made * 0.0], 1)

    network = Dead((1000.0,))
    assert judged(network, lambda outputs: None).verdict == "pass"
    assert judged(network, put(slice(None), 1, value=lambda y: 0.011)).verdict == "fail"
    assert judged(network, put(slice(None), 2, value=lambda y: 0.1)).verdict == "fail"
    assert judged(network, put(slice(None), 2, value=lambda y: 1e-6)).verdict == "pass"


def test_the_axis_of_classes_alone_is_judged_where_it_is_known() -> None:
    assert channels.axes(Port("y", "tensor", "float32", (1, 5, 3), class_axis=2), 3) == (2,)
    assert [channels.axes(Y, ndim) for ndim in (1, 2, 3, 4, 5)] == [
        (0,), (1,), (1, 2), (1, 3), (1, 4),
    ]  # fmt: skip


@given(
    st.integers(0, 2**16),
    st.lists(st.floats(-6, 6), min_size=1, max_size=4),
    st.floats(0, 1000),
    st.sampled_from(["fp32", "fp16"]),
)
def test_noise_as_that_of_the_twin_passes_whatever_the_channels(
    seed: int, powers: list[float], offset: float, precision: str
) -> None:
    generator = np.random.default_rng(seed)
    gain = 10.0 ** np.array(powers)[:, None]
    wanted = [gain * generator.standard_normal((1, len(gain), 50)) + offset for _ in range(4)]

    def moved(size: float) -> list[Any]:
        return [one * (1 + size * generator.uniform(-1, 1, one.shape)) for one in wanted]

    known = known_of(wanted, moved(noise.DISTURBANCE))
    size = noise.DISTURBANCE if precision == "fp32" else noise.HALF
    found = channels.judged(Y, known, wanted, moved(size), precision, 90.0)
    assert found is not None
    assert found.number.passed, found


def test_infinite_values_are_equal_in_the_same_places_only() -> None:
    wanted = np.ones((1, 2, 4)) * np.arange(4.0)
    wanted[0, 1, 0] = -np.inf
    other = wanted.copy()
    other[0, 1, 0] = 0.0
    known = known_of([wanted] * 2, [wanted] * 2)
    same = channels.judged(Y, known, [wanted], [wanted.copy()], "fp32", 90.0)
    apart = channels.judged(Y, known, [wanted], [other], "fp32", 90.0)
    assert [one.number.passed for one in (same, apart) if one] == [True, False]


def test_golden_vectors_hold_what_is_known(tmp_path: Path) -> None:
    from lading.proof.golden import write
    from lading.proof.golden.rerun import Recorded

    one = interface(SMALL)
    original = Original(one, make(one))
    artifact = Fake(one, Changed(one))
    index = write(tmp_path / "golden", original, [(artifact.record, None)], "00")
    recorded = Recorded(tmp_path / "golden", index)
    wrong = Fake(one, Changed(one, put(slice(None), 1, value=lambda y: 0.0)))
    for tried, verdict in ((artifact, "pass"), (wrong, "fail")):
        (found,) = every_runtime(recorded, tried, tried.record, lambda *_: None)
        assert found.verdict == verdict, found.reason
    assert "snr [:, 1]" in found.reason


def test_what_tensors_in_fp16_move_no_mean_takes_away() -> None:
    """A shift by a hundredth of the spread, of which no disturbed twin tells: 40 dB, and its gate
    12 dB below; in fp32 it is a fault."""
    wanted = [np.random.default_rng(number).standard_normal((1, 3, 64, 64)) for number in (0, 1)]
    half = [one + 0.01 * one.std() for one in wanted]
    known = known_of(wanted, wanted, half)[:1]
    assert known[0].halved == pytest.approx(0.01, rel=0.05)
    for precision, gate in (("fp16", 28.0), ("fp32", 90.0)):
        found = channels.judged(Y, known, wanted, half, precision, 90.0)
        assert found is not None
        assert found.number.value == pytest.approx(40.0, abs=0.5)
        assert found.number.gate == pytest.approx(gate, abs=0.5)
        assert found.number.passed is (precision == "fp16")
    broken = [np.full_like(one, np.inf) for one in wanted]
    assert known_of(wanted, wanted, broken)[0].halved == pytest.approx(0.0)


def test_a_unit_that_is_silent_at_most_probes_is_held_against_what_it_is_when_awake() -> None:
    """Its last bit beside a zero is no fault; its work lost is one, and so is waking up plainly."""
    chance = np.random.default_rng(3)
    wanted = [chance.standard_normal((1, 8, 4, 4)) for _ in range(9)]
    for number, one in enumerate(wanted):
        one[:, 5] *= 0.01 * (number % 3 == 0)
    moved = [one * (1 + 1e-6 * chance.standard_normal(one.shape)) for one in wanted]
    known = known_of(wanted, moved)[:1]
    assert known[0].spread[5] == pytest.approx(0.01, rel=0.3)

    def passes(change: Callable[[Any], Any]) -> bool:
        got = [one.copy() for one in wanted]
        for one in got:
            one[:, 5] = change(one[:, 5])
        found = channels.judged(Y, known, wanted, got, "fp32", 90.0)
        assert found is not None
        return found.number.passed

    assert passes(lambda y: y + 1e-7)
    assert not any(map(passes, (lambda y: y * 0.0, lambda y: y + 1e-3, lambda y: -y)))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["fp32", "fp16"]), st.floats(1e-4, 1.0))
@settings(max_examples=200, deadline=None)
def test_what_is_clear_at_one_probe_passes_at_the_sample(
    seed: int, precision: str, off: float
) -> None:
    """Whatever the other probe moves, and what its tensors in fp16 move besides."""
    chance = np.random.Generator(np.random.Philox(key=seed))
    port = Port("y", "tensor", "float32", (1, 3, 6, 6), class_axis=1)

    def near(values: Any, most: float) -> Any:
        size = most * 10.0 ** chance.uniform(-6, 0, (1, 3, 1, 1))
        return values + (size * chance.normal(size=values.shape)).astype(np.float32)

    wanted = [chance.normal(size=port.shape).astype(np.float32) for _ in range(4)]
    got = [near(one, 1e-1 * off) for one in wanted]
    twins = [near(one, 1e-2) for one in wanted[:2]]
    halves = [near(one, 1e-1) if precision == "fp16" else None for one in wanted[:2]]
    one = channels.measured(port, wanted, {0: Moved(wanted[0], twins[0])})
    sample = {i: Moved(wanted[i], twins[i], halves[i]) for i in range(2)}
    least = channels.judged(port, one, wanted, got, precision, 90.0)
    all_of_it = channels.judged(
        port, channels.measured(port, wanted, sample), wanted, got, precision, 90.0
    )
    assert least is not None
    assert all_of_it is not None
    assert not least.clear or all_of_it.number.passed
