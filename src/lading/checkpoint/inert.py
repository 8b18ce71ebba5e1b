"""What stands for a class or function that a file names: words, never the thing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Named:
    """A class or function that the file names and that nobody looked up: ``module.name``."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
class Placeholder:
    """An instance of a class that lading does not know; it can do nothing.

    Attributes:
        module: the class's module as the file spells it.
        name: the class's qualified name.
        args: positional arguments of its construction.
        kwargs: keyword arguments of its construction.
        state: what the file would have given to ``__setstate__``.
        items: what was appended, for subclasses of list.
        entries: what was set by key, for subclasses of dict.
    """

    module: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    state: Any = None
    items: Sequence[Any] = ()
    entries: Mapping[Any, Any] = field(default_factory=lambda: _NOTHING)

    def __repr__(self) -> str:
        return f"<{self.module}.{self.name}, not run>"

    def own_items(self) -> list[Any]:
        """`items`, to be added to."""
        if not isinstance(self.items, list):
            self.items = []
        return self.items

    def own_entries(self) -> dict[Any, Any]:
        """`entries`, to be added to."""
        if not isinstance(self.entries, dict):
            self.entries = {}
        return self.entries


class NotPlainError(ValueError):
    """A listed function cannot make plain data of its arguments: a placeholder stands in."""
