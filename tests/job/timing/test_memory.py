"""What a process has resident."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lading.job.timing import memory


def test_the_peak_is_no_less_than_what_is_there() -> None:
    memory.begin()
    now, peak = memory.now(), memory.peak()
    assert now is not None
    assert peak is not None
    assert peak >= now > 10e6


@pytest.mark.skipif(sys.platform != "linux", reason="the peak starts over on Linux only")
def test_what_was_taken_and_given_back_is_in_the_peak() -> None:
    memory.begin()
    before = memory.now()
    large = np.ones(100_000_000, np.uint8)
    del large
    peak = memory.peak()
    assert before is not None
    assert peak is not None
    assert peak - before > 50e6
