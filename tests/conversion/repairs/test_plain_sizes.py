"""Sizes read while a trace records: numbers where sizes are fixed, and untouched elsewhere."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from lading.conversion.repairs import Case
from lading.conversion.repairs.plain_sizes import REPAIR

READERS = ("size", "numel", "nelement", "__len__", "shape")


class Reader(nn.Module):
    """Reads sizes in every way that Python has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape
        least = min(rows, columns, x.size(0), x.size(-1), x.numel(), x.nelement(), len(x))
        if x.size() != torch.Size([rows, columns]) or x.size(dim=1) != columns:
            raise ValueError("sizes contradict each other")
        return x[:least, :least] * (1.0 / float(columns))


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Reader()
        self.quiet = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.quiet(self.inner(x))


X = torch.arange(12.0).reshape(3, 4)


def case(module: nn.Module, route: str = "trace", fixed: bool = True) -> Case:
    return Case(module, (X,), route, fixed)  # type: ignore[arg-type]


def test_every_way_of_reading_is_silent_and_right() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # an earlier test's garbage, collected now
        warnings.filterwarnings("ignore", r".*torch\.jit\.trace")
        with REPAIR.applied(Outer()) as module:
            traced = torch.jit.trace(module, (X,), check_trace=False)
    assert torch.equal(traced(X), Outer()(X))
    assert "aten::size" not in str(traced.inlined_graph)


def test_without_it_each_way_is_warned_of() -> None:
    with pytest.warns(torch.jit.TracerWarning):
        traced = torch.jit.trace(Outer(), (X,), check_trace=False)
    assert "aten::size" in str(traced.inlined_graph)


def test_torch_is_as_it_was_afterwards() -> None:
    before = {name: torch.Tensor.__dict__.get(name) for name in READERS}
    with pytest.raises(ZeroDivisionError), REPAIR.applied(Outer()):
        raise ZeroDivisionError
    assert {name: torch.Tensor.__dict__.get(name) for name in READERS} == before
    assert X.shape == X.size() == torch.Size([3, 4])
    assert (len(X), X.numel()) == (3, 12)


def test_the_modules_that_read_are_named() -> None:
    assert REPAIR.scope(case(Outer())).where == ("inner",)
    assert REPAIR.scope(case(Reader())).where == ("Reader",)


@pytest.mark.parametrize(
    ("module", "route", "fixed", "why"),
    [
        (Outer(), "export", True, "only torch.jit.trace records sizes"),
        (Outer(), "trace", False, "sizes may vary"),
        (nn.ReLU(), "trace", True, "no size is read"),
    ],
)
def test_it_declines_with_a_reason(module: nn.Module, route: str, fixed: bool, why: str) -> None:
    found = REPAIR.scope(case(module, route, fixed))
    assert found.where == ()
    assert found.declined == why
