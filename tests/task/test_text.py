"""Characters and their ids."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.network.families.keyboard_layout import alphabet
from lading.record import Port, Task
from lading.task.text import UNKNOWN, Vocabulary, vocabulary

TASK = alphabet.task(20)
SCORES = Port("scores", "tensor", "float32", (1, 9))


def test_the_vocabulary_of_a_task_is_its_notes() -> None:
    found = vocabulary(TASK)
    assert found == Vocabulary(alphabet.CHARACTERS, 20)
    assert found is not None
    assert found.described() == "space to ~, Ё, А to я, ё, א to ת"


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


@given(st.text("abc xyz\ufffd", max_size=12))
def test_a_text_and_its_ids(text: str) -> None:
    words = Vocabulary("abcxyz", 12)
    again = words.decode(np.array([words.encode(text)]))
    assert words.encode(again) == words.encode(text)
    assert again.rstrip(UNKNOWN) == text.replace(" ", UNKNOWN).rstrip(UNKNOWN)


def test_a_text_of_several_alphabets_comes_back() -> None:
    words = vocabulary(TASK)
    assert words is not None
    assert words.decode(np.array([alphabet.encode("привет hello")])) == "привет hello"
