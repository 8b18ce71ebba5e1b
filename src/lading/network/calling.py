"""A network of the user's own behind flat ports: tensors in by place, tensors out by place."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lading.errors import RequestError
from lading.network.inputs import Taken, leaves, nested
from lading.network.memory import Buffer
from lading.network.through import called_by_name
from lading.record import Port

#: What an output becomes at the artifact's edge.
_EDGE = {
    torch.bool: torch.int32, torch.int64: torch.int32, torch.int16: torch.int32,
    torch.int8: torch.int32, torch.uint8: torch.int32, torch.float64: torch.float32,
    torch.float16: torch.float32, torch.bfloat16: torch.float32,
}  # fmt: skip


#: Attribute of a module that takes its inputs by place alone, whatever its signature says.
BY_PLACE = "lading_by_place"


@dataclass(frozen=True)
class Given:
    """One tensor of a network's answer: its path in it, and its port."""

    path: tuple[str, ...]
    port: Port


class Calling:
    """How a network is called with the values of its ports, in order, and what is read of its
    answer.

    Args:
        network: that is called.
        inputs: what it takes.
        outputs: paths in its answer of what it gives, in order; other parts are left out.
    """

    def __init__(
        self, network: nn.Module, inputs: Sequence[Taken], outputs: Sequence[tuple[str, ...]] = ()
    ) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        names = list(dict.fromkeys(one.path[0] for one in inputs))
        self.by_name = not getattr(network, BY_PLACE, False) and called_by_name(network, names)

    def answer(self, network: nn.Module, *values: torch.Tensor) -> Any:
        """The network's own answer."""
        given = [(one.path, one.inner(v)) for one, v in zip(self.inputs, values, strict=True)]
        shaped = nested(given)
        return network(**shaped) if self.by_name else network(*shaped.values())

    def __call__(self, network: nn.Module, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The values of the output ports."""
        found = dict(leaves(self.answer(network, *values)))
        return tuple(edge(found[path]) for path in self.outputs)


class Flat(nn.Module):
    """`network` as it is: its tensors in the order of its ports, in and out; `memory` are the
    buffers that a call changes."""

    def __init__(self, network: nn.Module, call: Calling, memory: Sequence[Buffer] = ()) -> None:
        super().__init__()
        self.network, self.call, self.memory = network, call, tuple(memory)

    def forward(self, *values: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        made = self.call(self.network, *values)
        return made[0] if len(made) == 1 else made


def edge(value: torch.Tensor) -> torch.Tensor:
    """As an artifact gives it: float32 or int32, of at least one axis."""
    value = value.to(_EDGE.get(value.dtype, value.dtype))
    return value if value.dim() else value.reshape(1)


def parameters(network: nn.Module) -> list[str]:
    """Names of what the network's ``forward`` takes, by place."""
    try:
        known = inspect.signature(network.forward).parameters.values()
    except ValueError:  # of a script
        return []
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in known if one.kind in places]


def given(answer: Any, taken: Sequence[str], origin: str) -> tuple[tuple[Given, ...], list[str]]:
    """What of an answer an artifact can give, and in words what it cannot and is left out.

    Args:
        answer: of the network, of any nesting.
        taken: names of the inputs: an output called like one gets ``_out`` behind its name.
        origin: of the network, for errors.

    Raises:
        RequestError: there is no tensor in it.
    """
    known = {torch.float32, torch.int32, *_EDGE}
    parts = [(path, value) for path, value in leaves(answer)]
    tensors = [
        (path, edge(value))
        for path, value in parts
        if isinstance(value, torch.Tensor) and value.dtype in known and value.numel()
    ]
    kept = {path for path, _ in tensors}
    dropped = [
        f"{'.'.join(path) or 'output'} ({_what(value)})"
        for path, value in parts
        if path not in kept
    ]
    if not tensors:
        raise RequestError(
            f"outputs of {origin}",
            found=", ".join(dropped)[:300] or "nothing",
            expected="a tensor of real or whole numbers, alone or in a tuple, list or mapping",
            remedy="let the factory return a module that gives one",
        )
    names = list(taken)
    found = []
    for path, value in tensors:
        alone = len(tensors) == 1 and path == ("0",)
        names.append(_name(() if alone else path, names))
        dtype = str(value.dtype).removeprefix("torch.")
        port = Port(names[-1], "tensor", dtype, tuple(value.shape), meaning="values")
        found.append(Given(path, port))
    return tuple(found), dropped


def _what(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "an empty tensor" if not value.numel() else f"{value.dtype}"
    return f"a {type(value).__name__}"


def _name(path: tuple[str, ...], taken: Sequence[str]) -> str:
    """An identifier that no other port has."""
    name = re.sub(r"\W", "_", "_".join(path)) or "output"
    name = f"output_{name}" if name[0].isdigit() else name
    name = f"{name}_out" if name in taken else name
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
