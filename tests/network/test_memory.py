"""What a call of a network changes is found, and is as before afterwards."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lading.errors import RequestError
from lading.network import attributes, memory
from lading.network.calling import BY_PLACE
from lading.network.own_module import OwnModule, live
from tests.memories import DECODER, RUNNING, Decoder, Running, made


def remembered(network: nn.Module, *inputs: str) -> list[str]:
    own = live(network, inputs)
    _, flat = own.task(own.build()[0])
    return [buffer.names[0] for buffer in flat.memory]


def test_buffers_that_a_call_changes_are_found_however_it_does() -> None:
    assert remembered(made(Decoder), *DECODER) == ["k_cache", "v_cache"]
    assert remembered(made(Running), *RUNNING) == ["h", "count", "mean"]


def test_what_only_training_changes_is_no_memory() -> None:
    network = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2)).train()
    assert remembered(network, "x:float32[1,2,4]") == []


def test_an_initial_value_is_the_checkpoints_although_the_network_was_called() -> None:
    network = made(Running)
    own = live(network, RUNNING)
    _, flat = own.task(own.build()[0])
    before = {buffer.names[0]: buffer.initial for buffer in flat.memory}
    assert torch.equal(before["h"], network.h)
    assert before["count"].item() == 0


def test_nothing_is_left_behind() -> None:
    network = made(Running)
    held, values = network.h, copy.deepcopy(network.state_dict())
    with memory.undone(network) as seen:
        network(torch.ones(1, 5))
        network(torch.ones(1, 5))
    assert {buffer.names[0] for buffer in seen.buffers} == {"h", "count", "mean"}
    assert network.h is held  # the very tensor, which was put aside
    assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())


def test_a_buffer_of_two_names_is_one() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("one", torch.zeros(2))
            self.register_buffer("other", self.one)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.one: torch.Tensor
            self.other: torch.Tensor
            self.one += x
            return self.other * 2

    own = live(Twice(), ["x:float32[2]"])
    _, flat = own.task(own.build()[0])
    assert [buffer.names for buffer in flat.memory] == [("one", "other")]


class Growing(nn.Module):
    cache: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache = torch.cat([self.cache, x])
        return self.cache.sum(0)


def test_a_buffer_that_grows_is_refused_with_its_sizes() -> None:
    network = Growing()
    with pytest.raises(RequestError) as caught:
        remembered(network, "x:float32[1,4]")
    assert "buffer cache of Growing" in caught.value.subject
    assert caught.value.found == "shape [1, 4] before a call and [2, 4] after"
    assert "largest size" in caught.value.remedy
    assert network.cache.shape == (1, 4)


class Attributed(nn.Module):
    """Something in a plain attribute, which `answer` may or may not use."""

    def __init__(self, *, used: bool) -> None:
        super().__init__()
        self.used, self.calls = used, 0
        self.cache: list[torch.Tensor] = []
        self.mask: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            self.mask = torch.ones(4)
        self.calls += 1
        self.cache.append(x)
        return torch.stack(self.cache).sum(0) if self.used else x * self.mask


def test_an_attribute_on_which_answers_depend_is_refused_with_its_line() -> None:
    network = Attributed(used=True)
    with pytest.raises(RequestError) as caught:
        remembered(network, "x:float32[1,4]")
    assert "self.cache.append(x)" in caught.value.found
    assert "test_memory.py:" in caught.value.found
    assert "register_buffer" in caught.value.remedy
    assert (network.calls, network.cache, network.mask) == (0, [], None)


def test_an_attribute_that_alters_nothing_is_left_alone() -> None:
    network = Attributed(used=False)
    assert remembered(network, "x:float32[1,4]") == []
    assert (network.calls, network.cache, network.mask) == (0, [], None)


class Recording(nn.Module):
    """Hooks itself in when it is first called, and notes that in an attribute: as transformers'
    networks do where their layers' outputs are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.hooked = nn.Linear(4, 4), False

    def forward(self, x: torch.Tensor) -> Any:
        found: list[torch.Tensor] = []
        self.found = found
        if not self.hooked:
            self.layer.register_forward_hook(lambda _, __, out: self.found.append(out))
            self.hooked = True
        self.layer(x)
        (out,) = found
        return out


def test_hooks_are_put_back_with_what_says_that_they_are_there() -> None:
    network = Recording()
    assert remembered(network, "x:float32[1,4]") == []
    assert not network.hooked
    assert not network.layer._forward_hooks


class Nested(nn.Module):
    """A recipe in a tuple of tuples, deeper than is looked."""

    def __init__(self) -> None:
        super().__init__()
        self.recipe = ((((([1, 2], [3]),),),),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape([*self.recipe[0][0][0][0][0][:1], 4])


def test_what_lies_deep_in_an_attribute_is_left_alone() -> None:
    network = Nested()
    assert remembered(network, "x:float32[1,4]") == []
    assert network.recipe == ((((([1, 2], [3]),),),),)


class Tensored(nn.Module):
    """A tensor that is no buffer, changed in place."""

    def __init__(self) -> None:
        super().__init__()
        self.total = torch.zeros(1, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def test_a_tensor_that_is_no_buffer_is_refused() -> None:
    network = Tensored()
    with pytest.raises(RequestError) as caught:
        remembered(network, "x:float32[1,4]")
    assert "attribute total of Tensored" in caught.value.subject
    assert "self.total.add_(x)" in caught.value.found
    assert not network.total.any()


def test_a_script_that_remembers_is_refused(tmp_path: Path) -> None:
    traced: Any = torch.jit.trace(made(Running), (torch.zeros(1, 5),), check_trace=False)
    traced.save(tmp_path / "net.pt")
    script: Any = torch.jit.load(tmp_path / "net.pt")
    setattr(script, BY_PLACE, True)
    own = OwnModule(lambda _: (script, False), ["x:float32[1,5]"], "net.pt")
    with pytest.raises(RequestError, match="TorchScript that remembers") as caught:
        own.task(own.build()[0])
    assert "torch.export.save" in caught.value.remedy


def test_a_program_of_torch_export_remembers(tmp_path: Path) -> None:
    program = torch.export.export(made(Decoder), (torch.tensor([[3]]), torch.tensor([2])))
    module = program.module()
    module.eval = lambda: module  # type: ignore[method-assign]
    inputs = ("ids:int64[1,1]@0..16", "pos:int64[1]@0..5")
    assert remembered(module, *inputs) == ["k_cache", "v_cache"]


def test_buffers_of_any_making_are_watched() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with torch.inference_mode():
                self.register_buffer("made", torch.ones(3))
            self.register_buffer("sparse", torch.eye(3).to_sparse())
            self.register_buffer("gaps", torch.tensor([float("nan"), 1.0, 2.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.made: torch.Tensor
            self.sparse: torch.Tensor
            self.gaps: torch.Tensor
            return torch.sparse.mm(self.sparse, x) * self.made[:, None] + self.gaps.nan_to_num()

    with memory.undone(network := Odd()) as seen:
        network(torch.ones(3, 3))
    assert seen.buffers == ()


def test_what_lies_too_deep_to_be_looked_into_is_left_alone() -> None:
    network = nn.Linear(2, 2)
    network.plan = deep = ([[[[(1, 2), {3: 4}]]]],)
    with attributes.reset(network) as reset:
        reset()
    assert network.plan is deep
    assert deep == ([[[[(1, 2), {3: 4}]]]],)
