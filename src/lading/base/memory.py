"""Memory that is no longer used, given back to the system.

glibc keeps what was freed for the next request, in pieces that the next tensor may not fit: after
some hundred runs of a network as much lies idle as is in use, and the next stage comes on top.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """glibc's function; None where there is none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc: musl, macOS, Windows
        return None


def give_back() -> None:
    """Between two stages of work. Nothing but the resident size changes.

    >>> give_back()
    """
    trim = _trim()
    if trim is not None:
        trim(0)
