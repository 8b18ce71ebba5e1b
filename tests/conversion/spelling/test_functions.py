"""Functions of numbers in their other spelling: of every kind of number what torch gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lading.conversion.spelling import spelled

NUMBERS = [0.0, -0.0, 1e-6, -1e-3, 0.25, -0.5, 1.0, -1.0, 1.5, 2.5, -7.0, 3e4, math.inf, -math.inf,
           math.nan]  # fmt: skip
X = torch.tensor(NUMBERS).repeat_interleave(len(NUMBERS))
Y = torch.tensor(NUMBERS).repeat(len(NUMBERS))
ROWS = torch.tensor([[1.0, 3, 3, -math.inf, 2, 3, -1], [-math.inf, -5, -5, 0, 0, -0.0, -6]])
ENDS = torch.tensor([-1.0, 0.0, 0.5, 0.5, 2.0])


class Does(nn.Module):
    def __init__(self, what: Callable[..., Any]) -> None:
        super().__init__()
        self.what = what

    def forward(self, *values: torch.Tensor) -> Any:
        return self.what(*values)


def finite(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    every = torch.stack(values).isfinite().all(0)
    return tuple(one[every] for one in values)


CASES: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "trunc": (torch.trunc, (X,)),
    "signbit": (torch.signbit, finite(X)),
    "copysign": (torch.copysign, (X, Y[: len(X)].nan_to_num(3.0))),
    "fmax": (torch.fmax, (X, Y)),
    "fmin": (torch.fmin, (X, Y)),
    "fmod": (torch.fmod, finite(X, Y)),
    "hypot": (torch.hypot, finite(X, Y)),
    "logaddexp2": (torch.logaddexp2, (X / 1e3, Y / 1e3)),
    "erfc": (torch.erfc, (X,)),
    "asinh": (torch.asinh, (X[X.abs() < math.inf],)),
    "acosh": (torch.acosh, (X[math.inf > X],)),
    "isclose": (torch.isclose, (X, Y)),
    "isclose, what is no number too": (lambda x, y: torch.isclose(x, y, 0.1, 1.0, True), (X, Y)),
    "round": (lambda x: torch.round(x * 1.234, decimals=2), (X,)),
    "cummax": (lambda x: torch.cummax(x, 1), (ROWS,)),
    "cummin": (lambda x: torch.cummin(x, 0), (ROWS,)),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 1), (ROWS,)),
    "kthvalue": (lambda x: torch.kthvalue(x, 2, 0)[0], (ROWS,)),
    "median": (lambda x: torch.median(x, 1, True)[0], (ROWS,)),
    "median of all": (torch.median, (ROWS,)),
    "bucketize": (lambda x: torch.bucketize(x, ENDS), (X,)),
    "bucketize, from the right": (lambda x: torch.bucketize(x, ENDS, right=True), (X,)),
    "searchsorted": (lambda x: torch.searchsorted(ROWS.sort(-1).values, x, side="right"), (ROWS,)),
    "searchsorted of a number": (lambda x: torch.searchsorted(x, 0.5, out_int32=True), (ENDS,)),
    "pooled with places": (
        lambda x: torch.nn.functional.max_pool1d(x[None], 3, 2, 1, return_indices=True), (ROWS,)),
    "padded by less than nothing": (
        lambda x: torch.nn.functional.pad(x, (-2, 1, 1, -1), value=2.0), (ROWS,)),
    "flags counted": (lambda x: (x > 0).sum(1, keepdim=True), (ROWS,)),
    "seen in another shape": (  # the spelling has gaps in memory
        lambda x: torch.stack([x, -x]).kthvalue(2, 1).values.view(14), (ROWS,)),
    "var_mean": (lambda x: torch.var_mean(x.clamp(-9), 1, unbiased=False, keepdim=True), (ROWS,)),
    "std_mean": (lambda x: torch.std_mean(x.clamp(-9)), (ROWS,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_what_torch_gives(name: str) -> None:
    what, inputs = CASES[name]
    module = Does(what).eval()
    program = torch.export.export(module, inputs)
    other = spelled(program)
    assert other is not program
    torch.testing.assert_close(
        other.module()(*inputs), module(*inputs), rtol=2e-6, atol=1e-7, equal_nan=True
    )


def test_places_of_a_pooling_that_nobody_reads_are_not_looked_for() -> None:
    module = Does(lambda x: torch.ops.aten.max_pool2d_with_indices(x, [2, 2], [2, 2])[0])
    program = torch.export.export(module, (ROWS[None],))
    assert spelled(program) is program
