"""How this process asks the system for memory and gives it back, and searches for garbage.

glibc asks the system for every large tensor and returns it as soon as it is freed, and the system
clears each page again: of a network whose results are above 32 MB that is a fifth of the time. A
process of lading's own keeps what it was given for the next result (`kept`). Some hundred runs
later as much may lie idle as is in use, in pieces that the next stage's tensors do not fit; so
between stages it is given back (`give_back`).

Elsewhere than under glibc both do nothing. A capture and a conversion make hundreds of thousands of
objects and set off collections of garbage, each over all that torch brought along;
`collected_alone` leaves that out.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

#: Of ``<malloc.h>``: the numbers of its parameters.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
#: Nothing is asked of the system by itself, and nothing is returned to it.
_KEPT = {_MMAP_THRESHOLD: 32 << 20, _MMAP_MAX: 0, _TRIM_THRESHOLD: (1 << 31) - 1}
#: What glibc comes to by itself once tensors of 32 MB were freed, and its number of mappings.
_OWN = {_MMAP_THRESHOLD: 32 << 20, _MMAP_MAX: 1 << 16, _TRIM_THRESHOLD: 64 << 20}
#: Where a user sets the same: each with what is in it then.
_SET = {
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"), ""),
    "GLIBC_TUNABLES": "glibc.malloc.",
}


@cache
def _libc() -> Any:
    """The C library where it is glibc; None elsewhere."""
    try:
        found = ctypes.CDLL(None)
        return found if found.malloc_trim and found.mallopt else None
    except (OSError, AttributeError, TypeError):  # musl, macOS, Windows
        return None


def give_back() -> None:
    """Between two stages of work. Nothing but the resident size changes.

    >>> give_back()
    """
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


@contextmanager
def kept() -> Iterator[None]:
    """Within it, what is freed is kept for what is asked for next: for a process of one's own, as
    it is set for all of it. Nothing is set where the user has set it. Afterwards glibc gives
    tensors above 32 MB back again, and no longer looks for a better limit by itself.

    >>> with kept():
    ...     pass
    """
    known = any(part in os.environ[name] for name, part in _SET.items() if os.environ.get(name))
    libc = None if known else _libc()
    if libc is None:
        yield
        return
    _set(libc, _KEPT)
    try:
        yield
    finally:
        _set(libc, _OWN)
        give_back()


@contextmanager
def collected_alone() -> Iterator[None]:
    """Within it collections of garbage leave out what was there before, half a million objects
    once torch is loaded; nothing, where that is so already.

    >>> with collected_alone():
    ...     pass
    """
    mine = gc.get_freeze_count() == 0
    if mine:
        gc.freeze()
    try:
        yield
    finally:
        if mine:
            gc.unfreeze()


def _set(libc: Any, wanted: Mapping[int, int]) -> None:
    for parameter, value in wanted.items():
        libc.mallopt(parameter, value)
