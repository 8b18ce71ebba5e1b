"""A fixed sample of coremltools' operation suite, run with `lading.coreml.mil` as its Core ML.

The whole suite is `make conformance`.
"""

from __future__ import annotations

from pathlib import Path

from tests.conformance import report
from tests.conformance.__main__ import run

SAMPLE = 1500


def test_sample(tmp_path: Path) -> None:
    code, cases, printed = run(["--sample", str(SAMPLE)], cases=tmp_path / "cases", quiet=True)
    summary = report.summarise(cases)
    assert not summary.failures, "\n".join([report.headline(summary), *summary.failures])
    assert code == 0, printed[-2000:]
    assert summary.total.collected == SAMPLE
    # Most of the suite asks the runtime something; the rest is about types and conversion.
    assert summary.total.reached > 0.8 * SAMPLE
    assert summary.total.compared == summary.total.reached
