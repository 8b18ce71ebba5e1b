"""What stands for a class or function that a file names: words, never the thing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Named:
    """A class or function that the file names and that nobody looked up: ``module.name``."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
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
    kwargs: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: dict[Any, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.module}.{self.name}, not run>"


class NotPlainError(ValueError):
    """A listed function cannot make plain data of its arguments: a placeholder stands in."""
