"""What is drawn of a bench is what was measured."""

from __future__ import annotations

import pytest

from lading.page import latencies
from tests.cli.commands.test_bench import DONE, NOWHERE
from tests.page.drawn import Seen


def test_a_bar_is_as_long_as_its_median_and_a_line_stands_at_p95() -> None:
    seen = Seen(latencies.chart(DONE))
    slow, fast = (float(bar.get("width", "")) for bar in seen("rect", "bar"))
    assert slow / fast == pytest.approx(2, abs=0.01)
    left = float(seen("rect", "bar")[0].get("x", ""))
    (first, second) = (
        float(line.get("x1", "")) - left for line in seen("line", "line", "series-2")
    )
    assert first == pytest.approx(latencies.WIDE, abs=0.1)
    assert first / second == pytest.approx(2, abs=0.01)
    assert f"not run: {NOWHERE}" in seen.words()
    assert "1.00 ms, p95 1.50 ms, 0.50 x" in seen.words()


def test_who_cannot_see_it_reads_the_numbers() -> None:
    alt = latencies.chart(DONE).alt
    assert "a.onnx in ONNX Runtime 1.00 ms, p95 1.50 ms" in alt
    assert alt in latencies.cell(DONE)
