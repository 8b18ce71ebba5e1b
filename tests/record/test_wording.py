"""What a verdict says, for bills of every kind."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from lading.record import Comparison, Measurement, Provenance, Trajectory
from lading.record.wording import summary

OTHER = Provenance("a.onnx", "b.pth", "same architecture, other weights", ())
LOST = Trajectory("a.onnx", "onnxruntime", "ddim", 1, 0, (9.0,), (9.0,), None, 60.0, "", "fail",
                  "it ends 9 dB away")  # fmt: skip


def psnr(value: float, gate: float = 40.0, reading: Any = "declared") -> Measurement:
    return Measurement("logits", "psnr", value, gate, "why", "noise-0", reading)


def agreement(value: float) -> Measurement:
    return Measurement("labels", "label_agreement", value, 0.995, "why")


def compared(path: str, *measured: Measurement, **changes: Any) -> Comparison:
    passed = all(one.passed for one in measured)
    one = Comparison(path, "mil", "torch", 14, measured, (), "pass" if passed else "fail")
    return replace(one, **changes)


ONE = compared("out/a.mlpackage", psnr(66.44), agreement(0.9951), psnr(95.0, 90.0, "graph"))
TWO = compared("out/b.onnx", psnr(121.0, 90.0), probes=14)
ABSENT = compared("out/a.mlpackage", verdict="not run", reason="no Mac", probes=0)
TABLE = compared("out/b.onnx", probes=2000, data="rows.tsv")


@pytest.mark.parametrize(
    ("compared", "text"),
    [
        ([ONE, ABSENT], "a.mlpackage gives what the original gives on 14 probes "
                        "(worst 66.4 dB, gate 40)"),
        ([TWO, ONE], "both files give what the original gives on 14 probes "
                     "(worst 66.4 dB, gate 40)"),
        ([TWO, ONE, compared("c.mlmodel", psnr(50.0), probes=1)],
         "all 3 files give what the original gives on 1 to 14 probes (worst 50.0 dB, gate 40)"),
        ([compared("c.onnx", agreement(0.9991), probes=1)],
         "c.onnx gives what the original gives on 1 probe (worst 99.910 %, gate 99.5 %)"),
        ([compared("c.onnx", psnr(math.inf))],
         "c.onnx gives what the original gives on 14 probes (all equal, gate 40)"),
        ([TWO, TABLE], "b.onnx gives what the original gives on 14 probes and "
                       "2,000 samples of rows.tsv (worst 121.0 dB, gate 90)"),
        ([replace(TWO, reference="out/a.mlpackage")],
         "b.onnx gives what a.mlpackage gives on 14 probes (worst 121.0 dB, gate 90)"),
    ],
)  # fmt: skip
def test_a_pass_says_what_was_measured(compared: list[Comparison], text: str) -> None:
    assert summary("pass", compared) == text


@pytest.mark.parametrize(
    ("compared", "others", "text"),
    [
        ([ONE, compared("out/b.onnx", psnr(77.6, 90.0, "graph"), psnr(60.0))], (),
         "b.onnx does not give what the original gives: logits graph psnr 77.6 dB, gate 90"),
        ([compared("a.mlpackage", psnr(30.0)), compared("b.onnx", psnr(10.0))], (),
         "a.mlpackage and b.onnx do not give what the original gives: logits psnr 10.0 dB, "
         "gate 40"),
        ([compared("a.onnx", agreement(0.5), verdict="fail")], (),
         "a.onnx does not give what the original gives: labels label_agreement 50.000 %, "
         "gate 99.5 %"),
        ([compared("a.onnx", verdict="fail", reason="noise-0: no labels")], ([OTHER], [LOST]),
         "a.onnx does not give what the original gives: noise-0: no labels"),
        ([TWO], ([OTHER], [LOST]),
         "a.onnx does not hold the checkpoint's weights: same architecture, other weights"),
        ([TWO], ([], [LOST]),
         "a.onnx does not lead where the original leads: it ends 9 dB away"),
    ],
)  # fmt: skip
def test_a_failure_names_what_missed(
    compared: list[Comparison], others: tuple[Any, ...], text: str
) -> None:
    assert summary("fail", compared, *others) == text


@pytest.mark.parametrize(
    ("compared", "text"),
    [
        ([ABSENT, TWO], "a.mlpackage was not compared with the original: no Mac"),
        ([ABSENT, replace(ABSENT, artifact="b.onnx")],
         "a.mlpackage and b.onnx were not compared with the original: no Mac"),
        ([replace(ONE, verdict="not run", reason="only labels were compared")],
         "a.mlpackage was not fully compared with the original: only labels were compared"),
    ],
)  # fmt: skip
def test_not_run_says_what_was_not_compared_and_why(compared: list[Comparison], text: str) -> None:
    assert summary("not run", compared) == text


@pytest.mark.parametrize("verdict", ["pass", "fail", "not run"])
def test_a_strangers_bill_may_stand_on_nothing(verdict: Any) -> None:
    assert summary(verdict, ()) == "nothing was compared"
