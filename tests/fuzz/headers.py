"""Texts in a file: a safetensors header, JSON beside a checkpoint, a configuration."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.fuzz.kind import Case, Mutator
from tests.fuzz.mutate import NUMBERS
from tests.fuzz.zips import bytes_of

_DTYPES = [
    "F32",
    "F16",
    "BF16",
    "F64",
    "I8",
    "U8",
    "I64",
    "U64",
    "BOOL",
    "C64",
    "F8_E4M3",
    "F7",
    "",
]


def odd(random: Random, depth: int = 2) -> Any:
    """A JSON value that is seldom meant."""
    if depth and random.random() < 0.4:
        inner = [odd(random, depth - 1) for _ in range(random.randrange(4))]
        keys = ("a", "shape", "dtype", "__metadata__", "", "x" * 300, "\u202e", "\ud800")
        return inner if random.random() < 0.5 else {random.choice(keys): one for one in inner}
    return random.choice((None, True, -1, 0.5, 1e308, float("nan"), "", "text", *NUMBERS))


def _leaves(value: Any) -> list[tuple[Any, Any]]:
    """Every place in `value`, as a container and a key, in order; not deeper than a user writes."""
    found, waiting = [], [value]
    while waiting and len(found) < 5000:
        one = waiting.pop()
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        for key, inner in list(pairs):
            found.append((one, key))
            if isinstance(inner, (dict, list)):
                waiting.append(inner)
    return found


def changed(random: Random, raw: bytes) -> bytes:
    """JSON with another value, a key more or less, a key twice, or nested without end."""
    try:
        value = json.loads(raw)
        places = _leaves(value) if isinstance(value, (dict, list)) else []
    except (ValueError, RecursionError):
        places = []
    if not places:
        return raw
    holder, key = random.choice(places)
    what = random.randrange(6)
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder[random.choice(("a", "b", "shape", str(key) + "x"))] = holder.pop(key)
    elif what == 2:
        holder[key] = "@deep@"
    else:
        holder[key] = odd(random)
    out = json.dumps(value)
    depth = random.choice((50, 500, 5_000, 200_000))
    out = out.replace('"@deep@"', "[" * depth + "]" * depth if depth % 3 else '{"a":' * depth)
    if what == 5:
        out = out.replace("{", '{"a":1,"a":2,', 1)
    return out.encode("utf-8", "surrogatepass")


def header(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """A safetensors header changed, its length right (mostly)."""
    data = bytes_of(case)
    length = int.from_bytes(data[:8], "little")
    if length > len(data):
        return case
    text, rest = data[8 : 8 + length], data[8 + length :]
    try:
        fields = json.loads(text)
        names = [name for name in fields if name != "__metadata__"]
        entry = fields[random.choice(names)]
        what = random.randrange(5)
        if what == 0:
            entry["data_offsets"][random.randrange(2)] = random.choice(NUMBERS)
        elif what == 1:
            entry["shape"] = random.choice(
                ([0], [0, 2**62], [1] * 64, [1] * 65, [-1], [2.0], [2**40])
            )
        elif what == 2:
            entry["dtype"] = random.choice(_DTYPES)
        elif what == 3:
            entry["shape"].insert(0, random.choice((0, 1, 1, 2)))
        else:
            raise ValueError
        text = json.dumps(fields).encode()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        text = changed(random, text)
    claimed = len(text) if random.random() < 0.9 else random.choice(NUMBERS) % 2**64
    return struct.pack("<Q", claimed) + text + rest


def _beside(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    if isinstance(case, bytes):
        return case
    names = [name for name in sorted(case) if name.endswith(".json")]
    if not names:
        return case
    name = random.choice(names)
    return {**case, name: changed(random, case[name])}


_LINES: tuple[Callable[[Random], str], ...] = (
    lambda random: f"k{random.randrange(9)}: {json.dumps(odd(random, 3))}",
    lambda random: "a: &a [x, x]\n" + "".join(f"a{k}: &a{k} [*a, *a]\n" for k in range(30)),
    lambda random: (
        "b0: &b0 {x: 1}\n"
        + "".join(f"b{k}: &b{k}\n  <<: [*b{k - 1}, *b{k - 1}]\n" for k in range(1, 40))
    ),
    lambda random: (
        "c0: &c0 [1]\n" + "".join(f"c{k}: &c{k} [*c{k - 1}, *c{k - 1}]\n" for k in range(1, 60))
    ),
    lambda random: "d: " + "[" * random.choice((10, 90, 900, 20_000)),
    lambda random: "\n".join(f"e{k}: {k}" for k in range(random.choice((10, 3000, 50_000)))),
    lambda random: "f: " + ":".join(["59"] * random.choice((2, 100, 20_000))),
    lambda random: "g: " + "9" * random.choice((10, 1000, 5000, 100_000)),
    lambda random: "h: &h [*h]",
    lambda random: "? " * random.choice((3, 300, 5000)) + "x",
    lambda random: "- " * random.choice((3, 300, 5000)) + "x",
    lambda random: random.choice(
        ("i: !!python/object/apply:os.system [x]", "i: !!binary xx", "%YAML 9.9")
    ),
    lambda random: random.choice(
        ("j: 2024-99-99", "j: 0001-01-01T99:99:99", "j: !!int x", "j: !!float ''")
    ),
    lambda random: random.choice(
        ("{}: 1", "[a]: 1", "? {a: b}\n: 1", "~: 1", "1: 1", "=: 1", "<<: 1")
    ),
    lambda random: random.choice(
        ("k: !!set {a, b}", "k: !!omap [a: 1]", "k: !!pairs [1]", "--- 1\n--- 2")
    ),
    lambda random: 'l: "' + "\\x41" * random.choice((1, 20_000)) + random.choice(('"', "")),
)


def lines(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """Lines of YAML before or behind the file's own."""
    made = random.choice(_LINES)(random).encode("utf-8", "surrogatepass")
    data = bytes_of(case)
    return data + b"\n" + made if random.random() < 0.5 else made + b"\n" + data


def as_json(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """The file as JSON, changed."""
    return changed(random, bytes_of(case))


HEADER: tuple[Mutator, ...] = (header,) * 16
SIDES: tuple[Mutator, ...] = (_beside,) * 10
CONFIGURATION: tuple[Mutator, ...] = (*(lines,) * 8, *(as_json,) * 4)
