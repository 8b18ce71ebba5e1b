"""Claims, settings and checks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import RecognitionError, RequestError
from lading.network.reading import Reading, flag, grid, integer, integers, number, one_of, text
from lading.record import Claim, Conflict, HyperParameter
from lading.record.values import parse, show

rows = st.lists(st.integers(0, 99), min_size=2, max_size=3)


@given(
    st.one_of(
        st.integers(),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.integers(0, 999), min_size=2),
        st.lists(rows, min_size=2),
        st.sampled_from(["LeakyReLU", "2d", "3d_fullres"]),
        st.dictionaries(st.text("ab,x1 ", max_size=4), st.integers(), max_size=3),
    )
)
def test_shown_values_are_read_back(value: Any) -> None:
    assert parse(show(value)) == value


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("[[3,3],[1,3]]", [[3, 3], [1, 3]]),
        ("3x3 1x3", [[3, 3], [1, 3]]),
        ("256, 256", [256, 256]),
        ("TRUE", True),
        ("None", None),
        ("1e-5", 1e-5),
        ("a b", ["a", "b"]),
        ("3x", "3x"),
        ("", ""),
    ],
)
def test_parse(typed: str, value: Any) -> None:
    assert parse(typed) == value


def _reading(**settings: str) -> Reading:
    reading = Reading(settings, "file.pth")
    reading.claim("n", 2, "side file", "plans.json")
    reading.claim("n", 1, "embedded", "init_args")
    reading.claim("n", None, "tensors", "silent")
    return reading


def test_the_stronger_source_wins_and_the_conflict_stays() -> None:
    reading = _reading()
    assert reading.settle("n", integer()) == 1
    read = reading.finish("f", "F", ())
    assert read.hyperparameters == (HyperParameter("n", 1, "embedded", "init_args"),)
    claims = (Claim("embedded", 1, "init_args"), Claim("side file", 2, "plans.json"))
    assert read.conflicts == (Conflict("n", claims),)
    assert reading.losers("n") == {"side file"}


def test_the_user_settles() -> None:
    reading = _reading(n="2")
    assert reading.settle("n", integer()) == 2
    read = reading.finish("f", "F", ())
    assert read.hyperparameters[0].evidence == "user"
    assert read.conflicts[0].settled == "side file"
    assert read.conflicts[0].claims[-1] == Claim("user", 2, "--set n=2")


def test_the_user_replaces_an_assumption() -> None:
    reading = Reading({"m": "5"}, "file.pth")
    assert reading.settle("m", integer(), assume=3) == 5
    read = reading.finish("f", "F", ())
    assert read.hyperparameters == (HyperParameter("m", 5, "user", "--set m=5"),)
    assert not read.conflicts


def test_agreeing_with_a_source_leaves_its_evidence() -> None:
    reading = Reading({"m": "5"}, "file.pth")
    reading.claim("m", 5, "tensors", "a.weight")
    reading.settle("m", integer())
    read = reading.finish("f", "F", ())
    assert read.hyperparameters == (HyperParameter("m", 5, "tensors", "a.weight"),)


def test_the_tensors_stand() -> None:
    reading = Reading({"m": "6"}, "file.pth")
    reading.claim("m", 5, "tensors", "a.weight")
    with pytest.raises(RequestError) as caught:
        reading.settle("m", integer())
    assert caught.value.as_dict() == {
        "error": "RequestError",
        "subject": "--set m=6",
        "found": "6",
        "expected": "5, which the tensors prove (a.weight)",
        "remedy": "leave the setting out: no setting can change what the tensors show",
    }


def test_assumptions_carry_their_alternatives() -> None:
    reading = Reading({}, "file.pth")
    reading.settle("m", integer(), assume=3, why="usual", alternatives=("4", "5"))
    (one,) = reading.finish("f", "F", ()).hyperparameters
    assert one == HyperParameter("m", 3, "assumed", "usual", ("4", "5"))


def test_nothing_known_and_nothing_assumed() -> None:
    with pytest.raises(RecognitionError) as caught:
        Reading({}, "file.pth").settle("m", integer())
    assert (caught.value.subject, caught.value.remedy) == ("file.pth: m", "--set m=VALUE")


@pytest.mark.parametrize(
    ("check", "good", "kept", "bad"),
    [
        (integer(2), 2, 2, [1, True, 2.0, "2", None]),
        (flag, True, True, [1, "true", None]),
        (number, 1, 1.0, [float("nan"), float("inf"), True, "1", None]),
        (one_of("a", "b"), "a", "a", ["c", 1, None]),
        (text, "a", "a", [[], True, None]),
        (integers(2), (3, 4), [3, 4], [[1], [1, 2, 3], [0, 1], "ab", None]),
        (integers(2), 3, [3, 3], [[[1], [2]]]),
        (grid(2, 3), 3, [[3, 3, 3]] * 2, [[1, 2, 3], [[1, 2], [3, 4]], [[1, 2, 0]] * 2]),
        (grid(2, 2), [1, [2, 3]], [[1, 1], [2, 3]], [None, "ab"]),
        (grid(1, 2), [2, 3], [[2, 3]], [[2, 3, 4]]),
    ],
)
def test_checks(check: Any, good: Any, kept: Any, bad: list[Any]) -> None:
    assert check(good) == kept
    assert type(check(good)) is type(kept)
    for value in bad:
        with pytest.raises(ValueError, match=r"\w"):
            check(value)
