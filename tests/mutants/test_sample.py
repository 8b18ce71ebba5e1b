"""A sample of the suite, quick enough for every run; ``make mutants`` has the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import edited, networks, strangers, suite, wrong
from tests.mutants.court import Form, carry, judge


def held(rows: list[suite.Row]) -> list[str]:
    """What was neither refused nor below the declared precision."""
    return [str(row) for row in rows if row.verdict != "fail" and not row.below]


def test_edits_of_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "FORMS", ("onnx", "fp16"))
    rows = suite.by_edit("toy")
    assert len(rows) >= 15
    assert not held(rows)
    assert sum(row.below for row in rows) <= 1  # a scale that an instance norm divides out again


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("one weight changed by 1 %", "toy"),
        ("a norm's epsilon times 100", "enlarged"),
        ("up-sampling's align flag flipped", "enlarged"),
        ("GELU tanh for erf", "enlarged"),
        ("batch norm with the batch's statistics", "enlarged"),
        ("dropout left on", "toy"),
        ("label order permuted", "toy"),
        ("two outputs swapped", "two outputs"),
        ("heads changed", "diffusion"),
        ("timestep scale changed", "diffusion"),
    ],
)
def test_wrong_modules_are_refused(kind: str, name: str) -> None:
    rows = suite.by_module(name, kind, ("onnx",))
    assert [row.verdict for row in rows] == ["fail"]


def test_an_overflow_in_fp16_is_refused() -> None:
    rows = suite.by_module("toy", "fp16 overflow at one op", ("fp16",))
    assert [row.verdict for row in rows] == ["fail"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gains", "small channels swapped"),
        ("detector", "scores left out"),
        ("rows", "nothing of small inputs"),
        ("wave", "cut off at 8"),
        ("words", "one id for another"),
        ("larger", "memorised probes"),
        ("branch", "one side frozen"),
    ],
)
def test_no_wrong_file_of_a_stranger_passes_in_silence(name: str, kind: str) -> None:
    rows = list(strangers.judged(name, "onnx", [kind]))
    assert [row.judge for row in rows] == ["verify", "compare", "golden"]
    assert [row.outcome for row in rows if row.outcome != "fail"] == [], rows


def test_there_are_many_wrong_files_of_many_strangers() -> None:
    files = [kind for name, forms in strangers.FORMS.items() for _ in forms
             for kind in strangers.kinds(name)]  # fmt: skip
    assert len(files) >= 60
    assert len(strangers.FORMS) >= 12


@pytest.mark.parametrize(("seed", "form"), [(0, "onnx"), (1, "onnx"), (10, "fp16")])
def test_right_ones_pass(seed: int, form: Form, tmp_path: Path) -> None:
    subject = networks.module(seed)
    said = judge(subject, carry(subject, form, tmp_path / form))
    assert said.verdict == "pass", said.reason


def test_every_kind_is_made_by_some_edit_or_module() -> None:
    made = {*wrong.KINDS, *edited.ONNX, *edited.COREML}
    assert len(made) >= 24
    assert made == set(wrong.KINDS)  # no edit of a kind that the page would not explain
