"""Results as a person sees them in a prompt or a notebook: short, and never all that they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sized
from typing import Any, ClassVar

#: Characters of a result, and of one of its texts.
WHOLE, TEXT = 300, 60
#: What of a record says which one it is.
NAMED = ("path", "title", "name", "checkpoint")


class Brief:
    """A dataclass whose text is its facts and how many there are of the rest.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False)
    ... class Result(Brief):
    ...     verdict: str
    ...     probes: tuple[int, ...] = ()
    >>> Result("pass", (1, 2, 3))
    Result(verdict='pass', probes: 3)
    """

    #: What draws it in a notebook, set by the room that can.
    html: ClassVar[Callable[[Any], str] | None] = None

    def __repr__(self) -> str:
        known = [(one.name, getattr(self, one.name)) for one in dataclasses.fields(self)]  # type: ignore[arg-type]
        said = ", ".join(filter(None, (_said(name, value) for name, value in known)))
        name = type(self).__name__
        return f"{name}({said if len(said) <= WHOLE else said[:WHOLE] + '…'})"

    def _repr_html_(self) -> str | None:
        draw = type(self).html
        return draw(self) if draw else None


def _said(name: str, value: Any) -> str:
    if value is None or (isinstance(value, Sized) and not len(value)):
        return ""
    if dataclasses.is_dataclass(value):
        value = next((getattr(value, one) for one in NAMED if getattr(value, one, "")), None)
        return _said(name, value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{name}: {value.dtype}{list(value.shape)}"
    if isinstance(value, Sized) and not isinstance(value, (str, bytes)):
        return f"{name}: {len(value)}"
    text = value if isinstance(value, str) else repr(value)
    cut = text if len(text) <= TEXT else f"{text[:TEXT]}…"
    return f"{name}={cut!r}" if isinstance(value, str) else f"{name}={cut}"
