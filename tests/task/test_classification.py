"""Text in, probabilities of classes out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.network.families.keyboard_layout import alphabet
from lading.record import Port, Task
from lading.task.classification import (
    Vocabulary,
    activated,
    answers,
    require_classifier,
    vocabulary,
)

TASK = alphabet.task(20)
SCORES = Port("scores", "tensor", "float32", (1, 9))


def test_the_vocabulary_of_a_task_is_its_notes() -> None:
    found = vocabulary(TASK)
    assert found == Vocabulary(alphabet.CHARACTERS, 20)
    assert found is not None
    assert found.told() == "space to ~, Ё, А to я, ё, א to ת"


@pytest.mark.parametrize("fact", ["ab", ["a", "b"]])
def test_an_artifact_s_own_vocabulary_comes_first(fact: object) -> None:
    assert vocabulary(TASK, {"lading.vocabulary": json.dumps(fact)}) == Vocabulary("ab", 20)


@pytest.mark.parametrize("fact", ["not JSON", '{"a": 1}', '["ab", "c"]', '"aa"', "7", '""'])
def test_a_fact_that_is_no_vocabulary_is_none(fact: str) -> None:
    assert vocabulary(TASK, {"lading.vocabulary": fact}) == Vocabulary(alphabet.CHARACTERS, 20)


def test_a_task_without_one_takes_no_text() -> None:
    port = Port("image", "tensor", "float32", (1, 3, 8, 8))
    assert vocabulary(Task("classification", (port,), (SCORES,), ("a", "b"))) is None


@given(st.text(max_size=30), st.text(min_size=1, max_size=9).map(lambda t: "".join(sorted(set(t)))))
def test_ids_stand_for_characters(text: str, characters: str) -> None:
    ids = Vocabulary(characters, 12).encode(text)
    assert len(ids) == 12
    back = [" "[:0] if not i else characters[i - 1] for i in ids]
    assert "".join(back) == "".join(c for c in text[:12] if c in characters)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "an empty text"),
        ("漢字", "no character that the network knows, in the first 2: '漢字'"),
        ("漢" * 20 + "abc", f"no character that the network knows, in the first 20: '{'漢' * 20}'"),
    ],
)
def test_texts_of_which_nothing_is_seen(text: str, found: str) -> None:
    with pytest.raises(InputError) as refused:
        Vocabulary(alphabet.CHARACTERS, 20).require_known(text)
    error = refused.value
    assert error.found == found
    assert error.expected == "any of the 188 characters space to ~, Ё, А to я, ё, א to ת"
    assert error.remedy.startswith("give a text of these")
    Vocabulary(alphabet.CHARACTERS, 20).require_known("漢a")


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_are_torch_s(activation: str) -> None:
    scores = np.random.default_rng(0).normal(0, 30, (5, 9))
    ours = activated(scores, activation)
    theirs = torch.tensor(scores)
    theirs = theirs.softmax(1) if activation == "softmax" else theirs.sigmoid()
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-300)


def test_scores_and_probabilities_and_labels_are_read() -> None:
    scores = np.array([[0.0, 1.0, 5.0], [3.0, 2.0, 1.0]], np.float32)
    task = Task("classification", (), (), ("a", "b", "c"), "softmax")
    said = answers({"scores": scores}, (SCORES,), task)
    assert said.classes.tolist() == [2, 0]
    assert said.probabilities is not None
    assert said.probabilities.sum(axis=1) == pytest.approx([1.0, 1.0])
    again = answers({"scores": said.probabilities}, (SCORES,), task, "probabilities")
    np.testing.assert_array_equal(again.probabilities, said.probabilities)
    labels = answers({"scores": np.array([2, 0], np.int32)}, (SCORES,), task)
    assert labels.classes.tolist() == [2, 0]
    assert labels.probabilities is None


def test_scores_that_are_no_numbers_belong_to_no_class() -> None:
    scores = np.array([[0.0, np.nan, 5.0], [np.inf, 0.0, 1.0], [0.0, 9.0, 1.0]])
    task = Task("classification", (), (), ("a", "b", "c"), "softmax")
    assert answers({"scores": scores}, (SCORES,), task).classes.tolist() == [-1, -1, 1]


def test_outputs_that_are_no_classes_are_refused() -> None:
    task = Task("classification", (), (), ("a", "b", "c"), "softmax")
    with pytest.raises(InputError) as refused:
        answers({"scores": np.zeros((1, 4), np.float32)}, (SCORES,), task)
    assert refused.value.found == "scores float32 [1, 4]"
    assert refused.value.expected.startswith("scores or probabilities of 3 classes")


def test_what_is_no_classifier_is_refused() -> None:
    assert require_classifier(TASK, "file", "") is TASK
    for task in (None, Task("segmentation", (), (), ("a",)), Task("classification", (), ())):
        with pytest.raises(InputError) as refused:
            require_classifier(task, "file", "what it is")
        assert (refused.value.subject, refused.value.found) == ("file", "what it is")
