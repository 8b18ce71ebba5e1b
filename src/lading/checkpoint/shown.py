"""What a file made, as a few words for an error: never more than that, whatever it is."""

from __future__ import annotations

from typing import Any

from lading.checkpoint.inert import Named, Placeholder

#: Characters of a stranger's text in an error.
LONGEST = 60


def shown(value: Any, longest: int = LONGEST) -> str:
    """`value` in at most about `longest` characters. Nothing of what it holds is looked at.

    >>> shown("x" * 99)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'"
    >>> shown((1, 2)), shown(1 << 80), shown(0.5)
    ('a tuple of 2', 'a whole number of 81 bits', '0.5')
    """
    if isinstance(value, (str, bytes, bytearray)):
        more = "…" if len(value) > longest else ""
        first = value[:longest] if isinstance(value, str) else value[: longest // 4].hex(" ")
        return repr(first + more)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return f"a whole number of {value.bit_length():,} bits"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, (Named, Placeholder)):
        return cut(repr(value) if isinstance(value, Placeholder) else str(value), longest)
    if isinstance(value, (tuple, list, dict, set, frozenset)):
        return f"a {type(value).__name__} of {len(value):,}"
    return f"a {type(value).__name__}"


def cut(text: str, longest: int = LONGEST) -> str:
    """The first `longest` characters of `text`."""
    return text if len(text) <= longest else text[:longest] + "…"
