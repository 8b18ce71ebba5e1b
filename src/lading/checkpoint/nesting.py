"""How deep plain values are nested, and how large they are when everything shared is counted again.

A file of a few hundred bytes can hold a list of one list twice, sixty times over: nothing to keep,
and without end to print, to compare or to walk. Whatever a reader hands on is measured here once,
each object once, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lading.checkpoint.inert import Placeholder

#: How deep a file's values may be nested, and how many of them there may be however small it is.
MAX_DEPTH, FREE_VALUES = 100, 1_000_000
#: Characters that count as a value.
TEXT = 16


def fault(value: Any, most: int = FREE_VALUES) -> str:
    """What is wrong with `value`: too deep, holding itself, or more than `most` values; or nothing.

    >>> shared = [1]
    >>> for _ in range(60):
    ...     shared = [shared, shared]
    >>> fault(shared)
    'more than 1,000,000 values, counted wherever they are shared'
    >>> fault({"a": [1, (2, 3)]})
    ''
    """
    sizes: dict[int, tuple[int, int]] = {}
    open_: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        one, closing = waiting.pop()
        if closing:
            open_.discard(id(one))
            inner = [_size(child, sizes) for child in _children(one)]
            size = 1 + sum(count for count, _ in inner)
            depth = 1 + max((deep for _, deep in inner), default=0)
            if depth > MAX_DEPTH:
                return f"nested more than {MAX_DEPTH} deep"
            if size > most:
                return f"more than {most:,} values, counted wherever they are shared"
            sizes[id(one)] = size, depth
        elif id(one) in open_:
            return "something that holds itself"
        elif _is_container(one) and id(one) not in sizes:
            open_.add(id(one))
            waiting.append((one, True))
            waiting += [(child, False) for child in _children(one) if _is_container(child)]
    return ""


def _is_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, Mapping, Placeholder)) or (
        isinstance(value, np.ndarray) and value.dtype.hasobject
    )


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, Placeholder):
        return [value.args, value.kwargs, value.state, value.items, value.entries]
    return value if isinstance(value, (list, tuple, set, frozenset)) else ()


def _size(value: Any, sizes: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    if _is_container(value):
        return sizes.get(id(value), (1, 1))
    if isinstance(value, (str, bytes, bytearray)):
        return 1 + len(value) // TEXT, 1
    if isinstance(value, int):
        return 1 + value.bit_length() // 64, 1
    return 1, 1
