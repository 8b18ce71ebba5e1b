"""A network with a memory, seen in two ways: as it is, called from its beginning; and as a graph
that takes what it remembered and gives what it remembers.

`Remembered` is the original: its own code changes its own buffers. `Step` is what is captured: the
same code for one call, with the buffers handed in and out. What a file makes of the step is held
against the original, so that a buffer that was overlooked shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from lading.errors import RequestError
from lading.network import memory
from lading.network.calling import edge
from lading.network.memory import Buffer
from lading.record import Port, State


@dataclass(frozen=True)
class Kept:
    """A buffer of a network as a state.

    Attributes:
        state: what is recorded of it.
        names: of the buffer in the module around the network.
        initial: the value it begins with, as the network has it.
    """

    state: State
    names: tuple[str, ...]
    initial: torch.Tensor

    def inner(self, value: torch.Tensor) -> torch.Tensor:
        """A value of the state's port as the network has it; no part of what was given."""
        if self.initial.dtype == torch.bool:
            value = value != 0
        return value.to(self.initial.dtype).reshape(self.initial.shape).clone()

    @property
    def begins(self) -> torch.Tensor:
        """The initial value at the edge."""
        return edge(self.initial.clone())


def kept(buffers: Sequence[Buffer], ports: Sequence[Port], prefix: str) -> tuple[Kept, ...]:
    """The buffers as states, each with a name that no port has.

    Args:
        buffers: of the network.
        ports: of the interface.
        prefix: of the buffers' names in the module around the network.
    """
    taken = {port.name for port in ports}
    found = []
    for one in buffers:
        name = one.names[0].replace(".", "_")
        while taken & {name, f"{name}_in", f"{name}_out"}:
            name += "_state"
        taken |= {name, f"{name}_in", f"{name}_out"}
        value = edge(one.initial.clone())
        port = Port(name, "tensor", str(value.dtype).removeprefix("torch."), tuple(value.shape),
                    meaning="state")  # fmt: skip
        state = State(port, one.names[0], "values" if bool(value.any()) else "zeros")
        found.append(Kept(state, tuple(prefix + each for each in one.names), one.initial))
    return tuple(found)


class _Around(nn.Module):
    """The module `inner` under its own names."""

    def __init__(self, inner: nn.Module, states: Sequence[Kept]) -> None:
        super().__init__()
        self._inner = (inner,)  # no child: its children are
        self.states = tuple(states)
        for name, child in inner.named_children():
            self.add_module(name, child)

    @property
    def inner(self) -> nn.Module:
        """The module itself."""
        return self._inner[0]

    @contextmanager
    def holding(self, values: Sequence[torch.Tensor]) -> Iterator[None]:
        """Puts values in the place of the buffers, and what was there back."""
        before = [memory.get(self, kept.names[0]) for kept in self.states]
        try:
            self._put(values)
            yield
        finally:
            self._put(before)

    def _put(self, values: Sequence[torch.Tensor]) -> None:
        for kept, value in zip(self.states, values, strict=True):
            for name in kept.names:
                memory.put(self, name, value)

    def _held(self) -> tuple[torch.Tensor, ...]:
        return tuple(edge(memory.get(self, kept.names[0]).clone()) for kept in self.states)


class Remembered(_Around):
    """The original, called several times from its beginning: the last call's outputs, and then what
    it remembers. Its arguments have one axis more than its ports, the first: the calls.

    Attributes:
        before: called before each call.
    """

    before: Callable[[], None] = staticmethod(lambda: None)

    def forward(self, *several: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made: Any = ()
        with self.holding([memory.get(self, one.names[0]).clone() for one in self.states]):
            for call in zip(*several, strict=True):
                self.before()
                made = self.inner.forward(*call)
            outputs = made if isinstance(made, tuple) else (made,)
            return (*(one.clone() for one in outputs), *self._held())


class Step(_Around):
    """One call: inputs and states in, outputs and states out."""

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        count = len(values) - len(self.states)
        handed = zip(self.states, values[count:], strict=True)
        with self.holding([kept.inner(value) for kept, value in handed]):
            made = self.inner.forward(*values[:count])
            outputs = made if isinstance(made, tuple) else (made,)
            return (*outputs, *self._held())


def apart(step: Any) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of an interface of one call, without what is remembered."""
    count = len(step.states)
    return step.inputs[: len(step.inputs) - count], step.outputs[: len(step.outputs) - count]


def paired(states: Sequence[State], theirs: Sequence[State], subject: str) -> tuple[State, ...]:
    """For each state of the network that of a file, by name, or by shape where one alone has it;
    with the file's name and element type.

    Raises:
        RequestError: the file does not keep the same.
    """
    free, found = list(theirs), []
    for one in states:
        fitting = [t for t in free if t.port.shape == one.port.shape]
        named = [t for t in fitting if one.port.name == t.port.name]
        if len(named or fitting) != 1:
            break
        (mine,) = named or fitting
        free.remove(mine)
        port = replace(one.port, name=mine.port.name, dtype=mine.port.dtype)
        found.append(State(port, one.buffer, one.begins, mine.held))
    if free or len(found) < len(states):
        raise RequestError(
            subject,
            found=f"a file that keeps {told(theirs)} between calls",
            expected=f"one that keeps {told(states)}",
            remedy="convert again, or check that they are of one network",
        )
    return tuple(found)


def told(states: Sequence[State]) -> str:
    """States in words."""
    ports = (f"{one.port.name} {one.port.dtype} {list(one.port.shape)}" for one in states)
    return ", ".join(ports) or "nothing"
