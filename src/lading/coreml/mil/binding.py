"""Where an operation's arguments come from, and a call that fetches them.

The values of a run lie in numbered slots. Arguments known when the program is planned are bound
once; the others are read from the slots at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch

from lading.coreml.mil.taps import Taps

Slots: TypeAlias = "list[Any]"


@dataclass(frozen=True)
class Source:
    """Where one argument comes from.

    Attributes:
        slots: the slots that it depends on.
        value: the argument, where it is constant.
        direct: whether it is the value in the one slot, as it stands.
        read: what makes it, otherwise.
    """

    slots: tuple[int, ...]
    value: Any = None
    direct: bool = False
    read: Callable[[Slots, Taps | None], Any] | None = None

    @property
    def constant(self) -> bool:
        """Whether it is known when the program is planned."""
        return not self.direct and self.read is None

    def reader(self) -> Callable[[Slots, Taps | None], Any]:
        """A function that gives the argument."""
        if self.read is not None:
            return self.read
        if self.direct:
            slot = self.slots[0]
            return lambda slots, taps: slots[slot]
        return lambda slots, taps: self.value


def plain(value: Any) -> Any:
    """A tensor as Python numbers and lists of them."""
    return value.tolist() if isinstance(value, torch.Tensor) else value


def gathered(parts: list[Source]) -> Source:
    """The list of several arguments as one."""
    slots = tuple(slot for part in parts for slot in part.slots)
    if all(part.constant for part in parts):
        return Source(slots, [part.value for part in parts])
    readers = [part.reader() for part in parts]
    return Source(slots, read=lambda slots, taps: [read(slots, taps) for read in readers])


def bind(
    function: Callable[..., Any], parameters: list[str], sources: Mapping[str, Source]
) -> Callable[[Slots, Taps | None], Any]:
    """`function` with its constant arguments bound; the others are read from the slots."""
    fixed = {name: source.value for name, source in sources.items() if source.constant}
    dynamic = [name for name in parameters if name in sources and not sources[name].constant]
    bound = partial(function, **fixed) if fixed else function
    # The common cases, one or two tensors at the front, without building a dictionary.
    if dynamic == parameters[: len(dynamic)] and all(sources[name].direct for name in dynamic):
        indices = tuple(sources[name].slots[0] for name in dynamic)
        if len(indices) == 1:
            (a,) = indices
            return lambda slots, taps: bound(slots[a])
        if len(indices) == 2:
            a, b = indices
            return lambda slots, taps: bound(slots[a], slots[b])
    readers = [(name, sources[name].reader()) for name in dynamic]
    return lambda slots, taps: bound(**{name: read(slots, taps) for name, read in readers})
