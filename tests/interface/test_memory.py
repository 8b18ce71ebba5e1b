"""A network with a memory as it is, and as the graph of one call."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lading.errors import InputError, RequestError
from lading.interface import Interface, Options, wrap
from lading.interface.memory import paired
from lading.interface.original import TorchSide
from lading.network.own_module import live
from lading.record import Port, State
from tests.memories import DECODER, LENGTH, RUNNING, Decoder, Running, Sliced, interface, made


def calls(one: Interface, count: int) -> dict[str, torch.Tensor]:
    several = [one.example(seed=seed) for seed in range(count)]
    return {name: torch.cat([each[name] for each in several]) for name in several[0]}


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [(Decoder, DECODER), (Running, RUNNING),
     (Sliced, (DECODER[0], f"pos:int32[]@0..{LENGTH - 1}"))],
)  # fmt: skip
def test_the_step_carried_on_is_the_original(
    kind: type[nn.Module], inputs: tuple[str, ...]
) -> None:
    one = interface(made(kind), *inputs)
    step, fed = one.step, calls(one, 4)
    memory = [kept.begins for kept in one.states]
    for place in range(4):
        arguments = [value[place] for value in fed.values()]
        outputs = step.module(*arguments, *memory)
        memory = list(outputs[len(one.outputs) :])
    wanted = one.module(*fed.values())
    assert len(wanted) == len(outputs)
    assert all(map(torch.equal, wanted, outputs))


def test_it_is_called_as_the_users_own_loop_calls_it() -> None:
    network = made(Running)
    one = interface(network, *RUNNING)
    fed = calls(one, 3)
    got = TorchSide(one).run({"x": fed["x"].numpy()})
    with torch.no_grad():
        for x in fed["x"]:
            answer = network(x)
    assert torch.equal(torch.from_numpy(got["output"]), answer)
    assert torch.equal(torch.from_numpy(got["h"]), network.h)
    assert got["count"].tolist() == [3]


def test_nothing_of_a_run_reaches_the_next() -> None:
    one = interface(made(Running), *RUNNING)
    side, fed = TorchSide(one), calls(one, 3)["x"].numpy()
    first, _, again = (side.run({"x": value}) for value in (fed[:1], fed, fed[:1]))
    assert all((first[name] == again[name]).all() for name in first)
    assert {"output", "h", "count", "mean"} == set(first)


def test_a_state_never_has_the_name_of_a_port() -> None:
    class Named(nn.Module):
        x: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("h", torch.zeros(1, 3))

        def forward(self, h: torch.Tensor) -> dict[str, torch.Tensor]:
            self.h: torch.Tensor
            self.h += h
            return {"h_out": self.h * 2}

    one = interface(Named(), "h:float32[1,3]")
    names = [port.name for port in (*one.step.inputs, *one.step.outputs)]
    assert len(set(names)) == len(names)
    assert one.states[0].state.port.name == "h_state"


def test_an_open_batch_is_refused() -> None:
    own = live(made(Running), RUNNING)
    task, flat = own.task(own.build()[0])
    with pytest.raises(RequestError) as caught:
        wrap(flat, task, Options(dynamic=("batch",)))
    assert "remembers h, count, mean" in caught.value.found


def test_a_file_keeps_the_same_or_is_refused() -> None:
    def state(name: str, *shape: int) -> State:
        return State(Port(name, "tensor", "float32", shape))

    ours = [state("a", 1, 2), state("b", 1, 3)]
    found = paired(ours, [state("second", 1, 3), state("first", 1, 2)], "them")
    assert [one.port.name for one in found] == ["first", "second"]
    for theirs in ([], [state("a", 1, 2)], [*ours, state("c", 4)]):
        with pytest.raises(RequestError, match="keeps"):
            paired(ours, theirs, "them")


def test_calls_are_as_many_in_every_input() -> None:
    one = interface(made(Decoder), *DECODER)
    fed = {name: value.numpy() for name, value in calls(one, 3).items()}
    from lading.coreml.calls import calls as split

    ranks = {port.name: len(port.shape) for port in one.inputs}
    assert len(split(fed, ranks)) == 3
    with pytest.raises(InputError, match="same length"):
        split({**fed, "pos": fed["pos"][:2]}, ranks)
