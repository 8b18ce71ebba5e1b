"""What a tap says of a result, against counting element by element."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lading.coreml.mil.program import Op, Value, ValueType
from lading.coreml.mil.taps import Taps

NUMBERS = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1e-9, -1e-9, 7e4, -7e4, np.inf, -np.inf, np.nan]),
)


@given(st.lists(NUMBERS, max_size=12))
@example([1.0, 1e-9, 0.0])
@example([7e4, 1e-9, np.nan])
def test_statistics_are_what_counting_gives(numbers: list[float]) -> None:
    computed = torch.tensor(numbers, dtype=torch.float32)
    held = computed.half().float()
    value = Value("y", ValueType("tensor", "float16", (len(numbers),)))
    taps = Taps(statistics=True)
    taps.measure(Op("mul", "y", {}, (value,)), value, computed, held)
    seen, pairs = taps.statistics_of["y"], list(zip(numbers, held.tolist(), strict=True))
    there = [one for one in held.tolist() if not np.isnan(one)]
    assert seen.count == len(numbers)
    assert seen.nans == len(numbers) - len(there)
    assert seen.overflowed == sum(bool(np.isfinite(a) and np.isinf(b)) for a, b in pairs)
    assert seen.underflowed == sum(bool(a != 0 and not np.isnan(a) and b == 0) for a, b in pairs)
    ends = (min(there), max(there)) if there else (np.nan, np.nan)
    assert np.array_equal([seen.minimum, seen.maximum], ends, equal_nan=True)
