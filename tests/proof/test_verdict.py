"""What several comparisons make together, and gates that have reasons."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from lading.interface.settings import PRECISIONS
from lading.proof.verdict import GATES, overall
from lading.record import Comparison, Trajectory, Verdict


def told(artifact: str, verdict: Any) -> Comparison:
    return Comparison(artifact, "some", "torch", 1, (), (), verdict)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("", "not run"),
        ("A pass", "pass"),
        ("A fail", "fail"),
        ("A not", "not run"),
        ("A pass, A not", "pass"),
        ("A pass, A pass", "pass"),
        ("A pass, A fail", "fail"),
        ("A not, A fail", "fail"),
        ("A not, A not", "not run"),
        ("A pass, B pass", "pass"),
        ("A pass, B not", "not run"),
        ("A pass, B not, B pass", "pass"),
        ("A pass, A not, B not", "not run"),
        ("A pass, B fail", "fail"),
        ("A not, B fail", "fail"),
        ("A pass, B pass, C not", "not run"),
    ],
)
def test_overall(verdicts: str, expected: str) -> None:
    words = {"pass": "pass", "fail": "fail", "not": "not run"}
    many = [told(a, words[v]) for a, v in (one.split() for one in verdicts.split(", ") if one)]
    for order in permutations(many):
        assert overall(order) == expected


def test_every_precision_has_gates_with_reasons() -> None:
    assert set(GATES) == set(PRECISIONS)
    for gates in GATES.values():
        assert gates.psnr >= 40
        assert gates.agreement >= 0.99
        assert gates.psnr_reason
        assert gates.agreement_reason
    assert GATES["fp32"].psnr > GATES["fp16"].psnr
    assert GATES["fp32"].agreement > GATES["fp16"].agreement


@pytest.mark.parametrize(
    ("walked", "expected"),
    [
        (["pass"], "pass"),
        (["pass", "fail"], "fail"),
        (["not run"], "pass"),  # where the comparison was run, and says more
        (["not run", "fail"], "fail"),
    ],
)
def test_a_trajectory_that_leads_elsewhere_fails_what_its_probes_pass(
    walked: list[Verdict], expected: str
) -> None:
    walks = [
        Trajectory("A", "some", "ddim", 1, 0, (0.0,), (), None, 60.0, "", one) for one in walked
    ]
    assert overall([told("A", "pass")], (), walks) == expected
    assert overall([told("A", "fail")], (), walks) == "fail"
    assert overall([], (), walks) == ("fail" if "fail" in walked else "not run")
