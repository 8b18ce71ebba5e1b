"""Checkpointing and other autograd functions, captured as their forward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lading.conversion.repairs import Case
from lading.conversion.repairs.autograd_functions import REPAIR
from lading.record import Route
from tests.strangers import Attention

X = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
ROUTES: tuple[Route, ...] = ("export", "trace")


class Squared(torch.autograd.Function):
    """With its context set up apart, and what a forward may say to it."""

    @staticmethod
    def forward(x: torch.Tensor, power: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
        return x**power, x > 0

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, *wanted: torch.Tensor) -> Any:
        return 2 * ctx.saved_tensors[0] * wanted[0], None


class Talkative(torch.autograd.Function):
    """Asks and tells its context everything there is."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        assert not any(ctx.needs_input_grad)
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        ctx.kept = x.shape
        return x + float(not torch.is_grad_enabled())

    @staticmethod
    def backward(ctx: Any, *wanted: torch.Tensor) -> Any:
        return wanted[0]


class Uses(nn.Module):
    def __init__(self, which: str) -> None:
        super().__init__()
        self.layer, self.which = nn.Conv2d(8, 8, 1), which

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.which == "setup context":
            square, positive = Squared.apply(self.layer(x))
            return torch.where(positive, square, x)
        if self.which == "talkative":
            return Talkative.apply(self.layer(x))  # type: ignore[no-any-return]
        again = self.which == "torch, re-entrant"
        return checkpoint(self.layer, x, use_reentrant=again)  # type: ignore[no-any-return]


def module(which: str) -> nn.Module:
    torch.manual_seed(0)
    return (Attention(8, 2) if which == "own" else Uses(which)).eval()


WHICH = ["own", "setup context", "talkative", "torch, re-entrant", "torch, not re-entrant"]


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("route", ROUTES)
def test_the_graph_gives_the_same_bytes(which: str, route: Route) -> None:
    network = module(which)
    assert REPAIR.scope(Case(network, (X,), route, True)).where
    with torch.no_grad():
        want = network(X)
        with REPAIR.applied(network) as repaired:
            assert torch.equal(repaired(X), want)
            if route == "trace":
                graph: Any = torch.jit.trace(repaired, (X,), check_trace=False)
            else:
                graph = torch.export.export(repaired, (X,)).module()
        assert torch.equal(graph(X), want)


def test_without_it_a_trace_stops() -> None:
    stops = (RuntimeError, IndexError)  # the second from torch 2.15 on
    with torch.no_grad(), pytest.raises(stops, match=r"map::at|_Map_base"):
        torch.jit.trace(module("own"), (X,), check_trace=False)


def test_gradients_come_back_when_it_ends() -> None:
    network, x = module("own"), X.clone().requires_grad_()
    with REPAIR.applied(network):
        pass
    answer = network(x)
    assert "Recomputed" in type(answer.grad_fn).__name__
    answer.sum().backward()
    assert x.grad is not None


def test_it_declines_where_there_is_none() -> None:
    scope = REPAIR.scope(Case(nn.ReLU(), (X,), "trace", True))
    assert not scope.where
    assert scope.declined == "no autograd function is applied"


def test_the_scope_names_the_modules() -> None:
    network = nn.Sequential(nn.ReLU(), module("own"))
    assert REPAIR.scope(Case(network, (X,), "trace", True)).where == ("1",)
