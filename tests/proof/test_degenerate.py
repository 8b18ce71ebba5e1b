"""Outputs that give a broken network away, and sound ones that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lading.proof.degenerate import findings, of_both
from lading.record import Port

SHAPE = (1, 3, 16, 16)
LOGITS = Port("logits", "tensor", "float32", SHAPE, meaning="logits", class_axis=1)
PROBABILITIES = Port(
    "probabilities", "tensor", "float32", SHAPE, meaning="probabilities", class_axis=1
)
LABELS = Port("labels", "tensor", "int32", (1, 16, 16), meaning="labels")


def noise(seed: int, scale: float = 1.0, shape: tuple[int, ...] = SHAPE) -> Any:
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def names(port: Port, *arrays: Any, activation: str = "softmax") -> list[str]:
    found = findings([{port.name: a} for a in arrays], [port], activation, "here")
    return [one.name for one in found]


def test_sound_outputs_give_no_finding() -> None:
    scores = [noise(n, 3.0) for n in range(3)]
    assert names(LOGITS, *scores) == []
    assert names(PROBABILITIES, *map(softmax, scores)) == []
    assert names(LABELS, *(s.argmax(axis=1).astype(np.int32) for s in scores)) == []
    assert names(LOGITS, *(noise(n, 0.001) for n in range(3)), activation="sigmoid") == []


def test_a_trained_classifier_on_one_thing_per_picture_gives_no_finding() -> None:
    """Sure of another class for every input; one is not sure at all."""
    scores = [np.full((1, 3), 0.0, np.float32) + np.eye(3, dtype=np.float32)[[n]] for n in range(3)]
    port = Port("logits", "tensor", "float32", (1, 3), meaning="logits", class_axis=1)
    assert names(port, *scores, np.array([[0.01, 0.02, 0.03]], np.float32)) == []


def test_the_published_failure_is_found() -> None:
    """A lost decoder: every class probability between 0.32 and 0.35, whatever is put in."""
    arrays = []
    for seed in range(3):
        values = np.random.default_rng(seed).uniform(0.32, 0.35, SHAPE)
        values /= values.sum(axis=1, keepdims=True)
        arrays.append(values.astype(np.float32))
        assert values.min() > 0.31
        assert values.max() < 0.36
    found = findings([{"probabilities": a} for a in arrays], [PROBABILITIES], "softmax", "mil")
    assert [(one.name, one.where) for one in found] == [("near-uniform", "mil: probabilities")]
    assert "with 3 classes: a coin toss gives 0.333" in found[0].text
    assert names(LOGITS, *(np.log(a) for a in arrays)) == ["near-uniform"]


def test_a_few_lucky_positions_do_not_clear_it() -> None:
    scores = [noise(n, 0.01) for n in range(2)]
    for one in scores:
        one[0, 1, 0, :2] = 9.0  # 2 of 256 positions, under one per cent
    assert names(LOGITS, *scores) == ["near-uniform"]
    for one in scores:
        one[0, 1, :4] = 9.0
    assert names(LOGITS, *scores) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_found(value: float) -> None:
    scores = [noise(n, 3.0) for n in range(2)]
    scores[1][0, 2, 3, 4] = value
    found = findings([{"logits": s} for s in scores], [LOGITS], "softmax", "reference")
    assert [(f.name, f.where, f.text) for f in found] == [
        ("not finite", "reference: logits", "1 values are NaN or infinite")
    ]


def test_an_output_that_never_changes_within_itself_is_constant() -> None:
    empty = np.zeros(LABELS.shape, np.int32)
    assert names(LABELS, empty) == ["constant"]
    assert names(LABELS, empty, empty + 1) == ["constant"]
    other = empty.copy()
    other[0, 0, 0] = 1
    assert names(LABELS, empty, other) == []


def test_an_output_that_does_not_follow_the_input_is_blind() -> None:
    one = noise(0, 3.0)
    assert names(LOGITS, one, one.copy(), one.copy()) == ["blind to the input"]
    assert names(LOGITS, one, one * np.float32(1 + 1e-7)) == ["blind to the input"]
    assert names(LOGITS, one, one.copy(), one * 1.001) == []
    assert names(LOGITS, one) == []


def test_outputs_of_different_sizes_are_compared_with_their_like_only() -> None:
    one, large = noise(0, 3.0), noise(1, 3.0, (1, 3, 20, 20))
    assert names(LOGITS, one, large) == []
    assert names(LOGITS, one, large, large.copy(), one.copy()) == ["blind to the input"]


def test_a_scalar_or_a_single_class_is_no_finding() -> None:
    port = Port("score", "tensor", "float32", (1, 1), meaning="logits", class_axis=1)
    assert names(port, np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)) == []


def told(theirs: Any, ours: Any) -> list[tuple[str, str]]:
    """Of two outputs that are called as their shapes are."""
    ports = [Port(name, "tensor", "float32", one.shape) for name, one in theirs[0].items()]
    return [(f.name, f.where) for f in of_both(theirs, ours, ports, "", "mil")]


def test_an_infinity_that_both_have_is_a_mask() -> None:
    theirs = [{"y": noise(n, 3.0)} for n in range(2)]
    for one in theirs:
        one["y"][0, 1] = -np.inf
    ours = [{"y": one["y"].copy()} for one in theirs]
    assert told(theirs, ours) == []
    for one in ours:
        one["y"][0, 1] = np.inf
    assert ("not finite", "mil: y") in told(theirs, ours)
    for one in ours:
        one["y"][0, 1] = 0.0  # the mask is gone: the metrics say so too
    assert told(theirs, ours) == [("not finite", "reference: y")]
    for one in (*theirs, *ours):
        one["y"][0, 1] = np.nan
    assert told(theirs, ours) == [("not finite", "reference: y"), ("not finite", "mil: y")]


def test_anchors_beside_an_output_that_follows_the_input_are_meant() -> None:
    anchors = noise(9)
    theirs = [{"y": noise(n), "anchors": anchors} for n in range(3)]
    assert told(theirs, theirs) == []
    lost = [{"y": one["y"], "anchors": np.zeros_like(anchors)} for one in theirs]
    assert told(theirs, lost) == []  # of one value: what they are is for the metrics to say
    frozen = [{**one, "y": theirs[0]["y"]} for one in theirs]
    assert told(theirs, frozen) == [("blind to the input", "mil: y")]
    # where nothing follows the input, nothing is meant
    assert told(frozen, frozen) == [
        ("blind to the input", f"{where}: {name}")
        for where in ("reference", "mil")
        for name in ("y", "anchors")
    ]


def test_no_outputs_no_finding() -> None:
    assert findings([], [LOGITS], "softmax", "here") == ()
    assert findings([{"other": noise(0)}], [LOGITS], "softmax", "here") == ()
