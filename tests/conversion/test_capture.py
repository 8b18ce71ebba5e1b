"""A graph by either route, with its module paths; the module stays as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.checkpoint.tensors import digest
from lading.conversion.capture import capture, module_path, with_paths
from lading.errors import CaptureError
from lading.interface import Interface, Options, Sizes
from lading.record import Port, Task
from tests.toys import interface, noise

ROUTES = ["export", "trace"]


def run(captured: Any, x: Any) -> Any:
    module = captured.traced or captured.exported.module()
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()


def eager(one: Interface, x: Any) -> Any:
    with torch.inference_mode():
        return one.module(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("output", ["logits", "probabilities", "labels"])
def test_the_graph_computes_what_the_module_does(route: Any, output: Any) -> None:
    one = interface(Options(output, ("zscore",)))
    captured = capture(one, route)
    assert (captured.route, captured.interface, captured.axes) == (route, one, frozenset())
    assert (captured.traced is None) is (route == "export")
    assert (captured.exported is None) is (route == "trace")
    x = 100 * noise((1, 1, 16, 16), 3)
    np.testing.assert_array_equal(run(captured, x), eager(one, x))


@pytest.mark.parametrize("route", ROUTES)
def test_the_module_stays_as_it_was(route: Any) -> None:
    one = interface(Options(bake=("zscore",)))
    one.module.network.stem.train()
    one.module.network.head.weight.requires_grad_(False)
    one.module.network.up.weight.grad = torch.ones_like(one.module.network.up.weight)
    torch.manual_seed(7)

    def state() -> Any:
        named = one.module.named_parameters()
        return (
            {name: digest(tensor) for name, tensor in one.module.state_dict().items()},
            {name: module.training for name, module in one.module.named_modules()},
            {
                name: (p.requires_grad, None if p.grad is None else digest(p.grad), id(p))
                for name, p in named
            },
            torch.is_grad_enabled(),
            torch.get_rng_state().sum().item(),
        )

    before = state()
    capture(one, route)
    assert state() == before


def test_an_exported_graph_keeps_module_paths() -> None:
    program = capture(interface(Options("probabilities", ("zscore",))), "export").exported
    assert program is not None
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    paths = {str(node.target): module_path(node) for node in calls}
    assert paths["aten.conv_transpose2d.input"] == "network.up"
    assert paths["aten.instance_norm.default"] == "network.norm"
    assert paths["aten.softmax.int"] == "head"
    assert paths["aten.sqrt.default"] == "prepare.0"
    assert paths["aten.cat.default"] == "network"
    assert with_paths(program) is program
    for node in calls:
        assert node.meta["stack_trace"] == module_path(node)
    assert not any("/" in str(node.meta["stack_trace"]) for node in program.graph.nodes)


def test_a_traced_graph_keeps_module_paths() -> None:
    traced = capture(interface(), "trace").traced
    assert {name for name, _ in traced.named_modules()} >= {"network.stem", "network.norm", "head"}


@pytest.mark.parametrize("axes", [{"batch"}, {"size"}, {"batch", "size"}])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("bake", [(), ("zscore",)])
def test_open_axes_take_other_sizes(axes: set[str], route: Any, bake: tuple[str, ...]) -> None:
    one = interface(Options(bake=bake))
    captured = capture(one, route, frozenset(axes))
    for batch in (1, 2, 3) if "batch" in axes else (1,):
        for size in ((6, 4), (16, 16), (18, 40)) if "size" in axes else ((16, 16),):
            x = noise((batch, 1, *size))
            np.testing.assert_allclose(run(captured, x), eager(one, x), rtol=1e-5, atol=1e-5)


def test_closed_axes_stay_closed() -> None:
    program = capture(interface(), "export").exported
    with pytest.raises(Exception, match="Guard failed"):
        program.module()(torch.zeros(2, 1, 16, 16))
    with pytest.raises(Exception, match="Guard failed"):
        program.module()(torch.zeros(1, 1, 18, 16))


def test_sizes_follow_the_list_or_the_range() -> None:
    ranged = interface(Options(sizes=Sizes(ranges=((8, 32), (16, 16)))))
    program = capture(ranged, "export", frozenset({"size"})).exported
    x = noise((1, 1, 8, 16))
    with torch.inference_mode():
        np.testing.assert_allclose(
            program.module()(torch.from_numpy(x)).numpy(), eager(ranged, x), atol=1e-5
        )
    for size in ((34, 16), (6, 16), (9, 16), (16, 18)):
        with pytest.raises(Exception, match=r".+"):
            program.module()(torch.zeros(1, 1, *size))
    listed = interface(Options(sizes=Sizes(listed=((8, 16), (32, 16)))))
    program = capture(listed, "export", frozenset({"size"})).exported
    assert program.module()(torch.zeros(1, 1, 32, 16)).shape == (1, 3, 32, 16)


class Branching(nn.Module):
    """Looks at a value to decide what to do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.mean().item() > 0:
            return x + 1
        return x - 1


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ArithmeticError("\n\n  the third moon is full\nmore of it")


def with_module(module: nn.Module) -> Interface:
    return replace(interface(), module=module.eval())


def test_a_branch_on_data_is_refused_with_torchs_reason() -> None:
    with pytest.raises(CaptureError) as caught:
        capture(with_module(Branching()), "export")
    assert caught.value.subject == "Branching by export"
    assert "Could not guard on data-dependent expression" in caught.value.found
    assert "\n" not in caught.value.found
    assert len(caught.value.found) <= 300
    assert caught.value.expected == (
        "a module whose forward can be followed for any values of its inputs"
    )
    assert caught.value.remedy == "try the other route, or change the line that is named"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("route", ROUTES)
def test_the_first_telling_line_is_quoted(route: Any) -> None:
    with pytest.raises(CaptureError) as caught:
        capture(with_module(Broken()), route)
    assert caught.value.found == "ArithmeticError: the third moon is full"


class Seldom(nn.Module):
    """Changes a buffer, whatever anybody has seen of it."""

    kept: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.kept.add_(x)
        return self.kept * 2


def test_a_buffer_that_nobody_saw_change_is_refused() -> None:
    port = Port("x", "tensor", "float32", (1, 4))
    one = Interface(Seldom(), (port,), (port,), Options(), Task("module", (port,), (port,)))
    with pytest.raises(CaptureError, match="it changes kept, which no call"):
        capture(one, "export")
