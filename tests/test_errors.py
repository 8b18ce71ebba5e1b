"""Errors: four parts, one form, an exit status; they survive pickling."""

from __future__ import annotations

import inspect
import pickle

import pytest

from lading import errors
from lading.errors import LadingError

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, LadingError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_its_four_parts(kind: type[LadingError]) -> None:
    error = kind("weights.pth", found="a stone", expected="bread", remedy="go on")
    assert str(error) == "weights.pth\n  found     a stone\n  expected  bread\n  remedy    go on"
    assert error.as_dict() == {
        "error": kind.__name__,
        "subject": "weights.pth",
        "found": "a stone",
        "expected": "bread",
        "remedy": "go on",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_processes(kind: type[LadingError]) -> None:
    error = kind("weights.pth", found="a stone", expected="bread", remedy="go on")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.as_dict() == error.as_dict()


def test_only_an_unequal_artifact_leaves_with_one() -> None:
    ones = {kind.__name__ for kind in KINDS if kind.exit_status == 1}
    assert ones == {"NoAnswerError", "VerificationError"}
    assert {kind.exit_status for kind in KINDS} == {1, 2}


def test_an_unsafe_file_is_a_checkpoint_error() -> None:
    assert issubclass(errors.UnsafeFileError, errors.CheckpointError)


@pytest.mark.parametrize("missing", ["found", "expected", "remedy"])
def test_no_part_can_be_left_out(missing: str) -> None:
    parts = {"found": "a", "expected": "b", "remedy": "c"}
    del parts[missing]
    with pytest.raises(TypeError, match=missing):
        LadingError("subject", **parts)
