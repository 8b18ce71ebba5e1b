"""Axes that a user leaves open: ``ids:int32[B=1..8,T=1..128]``, a letter is one size everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    high = {letter: ends[1] for letter, ends in known.items()}
    low = {letter: ends[0] for letter, ends in known.items()}
    found = [high, low]
    if len(known) > 1:
        found += [{**low, letter: high[letter]} for letter in known]
    for turn in range(len(_BETWEEN)):
        parts = [_BETWEEN[(turn + place) % len(_BETWEEN)] for place in range(len(known))]
        found.append({
            letter: least + round(part * (largest - least))
            for (letter, (least, largest)), part in zip(known.items(), parts, strict=True)
        })  # fmt: skip
    unique = {tuple(sizes.values()): sizes for sizes in found}
    return list(unique.values())[:most]


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
