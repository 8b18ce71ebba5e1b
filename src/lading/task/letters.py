"""Axes that a user leaves open: ``ids:int32[B=1..8,T=1..128]``, a letter is one size everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lading.record import Port

#: Where between its ends a letter stands; the other letters stand elsewhere.
_BETWEEN = (0.37, 0.61, 0.83, 0.29)


def bounds(ports: Sequence[Port]) -> dict[str, tuple[int, int]]:
    """Least and largest size by letter; empty where no axis has one.

    >>> x = Port("x", "tensor", "float32", (1, 4), ranges=((1, 8), (2, 9)), letters=("B", "T"))
    >>> bounds([x])
    {'B': (1, 8), 'T': (2, 9)}
    """
    found: dict[str, tuple[int, int]] = {}
    for port in ports:
        for letter, ends in zip(port.letters, port.ranges, strict=bool(port.letters)):
            if letter:
                found.setdefault(letter, ends)
    return found


def shape(port: Port, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The port's shape where its letters are these numbers."""
    letters = port.letters or ("",) * len(port.shape)
    return tuple(sizes.get(one, n) for one, n in zip(letters, port.shape, strict=True))


def assignments(ports: Sequence[Port], most: int) -> list[dict[str, int]]:
    """Sizes to be compared at: all at their largest, all at their least, each letter by itself at
    its largest, and sizes between.

    >>> x = Port("x", "tensor", "float32", (1, 4), ranges=((1, 8), (2, 9)), letters=("B", "T"))
    >>> assignments([x], 4)
    [{'B': 8, 'T': 9}, {'B': 1, 'T': 2}, {'B': 8, 'T': 2}, {'B': 1, 'T': 9}]
    """
    known = bounds(ports)
    if not known:
        return []
    steps = {
        letter: step
        for port in ports
        for letter, step in zip(port.letters, port.multiples, strict=False)
    }
    high = {letter: ends[1] for letter, ends in known.items()}
    low = {letter: ends[0] for letter, ends in known.items()}
    found = [high, low]
    if len(known) > 1:
        found += [{**low, letter: high[letter]} for letter in known]
    for turn in range(len(_BETWEEN)):
        parts = [_BETWEEN[(turn + place) % len(_BETWEEN)] for place in range(len(known))]
        found.append({
            letter: _between(least, largest, part, steps.get(letter, 1))
            for (letter, (least, largest)), part in zip(known.items(), parts, strict=True)
        })  # fmt: skip
    unique = {tuple(sizes.values()): sizes for sizes in found}
    return list(unique.values())[:most]


def _between(least: int, largest: int, part: float, step: int) -> int:
    """The size at a part of the way, which `step` divides where it divides the ends."""
    return least + round(part * (largest - least) / step) * step


def lent(ours: Sequence[Port], theirs: Sequence[Port]) -> list[Port]:
    """The ports of a network, with a letter for every axis that a file leaves open: one for all
    axes that have the same default size, called after the first of them; one for every batch. What
    has no largest size is given three times the default, and 5 in a batch.

    Args:
        ours: what the network takes.
        theirs: the same as the file says it.

    >>> x = Port("x", "tensor", "float32", (1, 4, 6))
    >>> mask = Port("mask", "tensor", "float32", (1, 6))
    >>> open_x, open_mask = replace(x, shape=(-1, 4, -1)), replace(mask, shape=(-1, -1))
    >>> [(port.letters, port.ranges) for port in lent([x, mask], [open_x, open_mask])]
    [(('batch', '', 'x.2'), ((1, 5), (4, 4), (3, 18))), (('batch', 'x.2'), ((1, 5), (3, 18)))]
    """
    known: dict[tuple[bool, int], tuple[str, tuple[int, int]]] = {}
    found = []
    for our, their in zip(ours, theirs, strict=True):
        named, ends = list[str](), list[tuple[int, int]]()
        stated = their.ranges or tuple((n, n) if n > 0 else (1, -1) for n in their.shape)
        steps = our.multiples or (1,) * len(our.shape)
        for axis, (n, step, (low, high)) in enumerate(zip(our.shape, steps, stated, strict=True)):
            if low == high:
                named.append("")
                ends.append((n, n))
                continue
            most = high if high > 0 else 3 * n if axis else 5
            least = max(low, 1 if their.ranges or not axis else -(-n // 2))
            room = (-(-least // step) * step, most // step * step)
            name = f"{our.name}.{axis}" if axis else "batch"
            letter, bound = known.setdefault((axis == 0, n), (name, room))
            named.append(letter)
            ends.append(bound)
        found.append(replace(our, letters=tuple(named), ranges=tuple(ends)))
    return found


def traced(ports: Sequence[Port]) -> dict[str, int]:
    """Sizes to take a graph at: no 1, which an exporter takes for a constant, and no two alike."""
    return {
        letter: min(high, max(low, 5 + 2 * place))
        for place, (letter, (low, high)) in enumerate(bounds(ports).items())
    }


def spelled(sizes: Mapping[str, int]) -> str:
    """As people read it.

    >>> spelled({"B": 8, "T": 128})
    'B=8 T=128'
    """
    return " ".join(f"{letter}={size}" for letter, size in sizes.items())
