"""Changes of a protobuf message by its fields: https://protobuf.dev/programming-guides/encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.kind import Case, Mutator
from tests.fuzz.mutate import BYTES, NUMBERS

#: A field: its number, wire type, and what it holds (a number, or bytes).
Field = tuple[int, int, "int | bytes"]


def parsed(data: bytes) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    found: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag is None or not tag >> 3:
            return None
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            if value is None:
                return None
            found.append((tag >> 3, wire, value))
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            return None
        found.append((tag >> 3, wire, data[at : at + size]))
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return None, at
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    return None, at


def _encoded(value: int) -> bytes:
    value, out = value % (1 << 64), bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def written(fields: Sequence[Field]) -> bytes:
    """The message of these fields."""
    out = bytearray()
    for number, wire, value in fields:
        out += _encoded(number << 3 | wire)
        if isinstance(value, int):
            out += _encoded(value)
        else:
            out += (_encoded(len(value)) if wire == 2 else b"") + value
    return bytes(out)


def _nested(random: Random, number: int, value: bytes) -> bytes:
    """A message inside itself, over and over."""
    for _ in range(random.choice((3, 30, 120, 3000))):
        value = written([(number, 2, value)])
        if len(value) > 100_000:
            break
    return value


_TEXTS = (b"", b"\0", b"../../x", b"/dev/zero", b"\xff\xfe", b"a" * 5000, "\u202e\x1b[31m".encode())


def message(random: Random, data: bytes, depth: int = 0) -> bytes:
    """One change of some field, however deep."""
    fields = parsed(data)
    if not fields:
        return random.choice((*_TEXTS, random.choice(BYTES)(random, data)))
    place = random.randrange(len(fields))
    number, wire, value = fields[place]
    if isinstance(value, bytes) and wire == 2 and random.random() < 0.8 and depth < 40:
        fields[place] = number, wire, message(random, value, depth + 1)
        return written(fields)
    what = random.randrange(8)
    if what == 0:
        del fields[place]
    elif what == 1:
        fields[place:place] = [fields[place]] * random.choice((1, 1, 2, 50, 1000))
    elif what == 2:
        fields[place] = random.randrange(1, 200), wire, value
    elif what == 3:
        other = random.randrange(len(fields))
        fields[place], fields[other] = fields[other], fields[place]
    elif what == 4 and isinstance(value, bytes) and wire == 2:
        fields[place] = number, wire, _nested(random, number, value)
    elif isinstance(value, int):
        fields[place] = number, wire, random.choice(NUMBERS) % (1 << 64)
    elif wire == 2:
        fields[place] = number, wire, random.choice((*_TEXTS, random.choice(BYTES)(random, value)))
    else:
        fields[place] = number, wire, random.randbytes(len(value))
    return written(fields)


def grafted(random: Random, data: bytes, other: bytes) -> bytes:
    """A field of another message in the place of one of this."""
    mine, theirs = parsed(data), parsed(other)
    if not mine or not theirs:
        return data
    mine[random.randrange(len(mine))] = random.choice(theirs)
    return written(mine)


def in_messages(*suffixes: str) -> tuple[Mutator, ...]:
    """`message` and `grafted` for a file, or for those files of a folder that end so."""

    def names(case: Case) -> list[str]:
        return [] if isinstance(case, bytes) else [n for n in sorted(case) if n.endswith(suffixes)]

    def changed(random: Random, case: Case, change: Callable[[bytes], bytes]) -> Case:
        if isinstance(case, bytes):
            return change(case)
        found = names(case)
        if not found:
            return case
        name = random.choice(found)
        return {**case, name: change(case[name])}

    def field(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
        return changed(random, case, lambda data: message(random, data))

    def graft(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
        other = random.choice(seeds)
        if not isinstance(other, bytes):
            found = names(other)
            other = other[random.choice(found)] if found else b""
        theirs = other
        return changed(random, case, lambda data: grafted(random, data, theirs))

    return (*(field,) * 14, *(graft,) * 2)
