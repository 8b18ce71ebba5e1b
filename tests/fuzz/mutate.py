"""Changes of bytes that know no format, and ways to reach one file of a folder."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.kind import Case, Mutator

#: Numbers at which readers go wrong: ends of ranges, one beyond, and far too many.
NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 8, 63, 64, 65, 127, 128, 255, 256, 4095, 65535, 65536),
    *(2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**61 - 1, 2**62, 2**63 - 1, 2**63),
)
_LAYOUTS = ["<B", "<H", "<I", "<Q", ">H", ">I", ">Q"]


def flip(random: Random, data: bytes) -> bytes:
    """One to eight bits of the other value."""
    made = bytearray(data)
    for _ in range(random.randint(1, 8) if made else 0):
        made[random.randrange(len(made))] ^= 1 << random.randrange(8)
    return bytes(made)


def overwrite(random: Random, data: bytes) -> bytes:
    """A run of bytes by noise, by zeros or by one value."""
    if not data:
        return data
    at = random.randrange(len(data))
    count = min(len(data) - at, 1 << random.randrange(7))
    value = random.choice((0, 255, random.randrange(256)))
    noise = random.randbytes(count) if random.random() < 0.5 else bytes([value]) * count
    return data[:at] + noise + data[at + count :]


def number(random: Random, data: bytes) -> bytes:
    """One of `NUMBERS` over some place, in some width and byte order."""
    layout = random.choice(_LAYOUTS)
    width = struct.calcsize(layout)
    if len(data) < width:
        return data
    at = random.randrange(len(data) - width + 1)
    raw = struct.pack(layout, random.choice(NUMBERS) % (1 << 8 * width))
    return data[:at] + raw + data[at + width :]


def cut(random: Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data) + 1)]


def remove(random: Random, data: bytes) -> bytes:
    """A run of bytes is missing."""
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + data[at + (1 << random.randrange(8)) :]


def insert(random: Random, data: bytes) -> bytes:
    """A run of noise, or a repeated byte, in between."""
    at, count = random.randrange(len(data) + 1), 1 << random.randrange(10)
    made = random.randbytes(count) if random.random() < 0.5 else random.randbytes(1) * count
    return data[:at] + made + data[at:]


def repeat(random: Random, data: bytes) -> bytes:
    """A piece of the file, several times."""
    if not data:
        return data
    at = random.randrange(len(data))
    piece = data[at : at + (1 << random.randrange(8))]
    return data[:at] + piece * random.randint(2, 200) + data[at + len(piece) :]


def move(random: Random, data: bytes) -> bytes:
    """A piece of the file over another place of it."""
    if not data:
        return data
    source, to = random.randrange(len(data)), random.randrange(len(data))
    piece = data[source : source + (1 << random.randrange(8))]
    return data[:to] + piece + data[to + len(piece) :]


BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(flip, overwrite, number, cut, remove, insert, repeat, move),
)


def in_some_file(change: Callable[[Random, bytes], bytes]) -> Mutator:
    """`change` in the file, or in one of the folder's files."""

    def mutate(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
        if isinstance(case, bytes):
            return change(random, case)
        if not case:
            return case
        name = random.choice(sorted(case))
        return {**case, name: change(random, case[name])}

    mutate.__name__ = change.__name__
    return mutate


def spliced(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """The beginning of the case and the end of another seed."""
    other = random.choice(seeds)
    if isinstance(case, bytes) and isinstance(other, bytes):
        return case[: random.randrange(len(case) + 1)] + other[random.randrange(len(other) + 1) :]
    if isinstance(case, bytes) or isinstance(other, bytes) or not case or not other:
        return case
    name, theirs = random.choice(sorted(case)), random.choice(sorted(other))
    return {**case, name: other[theirs]}


#: For any kind, files and folders.
PLAIN: tuple[Mutator, ...] = (*map(in_some_file, BYTES), spliced)
