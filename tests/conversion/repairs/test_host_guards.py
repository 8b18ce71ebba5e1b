"""Guards that read a value on the host: shown the first value, proved to touch no output."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lading.conversion.repairs import Case, repaired
from lading.conversion.repairs.host_guards import REPAIR
from lading.errors import CaptureError
from lading.interface import Interface, Options, wrap
from lading.record import Port, Route, Task

ROUTES: tuple[Route, ...] = ("export", "trace")
LIMIT = 1000
T = torch.tensor([7], dtype=torch.int32)
Forward = Callable[[torch.Tensor], torch.Tensor]


def _item(t: torch.Tensor) -> torch.Tensor:
    if t[0].item() > LIMIT:
        raise ValueError(f"{t[0].item()} is beyond {LIMIT}")
    return t * 2.0


def _one_line(t: torch.Tensor) -> torch.Tensor:
    if t[0].item() > LIMIT: raise ValueError("beyond")  # noqa: E701  # fmt: skip
    return t * 2.0


def _several_lines(t: torch.Tensor) -> torch.Tensor:
    if (
        t.min() < 0
        or t.max().item() > LIMIT
        or math.isnan(float(t[0]))
    ):  # fmt: skip
        text = "out of range"
        raise ValueError(text)
    return t * 2.0


def _assertion(t: torch.Tensor) -> torch.Tensor:
    assert torch.all(t >= 0), "negative"
    assert int(t[0]) <= LIMIT
    return t * 2.0


def _named(t: torch.Tensor) -> torch.Tensor:
    first = t[0].item()
    if first < 0:
        raise ValueError(first)
    assert first <= LIMIT
    return t * 2.0


def _helper(t: torch.Tensor) -> torch.Tensor:
    _check(t.tolist())
    return t * 2.0


def _check(values: list[int]) -> None:
    if max(values) > LIMIT:
        raise ValueError


def _in_a_helper(t: torch.Tensor) -> torch.Tensor:
    _check_tensor(t)
    return t * 2.0


def _check_tensor(t: torch.Tensor) -> None:
    if t.max() > LIMIT:
        raise ValueError


def _decides(t: torch.Tensor) -> torch.Tensor:
    if t[0].item() > 500:
        return t * 3.0
    return t * 2.0


def _decides_and_raises(t: torch.Tensor) -> torch.Tensor:
    if t[0].item() > LIMIT:
        raise ValueError
    else:  # noqa: RET506
        t = t + 1
    return t * 2.0


def _is_used(t: torch.Tensor) -> torch.Tensor:
    first = t[0].item()
    if first > LIMIT:
        raise ValueError
    return t * float(first)


def _is_used_by_a_walrus(t: torch.Tensor) -> torch.Tensor:
    if (first := t[0].item()) > LIMIT:
        raise ValueError
    return t * float(first)


def _is_handled(t: torch.Tensor) -> torch.Tensor:
    try:
        if t[0].item() > LIMIT:
            raise ValueError
    except ValueError:
        return t * 3.0
    return t * 2.0


def _is_kept(t: torch.Tensor) -> torch.Tensor:
    if _KEPT.append(t[0].item()):  # type: ignore[func-returns-value]
        raise ValueError
    return t * float(_KEPT[-1])


_KEPT: list[Any] = []


def _two_in_a_line(t: torch.Tensor) -> torch.Tensor:
    x = t * t[0].item(); y = 3  # noqa: E702, F841  # fmt: skip
    return x * 2.0


GUARDS = [_item, _one_line, _several_lines, _assertion, _named, _in_a_helper]
OTHERS = [
    _decides, _decides_and_raises, _is_used, _is_used_by_a_walrus, _is_handled, _is_kept,
    _two_in_a_line, _helper,
]  # fmt: skip


class Does(nn.Module):
    def __init__(self, what: Forward) -> None:
        super().__init__()
        self.what = what

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.what(t)


def interface(what: Forward) -> Interface:
    port = Port("t", "tensor", "int32", (1,), value_range=(0.0, 999.0))
    out = Port("out", "tensor", "float32", (1,))
    return wrap(Does(what).eval(), Task("module", (port,), (out,)), Options())


def graph_of(module: nn.Module, route: Route, t: torch.Tensor) -> Any:
    if route == "trace":
        return torch.jit.trace(module, (t,), check_trace=False)
    return torch.export.export(module, (t,)).module()


@pytest.mark.parametrize("what", GUARDS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_guard_is_passed_without_a_word(what: Forward, route: Route) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        with repaired(interface(what), route) as (mended, records), torch.no_grad():
            graph = graph_of(mended.module, route, T)
    (record,) = (one for one in records if one.name == "host-side guards")
    assert record.where == ("network",)
    assert record.proof == "every output byte equals the untouched network's, on 3 inputs"
    for step in (0, 7, 999):
        t = torch.tensor([step], dtype=torch.int32)
        assert torch.equal(graph(t), what(t))


@pytest.mark.parametrize("what", GUARDS[:2])
def test_another_example_gives_the_same_graph(what: Forward) -> None:
    texts = []
    for step in (3, 900):
        t = torch.tensor([step], dtype=torch.int32)
        with REPAIR.applied(Does(what)) as module, torch.no_grad():
            module(t)
            texts.append(str(torch.export.export(module, (t,)).graph))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("what", OTHERS)
def test_a_value_that_may_do_more_is_left_alone(what: Forward) -> None:
    scope = REPAIR.scope(Case(Does(what), (T,), "export", True))
    assert not scope.where
    assert scope.declined.startswith("a value is read where it may decide more than an error: test")
    with REPAIR.applied(Does(what)) as module:
        for step in (7, 900):
            t = torch.tensor([step], dtype=torch.int32)
            assert torch.equal(module(t), what(t))


def test_without_it_the_export_stops_and_the_trace_warns() -> None:
    with pytest.raises(torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode):
        graph_of(Does(_item), "export", T)
    with pytest.warns(torch.jit.TracerWarning, match="Python number"):
        graph_of(Does(_item), "trace", T)


def test_no_reading_no_repair() -> None:
    scope = REPAIR.scope(Case(nn.ReLU(), (torch.ones(2),), "trace", True))
    assert scope.declined == "no value is read on the host"


def test_code_without_source_is_left_alone() -> None:
    space: dict[str, Any] = {"torch": torch}
    exec("def f(t):\n    if t[0].item() > 1000: raise ValueError\n    return t * 2.0", space)
    assert not REPAIR.scope(Case(Does(space["f"]), (T,), "trace", True)).where


def test_torchs_readers_come_back() -> None:
    names = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__")
    before = [getattr(torch.Tensor, name) for name in names]
    with REPAIR.applied(nn.ReLU()):
        assert torch.Tensor.item is not before[0]
    assert [getattr(torch.Tensor, name) for name in names] == before


def test_the_proof_refuses_what_the_code_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the reading of the code fooled, the bytes would tell."""
    monkeypatch.setattr("lading.conversion.repairs.host_guards.only_guards", lambda *_: True)
    with pytest.raises(CaptureError) as caught, repaired(interface(_is_used), "trace"):
        pass
    assert caught.value.subject == "repair 'host-side guards' in network"
    assert caught.value.expected == "the outputs of the untouched network"
