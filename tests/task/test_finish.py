"""Scores become labels by one rule, and the heads inside artifacts keep it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lading.errors import InputError
from lading.record import Port, Task
from lading.task.finish import (
    NO_CLASS,
    activated,
    class_name,
    finish,
    in_words,
    likeliest,
    of_samples,
    painted,
    present,
    threshold,
)
from lading.task.processing import Labels, Probabilities

PORT = Port("scores", "tensor", "float32", (1, 3, 4, 4), meaning="logits", class_axis=1)
TASK = Task("segmentation", (), (PORT,), ("a", "b", "c"), "softmax")
WHOLE = replace(PORT, shape=(1, 3))
LABELS = Port("labels", "tensor", "int32", (1, 4, 4), meaning="labels")

#: Whole numbers from a few: ties are everywhere.
TIED = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
    elements=st.integers(-2, 2).map(float),
)
HOLES = hnp.arrays(np.float32, (2, 3, 2, 3), elements=st.sampled_from([0.0, 1.0, 2.0, np.nan]))


@given(TIED)
def test_the_head_inside_an_artifact_chooses_the_same_class(scores: Any) -> None:
    inside = Labels(1, ())(torch.from_numpy(scores)).numpy()
    np.testing.assert_array_equal(finish({"scores": scores}, [PORT], TASK).labels, inside)


@given(TIED, st.data())
def test_the_head_inside_an_artifact_paints_the_same_regions(
    scores: Any, data: st.DataObject
) -> None:
    count = scores.shape[1]
    order = tuple(data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count)))
    task = replace(TASK, activation="sigmoid", region_order=order)
    inside = Labels(1, order)(torch.from_numpy(scores)).numpy()
    np.testing.assert_array_equal(finish({"scores": scores}, [PORT], task).labels, inside)
    shares = Probabilities("sigmoid", 1)(torch.from_numpy(scores)).numpy()
    port = replace(PORT, meaning="probabilities")
    np.testing.assert_array_equal(finish({"scores": shares}, [port], task).labels, inside)


@given(HOLES, st.sampled_from(["softmax", "sigmoid"]))
def test_a_position_with_a_nan_belongs_to_no_class(scores: Any, activation: str) -> None:
    task = replace(TASK, activation=activation, region_order=(1, 2, 3))
    labels = finish({"scores": scores}, [PORT], task).labels
    assert labels is not None
    np.testing.assert_array_equal(labels == NO_CLASS, np.isnan(scores).any(axis=1))


@pytest.mark.parametrize(
    ("scores", "label"),
    [
        ([0.0, 1.0, 5.0], 2),
        ([5.0, 5.0, 0.0], 0),
        ([-np.inf, -3.0, -np.inf], 1),  # classes that were ruled out
        ([np.inf, 0.0, 1.0], NO_CLASS),  # its softmax is NaN
        ([-np.inf, -np.inf, -np.inf], NO_CLASS),
        ([0.0, np.nan, 5.0], NO_CLASS),
    ],
)
def test_whole_samples_by_hand(scores: list[float], label: int) -> None:
    seen = finish({"scores": np.array([scores], np.float32)}, [WHOLE], TASK)
    assert seen.labels is not None
    assert seen.labels.tolist() == [label]
    assert seen.probabilities is not None
    assert np.isnan(seen.probabilities).any() == (label == NO_CLASS)
    assert likeliest(np.array(scores), 0) == label


def test_probabilities_are_handed_on_as_they_are() -> None:
    shares = np.array([[0.25, 0.75, 0.0]], np.float32)
    seen = finish({"scores": shares}, [replace(WHOLE, meaning="probabilities")], TASK)
    np.testing.assert_array_equal(seen.probabilities, shares)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_are_torch_s(activation: str) -> None:
    scores = np.random.default_rng(0).normal(0, 30, (5, 9))
    theirs = torch.tensor(scores)
    theirs = theirs.softmax(1) if activation == "softmax" else theirs.sigmoid()
    np.testing.assert_allclose(activated(scores, activation), theirs, rtol=1e-12, atol=1e-300)


def test_classes_that_may_be_several_at_once_are_no_labels() -> None:
    task = replace(TASK, activation="sigmoid")
    seen = finish({"scores": np.zeros((2, 3))}, [WHOLE], task)
    assert seen.labels is None
    assert seen.probabilities is not None
    assert seen.probabilities.tolist() == [[0.5] * 3] * 2


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16, np.float32])
def test_labels_of_the_network_s_own(dtype: Any) -> None:
    given_labels = np.array([[0, 2, 1]], dtype)
    seen = finish({"labels": given_labels}, [LABELS], TASK)
    assert (seen.labels.tolist(), seen.labels.dtype) == ([[0, 2, 1]], np.int64)  # type: ignore[union-attr]
    assert seen.probabilities is None


def test_labels_that_are_no_index_are_none() -> None:
    values = np.array([np.nan, np.inf, -1.0, 0.5, 3.0])
    labels = finish({"labels": values}, [LABELS], TASK).labels
    assert labels is not None
    assert labels.tolist() == [NO_CLASS] * 4 + [3]


def test_scores_say_more_than_labels() -> None:
    outputs = {"labels": np.array([0]), "scores": np.array([[0.0, 1.0, 0.0]])}
    labels = finish(outputs, [LABELS, WHOLE], TASK).labels
    assert labels is not None
    assert labels.tolist() == [1]


def test_other_outputs_are_no_labels() -> None:
    plain = replace(PORT, class_axis=None, meaning="")
    assert finish({"scores": np.zeros((1, 3))}, [plain], TASK).labels is None
    assert finish({}, [PORT, LABELS], TASK).labels is None


def test_outputs_that_give_a_sample_no_class_are_refused() -> None:
    for outputs, found in (
        ({"scores": np.zeros((1, 4), np.float32)}, "scores float32 [1, 4]"),
        ({"scores": np.zeros((1, 3, 4, 4), np.float32)}, "scores float32 [1, 3, 4, 4]"),
        ({}, "nothing"),
    ):
        with pytest.raises(InputError) as refused:
            of_samples(outputs, [WHOLE], TASK)
        assert refused.value.found == found
        assert refused.value.expected.startswith("scores or probabilities of 3 classes")
    labels, shares = of_samples({"labels": np.array([2, 0])}, [LABELS], TASK)
    assert (labels.tolist(), shares) == ([2, 0], None)


def test_regions_are_painted_in_their_order() -> None:
    scores = np.full((1, 3, 1, 4), -1.0, dtype=np.float32)
    scores[0, 0, 0, :3] = scores[0, 1, 0, 1:3] = scores[0, 2, 0, 2] = 1.0
    assert painted(present(scores, PORT), 1, (1, 2, 3)).tolist() == [[[1, 2, 3, 0]]]
    assert threshold(PORT) == 0.0
    assert threshold(replace(PORT, meaning="probabilities")) == 0.5


def test_names() -> None:
    assert [class_name(i, ["cat"]) for i in (-1, 0, 1)] == ["no class", "cat", "class 1"]


def test_the_words_are_the_rule_s() -> None:
    assert in_words([PORT], TASK) == "labels: the place of the largest value along axis 1"
    regions = replace(TASK, activation="sigmoid", region_order=(1, 3))
    assert in_words([PORT], regions) == (
        "labels: 0, then where scores of region i exceeds 0 the label [1, 3][i], "
        "later ones over earlier ones"
    )
    assert in_words([LABELS], TASK) == "labels: as it is"
