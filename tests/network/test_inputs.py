"""Values that an input takes, drawn from what is said of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lading.network.inputs import example, taken

WIDEST = float(torch.finfo(torch.float32).max)


@given(
    st.sampled_from(["float32", "float16", "int32"]),
    st.integers(-1000, 1000),
    st.integers(0, 1000),
    st.integers(0, 9),
)
def test_it_lies_in_the_range_that_is_stated(dtype: str, low: int, more: int, seed: int) -> None:
    port = taken(f"x:{dtype}[2,50]@{low}..{low + more}").port
    drawn = example(port, torch.Generator().manual_seed(seed))
    assert (drawn.shape, str(drawn.dtype)) == ((2, 50), f"torch.{dtype}")
    assert low <= drawn.min() <= drawn.max() <= low + more
    assert more < 100 or len(drawn.unique()) > 10


def test_a_range_as_wide_as_float32_is_drawn_from() -> None:
    port = taken(f"x:float32[1000]@{-WIDEST:.0f}..{WIDEST:.0f}").port
    drawn = example(port, torch.Generator().manual_seed(0))
    assert drawn.isfinite().all()
    assert (drawn > WIDEST / 2).any()
    assert (drawn < -WIDEST / 2).any()


@pytest.mark.parametrize("shape", [(), (3, 4)])
def test_without_a_range_it_is_standard_normal_of_any_shape(shape: tuple[int, ...]) -> None:
    port = taken("x:float32[100,100]").port
    drawn = example(port, torch.Generator().manual_seed(0), shape)
    assert drawn.shape == (shape or (100, 100))
    assert shape or abs(float(drawn.std()) - 1.0) < 0.05
