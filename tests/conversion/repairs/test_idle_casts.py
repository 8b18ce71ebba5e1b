"""Casts that change nothing leave no trace; those that do stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lading.conversion.repairs import Case
from lading.conversion.repairs.idle_casts import REPAIR

X = torch.arange(4.0)
IDLE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "type": lambda x: x.type(torch.float32),
    "float": lambda x: x.float(),
    "to dtype": lambda x: x.to(torch.float32),
    "to dtype by name": lambda x: x.to(dtype=torch.float32),
    "to device": lambda x: x.to("cpu"),
    "to both": lambda x: x.to(torch.device("cpu"), torch.float32),
    "to both, not waiting": lambda x: x.to("cpu", non_blocking=True),
    "to another": lambda x: x.to(x),
    "type as": lambda x: x.type_as(x),
}
BUSY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "half": lambda x: x.half(),
    "type": lambda x: x.type(torch.float64),
    "type by name": lambda x: x.type("torch.DoubleTensor"),
    "to": lambda x: x.to(torch.int32),
    "to another": lambda x: x.to(torch.zeros(1, dtype=torch.float16)),
    "copy": lambda x: x.to(torch.float32, copy=True),
    "copy, by place": lambda x: x.to(torch.float32, False, True),
    "format": lambda x: x.reshape(1, 1, 2, 2).to(memory_format=torch.channels_last),
}


class Does(nn.Module):
    def __init__(self, what: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.what(x * 2)


@pytest.mark.parametrize("name", IDLE)
def test_an_idle_cast_leaves_no_operation(name: str) -> None:
    module = Does(IDLE[name])
    assert REPAIR.scope(Case(module, (X,), "export", True)).where == ("Does",)
    with REPAIR.applied(module):
        graph = torch.export.export(module, (X,)).graph
    called = [node.target for node in graph.nodes if node.op == "call_function"]
    assert called == [torch.ops.aten.mul.Tensor]


@pytest.mark.parametrize("name", BUSY)
def test_a_cast_that_does_something_stays(name: str) -> None:
    module = Does(BUSY[name])
    assert REPAIR.scope(Case(module, (X,), "export", True)).declined == "every cast changes a type"
    want = module(X)
    with REPAIR.applied(module):
        got = module(X)
    assert got.dtype == want.dtype
    assert torch.equal(got, want)
    assert got.stride() == want.stride()


def test_the_tensor_itself_is_returned_as_torch_documents() -> None:
    for cast in IDLE.values():
        assert cast(X) is X
    with REPAIR.applied(nn.ReLU()):
        for cast in IDLE.values():
            assert cast(X) is X


def test_torchs_methods_come_back() -> None:
    before = [getattr(torch.Tensor, name) for name in ("to", "type", "float", "type_as")]
    with REPAIR.applied(nn.ReLU()):
        assert torch.Tensor.to is not before[0]
    assert [getattr(torch.Tensor, n) for n in ("to", "type", "float", "type_as")] == before
