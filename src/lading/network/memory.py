"""What a network remembers: the buffers that a call of it changes.

A call is watched, and everything is put back as it was before it. What is seen is what happens,
not what the code looks like: a counter of batches that only training moves is no memory of a
network that is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from lading.errors import RequestError
from lading.network import attributes
from lading.network.attributes import Attribute


@dataclass(frozen=True)
class Buffer:
    """A buffer that a call changes.

    Attributes:
        names: every name that it has in the network, the first one first.
        initial: its value before any call; nobody else holds this tensor.
    """

    names: tuple[str, ...]
    initial: torch.Tensor


@dataclass
class Changes:
    """What a call left behind, known once it is put back.

    Attributes:
        buffers: that it changed.
        shapes: of those that have another shape after it, by name: that shape.
        attributes: that it changed.
    """

    buffers: tuple[Buffer, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    attributes: tuple[Attribute, ...] = ()


def buffers(network: nn.Module) -> dict[tuple[str, ...], torch.Tensor]:
    """Every buffer by all the names that it has."""
    names: dict[int, list[str]] = {}
    held: dict[int, torch.Tensor] = {}
    for name, tensor in network.named_buffers(remove_duplicate=False):
        names.setdefault(id(tensor), []).append(name)
        held[id(tensor)] = tensor
    return {tuple(names[key]): tensor for key, tensor in held.items()}


@contextmanager
def undone(network: nn.Module) -> Iterator[Changes]:
    """Puts buffers and attributes back to what they were, and notes which ones a call changed."""
    held = buffers(network)
    before = {names: (one, _version(one), one.detach().clone()) for names, one in held.items()}
    shot = attributes.shot(network)
    seen = Changes()
    try:
        yield seen
    finally:
        seen.attributes = attributes.changed(network, shot)
        attributes.put_back(shot)
        found = []
        for names, (tensor, version, kept) in before.items():
            now = get(network, names[0])
            if now is tensor and _version(now) == version and _same(now, kept):
                continue
            found.append(Buffer(names, kept))
            if now.shape != kept.shape:
                seen.shapes[names[0]] = tuple(now.shape)
            with torch.no_grad():
                if tensor.shape != kept.shape:
                    tensor.data = kept.clone()
                elif not _same(tensor, kept):
                    tensor.copy_(kept)
            for name in names:
                put(network, name, tensor)
        seen.buffers = tuple(found)


def get(network: nn.Module, name: str) -> torch.Tensor:
    """The buffer of a name."""
    owner, leaf = _owner(network, name)
    value: torch.Tensor = getattr(owner, leaf)
    return value


def put(network: nn.Module, name: str, value: torch.Tensor) -> None:
    """Puts a tensor in the place of a buffer."""
    owner, leaf = _owner(network, name)
    setattr(owner, leaf, value)


def _owner(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    *path, leaf = name.split(".")
    owner: Any = network
    for part in path:  # a script has no get_submodule
        owner = getattr(owner, part)
    return owner, leaf


def _version(tensor: torch.Tensor) -> int:
    """How often it was written in place; what was made in inference mode does not count."""
    return 0 if tensor.is_inference() else tensor._version


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.layout != torch.strided:  # its version tells
        return True
    equal = one == other
    if one.is_floating_point():
        equal = equal | (one.isnan() & other.isnan())
    return bool(equal.all())


def require_kept(network: nn.Module, seen: Changes, origin: str) -> None:
    """Passes only where a file can keep what the network remembers.

    Raises:
        RequestError: a buffer grows, or holds what no format does; or the network is a script,
            whose graph has its buffers inside.
    """
    if seen.buffers and any(isinstance(m, torch.jit.ScriptModule) for m in network.modules()):
        raise RequestError(
            origin,
            found="TorchScript that remembers " + ", ".join(one.names[0] for one in seen.buffers),
            expected="a network whose buffers can be handed in and out",
            remedy="give its code, --model FILE.py:FACTORY, or what torch.export.save wrote of it",
        )
    for buffer in seen.buffers:
        name, shape = buffer.names[0], tuple(buffer.initial.shape)
        wrong: Mapping[str, Any] = {}
        if name in seen.shapes:
            wrong = {
                "found": f"shape {list(shape)} before a call and {list(seen.shapes[name])} after",
                "expected": "one shape: a file keeps what it remembers at one size",
                "remedy": "register it at its largest size and write to a position in it, "
                "e.g. self.cache[:, pos] = new",
            }
        elif buffer.initial.is_complex() or not buffer.initial.numel():
            wrong = {
                "found": f"{list(shape)} of {buffer.initial.dtype}, which every call changes",
                "expected": "real or whole numbers: a file keeps nothing else",
                "remedy": "keep the real and the imaginary part apart"
                if buffer.initial.is_complex()
                else "register it at its largest size",
            }
        if wrong:
            raise RequestError(f"buffer {name} of {origin}", **wrong)
