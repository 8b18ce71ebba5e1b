"""Steadiness: judged on the original alone, and never a way to pass with nothing gated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lading
from lading.proof import compare, judge, steadiness
from lading.proof import original as carried
from lading.proof.probes import Probe, make, telling
from lading.record import Port
from tests import toys
from tests.standin import Changed, Fake, Given

SCORES = Port("scores", "tensor", "float32", (1, 64), meaning="logits")
LABELS = Port("labels", "tensor", "int32", (1, 64), meaning="labels")


class Original:
    def __init__(self, name: str, function: Callable[[Any], Any]) -> None:
        self.name, self.function = name, function

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {self.name: self.function(inputs["x"])}


def probe(values: Any) -> Probe:
    return Probe("p", "noise", "made here", {"x": values})


NOISE = np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32)
ZEROS = np.zeros((1, 64), np.float32)


def smooth(x: Any) -> Any:
    return (2 * x + 1).astype(np.float32)


def amplifying(x: Any) -> Any:
    """What an instance norm of a constant row does: centred, over the root of a small epsilon."""
    centred = x - x.mean()
    return (centred / np.sqrt((centred**2).mean() + 1e-12)).astype(np.float32)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [(smooth, NOISE, True), (smooth, ZEROS, True), (amplifying, NOISE, True),
     (amplifying, ZEROS, False)],
)  # fmt: skip
def test_scores(precision: str, function: Any, values: Any, expected: bool) -> None:
    original, one = Original("scores", function), probe(values)
    outputs = original.run(one.inputs)
    assert steadiness.steady(original, one, outputs, (SCORES,), precision) is expected


def test_the_call_that_counts_operations_tells_whether_a_probe_is_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At what looks most like what a user feeds; where it misses the original itself is asked."""
    one = toys.interface()
    original = carried.Original(one, make(one), precision="fp16")
    assert original._counted is not None
    place, _ = original._counted
    assert place == telling(original.drawn, [*range(len(original.drawn))])[0]
    given = steadiness.disturbed(original.drawn[place], "fp16")
    counted, plain = original.followed.gave, original.side.run(given)
    assert counted is not None
    assert {name: array.tobytes() for name, array in counted.items()} == {
        name: array.tobytes() for name, array in plain.items()
    }
    asked: list[str] = []
    run = original.side.run
    monkeypatch.setattr(original.side, "run", lambda inputs: (asked.append("run"), run(inputs))[1])
    assert original.steady(place, "fp16")
    assert asked == []
    assert original.steady(place, "fp32")
    assert asked == ["run"]
    other = carried.Original(one, make(one), precision="fp32")
    monkeypatch.setattr(other.followed._counted[1], "result", (torch.full((1, 3, 16, 16), 9.0),))
    assert other.steady(place, "fp32")


def test_where_the_counting_call_moves_too_far_the_probe_is_not_steady() -> None:
    class Touchy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x * 1e6)

    one = toys.interface(classes=3)
    one.module.network = Touchy()
    original = carried.Original(one, make(one))
    assert original._counted is not None
    assert original.followed.gave is not None
    assert not original.steady(*original._counted)


def test_a_network_that_refuses_what_is_disturbed_is_counted_all_the_same() -> None:
    """Indices that arrive as floats, say."""

    class Whole(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not bool((x == x.round()).all()):
                raise IndexError("no whole number")
            return x * 2

    one = toys.interface(classes=3)
    one.module.network = Whole()
    grid = [replace(p, inputs={n: np.rint(v) for n, v in p.inputs.items()}) for p in make(one)]
    original = carried.Original(one, grid)
    assert original.followed.operations is not None
    assert original.followed.gave is not None
    assert original._counted is None  # it says nothing of what is near
    assert not any(original.steady(place, "fp16") for place in range(len(grid)))


def test_labels_are_judged_by_agreement() -> None:
    original = Original("labels", lambda x: (x > 0).astype(np.int32))
    for values, expected in ((NOISE, True), (ZEROS, False)):
        one = probe(values)
        outputs = original.run(one.inputs)
        got = steadiness.steady(original, one, outputs, (LABELS,), "fp32")
        assert got is expected


def test_nan_is_not_steady() -> None:
    original, one = Original("scores", lambda x: x * np.float32("nan")), probe(NOISE)
    outputs = original.run(one.inputs)
    assert not steadiness.steady(original, one, outputs, (SCORES,), "fp32")


def test_whole_numbers_alone_are_steady_unless_the_answer_is_no_number() -> None:
    ids = probe(np.arange(64, dtype=np.int32)[None])
    for factor, expected in ((1.0, True), (np.nan, False)):
        original = Original("scores", lambda x, f=factor: x.astype(np.float32) * np.float32(f))
        outputs = original.run(ids.inputs)
        assert steadiness.steady(original, ids, outputs, (SCORES,), "fp32") is expected


def test_integers_are_not_disturbed_and_noise_repeats() -> None:
    ids = probe(np.arange(64, dtype=np.int32)[None])
    assert np.array_equal(steadiness.disturbed(ids, "fp16")["x"], ids.inputs["x"])
    first, again = (steadiness.disturbed(probe(NOISE), "fp32")["x"] for _ in range(2))
    assert np.array_equal(first, again)
    assert 0 < np.abs(first - NOISE).max() <= 2.0**-16 * np.abs(NOISE).max() * 1.01


def test_nothing_gated_is_a_failure_even_when_all_is_equal() -> None:
    one = toys.interface()
    artifact = Fake(one, Changed(one))
    reference = Given(one, make(one))
    for steady, verdict in ((True, "pass"), (False, "fail")):
        reference.calm = [steady] * len(reference.drawn)
        (got,) = compare.every_runtime(reference, artifact, artifact.record, lambda *_: None)
        assert got.verdict == verdict
    assert got.reason == judge.NOTHING_GATED


class Best(nn.Module):
    """The boxes of the highest scores, of which many are equal: 0 as a rule, 1 far out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 4, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.conv(x).flatten(2)
        scores, places = (found[:, 4] - 1).relu().clamp(max=1).topk(10, -1)
        return torch.gather(found[:, :4], 2, places[:, None].expand(-1, 4, -1)), scores


def test_who_takes_another_of_equal_ones_is_not_wrong(tmp_path: Path) -> None:
    given = {"x": torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))}
    bill = lading.convert(Best().eval(), tmp_path / "right", example_inputs=given)
    assert bill.verdict == "pass", bill.comparisons
    judged = [one for one in bill.comparisons if one.verdict != "not run"]
    left_out = {m.probe for one in judged for m in one.measurements if not m.steady}
    assert left_out
    assert all({m.probe for m in one.measurements} - left_out for one in judged)
    for change in ("bias", "rows"):
        wrong = Best().eval()
        with torch.no_grad():
            if change == "bias":
                wrong.conv.bias[0] += 0.05
            else:
                wrong.conv.weight.copy_(wrong.conv.weight[[1, 0, 2, 3, 4, 5]])
        for file in ("Best.mlpackage", "Best.onnx"):
            found = lading.verify(tmp_path / "right" / file, wrong, example_inputs=given)
            assert found.verdict == "fail", (change, file)
