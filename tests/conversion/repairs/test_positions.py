"""A slice at a position is exported, and gives what it gave."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.conversion.graphs import Graphs
from lading.conversion.repairs import Case, repaired
from lading.conversion.repairs.positions import REPAIR
from lading.errors import CaptureError
from tests.memories import DECODER, LENGTH, Sliced, interface, made

INPUTS = ("x:float32[1,3,8]", "pos:int32[]@0..5")


class Reading(nn.Module):
    """Takes two places from a position on, of the last axis."""

    def forward(self, x: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
        return x[0, ..., pos : pos + 2] * 2


class Writing(nn.Module):
    """Writes to three of them, of the axis in the middle, one number everywhere."""

    def forward(self, x: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[:, 1, pos : pos + 3] = 7.0
        return y


class Shifting(nn.Module):
    """Takes as many as the position says."""

    def forward(self, x: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
        return x[:, :, pos : pos + pos + 1].sum(2)


@pytest.mark.parametrize("kind", [Reading, Writing])
@pytest.mark.parametrize("route", ["export", "decomposed"])
def test_it_is_exported_and_the_same(kind: type[nn.Module], route: Any) -> None:
    one = interface(kind().eval(), *INPUTS)
    graph, records = Graphs(one).take(route)
    assert "slices at a position" in [record.name for record in records]
    assert graph.exported is not None
    for pos in range(6):
        x, at = torch.randn(1, 3, 8), torch.tensor([pos], dtype=torch.int32)
        assert torch.equal(graph.exported.module()(x, at), one.module(x, at))


def test_without_it_torch_stops() -> None:
    with pytest.raises(CaptureError, match="data-dependent"):
        capture(interface(Writing().eval(), *INPUTS), "export")


def test_what_is_of_no_fixed_length_is_left_alone() -> None:
    one = interface(Shifting().eval(), *INPUTS)
    with repaired(one, "export") as (mended, _), pytest.raises(CaptureError):
        capture(mended, "export")


def test_a_cache_is_exported() -> None:
    one = interface(made(Sliced), DECODER[0], f"pos:int32[]@0..{LENGTH - 1}")
    _, records = Graphs(one).take("export")
    assert "slices at a position" in [record.name for record in records]


def test_it_declines_where_no_number_goes_in_and_in_a_trace() -> None:
    x, pos = torch.zeros(1, 3, 8), torch.tensor([1])
    assert REPAIR.scope(Case(nn.Identity(), (x,), "export", fixed=True)).declined
    assert REPAIR.scope(
        Case(interface(Reading(), *INPUTS).module, (x, pos), "trace", fixed=True)
    ).declined
    assert "__getitem__" not in torch.Tensor.__dict__
