"""Gates over a table by hand-made counts, and tallies saved and read back."""

from __future__ import annotations

import json
import math

import pytest

from lading.proof.table.tally import Tally, measured
from lading.record import Changed, Measurement
from lading.record.wording import subject


def failed(tally: Tally, samples: int, precision: str) -> list[str]:
    return [subject(one) for one in measured(tally, samples, precision) if not one.passed]


def tie(margin: float) -> Changed:
    return Changed(7, "text", "ru", "en", margin)


@pytest.mark.parametrize(
    ("tally", "samples", "fp32", "fp16"),
    [
        (Tally(19623, 19623, largest=1e-6), 20_000, [], []),
        (Tally(10, 10, largest=2e-3), 10, ["probability max_abs"], []),
        (Tally(10, 10, largest=2e-2), 10, ["probability max_abs"], ["probability max_abs"]),
        # a tie: the best two were nearer than the largest error
        (
            Tally(19623, 19622, largest=5e-4, changed=1, kept=[tie(4e-4)]),
            20_000, ["accuracy apart"], [],
        ),
        (
            Tally(19623, 19623, largest=5e-4, changed=1, kept=[tie(6e-4)]),
            20_000, ["classes changed beyond the error"], ["classes changed beyond the error"],
        ),
        (Tally(9623, 9621, largest=5e-4), 10_000, ["accuracy apart"], ["accuracy apart"]),
        (
            Tally(5, 5, largest=math.nan, kept=[tie(0.9)]), 10,
            ["probability max_abs", "classes changed beyond the error"],
            ["probability max_abs", "classes changed beyond the error"],
        ),
        (
            Tally(5, 5, largest=1e-6, kept=[tie(math.nan)]), 10,
            ["classes changed beyond the error"], ["classes changed beyond the error"],
        ),
    ],
)  # fmt: skip
def test_gates(tally: Tally, samples: int, fp32: list[str], fp16: list[str]) -> None:
    assert failed(tally, samples, "fp32") == fp32
    assert failed(tally, samples, "fp16") == fp16


def test_both_accuracies_are_told() -> None:
    numbers = {subject(one): one for one in measured(Tally(3, 2, largest=0.0), 4, "fp16")}
    assert numbers["accuracy"].value == 0.5
    assert numbers["accuracy of the original"].value == 0.75
    assert isinstance(numbers["accuracy"], Measurement)
    assert numbers["accuracy"].gate is None


@pytest.mark.parametrize("largest", [0.25, math.inf, math.nan])
def test_a_saved_tally_comes_back(largest: float) -> None:
    tally = Tally(3, 2, largest=largest, largest_at="row 2: é", kept=[tie(0.1)], changed=1)
    tally.confusion.update({(0, 1): 3, (1, 1): 2})
    tally.errors[4] = 9
    back = Tally.of(json.loads(json.dumps(tally.as_dict(), allow_nan=False)))
    assert back.as_dict() == tally.as_dict()
    assert back.confusion[0, 1] == 3
