"""Pickle programs: taken apart into opcodes, changed, written from nothing, and put back.

The changes keep most of a program whole, so that they reach what stands behind the parser: calls
of listed functions with arguments that nobody meant, states for the wrong object, keys of every
kind, the same thing a hundred thousand times.
"""

from __future__ import annotations

import itertools
import pickletools
import struct
from collections.abc import Sequence
from random import Random

from lading.checkpoint.allowed import CALLS, VALUES
from lading.checkpoint.names import INERT
from tests.fuzz.kind import Case, Mutator
from tests.fuzz.mutate import NUMBERS
from tests.fuzz.zips import bytes_of, pack, unpack

Ops = list[bytes]

#: Names that a program may call: listed ones, inert ones, strangers' and those that act.
NAMES = (
    *sorted(CALLS),
    *sorted(VALUES)[:5],
    *sorted(INERT),
    *("torch.FloatStorage", "torch.nn.modules.linear.Linear", "numpy.dtypes.Float64DType"),
    *("foo.Bar", "foo.bar.Baz.qux", "requests.api.get", "os.system", "builtins.eval"),
)


def operations(data: bytes) -> Ops:
    """The opcodes of the programs in `data` with their arguments; what no longer parses is last."""
    found: Ops = []
    at = 0
    while at < len(data) and len(found) < 50_000:
        places = []
        try:
            for code, _, place in pickletools.genops(data[at:]):
                places.append(place)
                if code.code == ".":
                    places.append(place + 1)
        except Exception:
            places.append(len(data) - at)
        found += [data[at + a : at + b] for a, b in itertools.pairwise(places)]
        if len(places) < 2:
            found.append(data[at:])
            break
        at += places[-1]
    return found


def text(value: str) -> bytes:
    """An opcode that pushes `value`."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def whole(value: int) -> bytes:
    """An opcode that pushes `value`."""
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(raw)) + raw


def name(dotted: str) -> bytes:
    """An opcode that pushes the class or function `dotted`."""
    module, _, attribute = dotted.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def value(random: Random, depth: int = 3) -> bytes:
    """Opcodes that push one value, of any kind that a program can make."""
    kind = random.randrange(16 if depth else 9)
    inner = [value(random, depth - 1) for _ in range(random.randrange(4))] if kind > 8 else []
    if kind == 0:
        return random.choice((b"N", b"\x88", b"\x89", b"]", b"}", b")", b"\x8f"))
    if kind == 1:
        return whole(random.choice(NUMBERS))
    if kind == 2:
        return b"G" + random.choice((bytes(8), b"\x7f\xf0" + bytes(6), random.randbytes(8)))
    if kind == 3:
        words = (
            "",
            "w",
            "a.weight",
            "storage",
            "0",
            "cpu",
            "latin1",
            "f8",
            "O",
            "S0",
            "U3",
            "_metadata",
        )
        return text(random.choice((*words, "x" * 300, "\u202e", "\ud800", "module." * 50)))
    if kind == 4:
        raw = random.choice((b"", b"\x00" * 8, random.randbytes(16), b"x" * 1000))
        return random.choice((b"B", b"T")) + struct.pack("<I", len(raw)) + raw
    if kind == 5:
        return name(random.choice(NAMES))
    if kind == 6:
        return b"h" + bytes([random.randrange(30)])
    if kind == 7:
        return b")" + random.choice((b"\x85", b"2\x86")) * random.choice((3, 30, 3000))
    if kind == 8:
        return whole(random.choice((1, 7)) * (2**61 - 1)) if random.random() < 0.5 else whole(-1)
    if kind == 9:
        return b"(" + b"".join(inner) + b"t"
    if kind == 10:
        return b"(" + b"".join(inner) + b"l"
    if kind == 11:
        pairs = [value(random, 0) + one for one in inner]
        return b"}(" + b"".join(pairs) + b"u"
    if kind == 12:
        return b"\x8f(" + b"".join(inner) + b"\x90"
    if kind == 13:
        return b"(" + b"".join(inner) + b"\x91"
    called = name(random.choice(NAMES)) + b"(" + b"".join(inner) + b"t"
    called += random.choice((b"R", b"R", b"\x81", value(random, 0) + b"\x92"))
    return called + (value(random, depth - 1) + b"b" if kind == 15 else b"")


def changed(random: Random, data: bytes) -> bytes:
    """The program, changed at one opcode."""
    ops = operations(data)
    if not ops:
        return data
    at = random.randrange(len(ops))
    what = random.randrange(12)
    if what == 0:
        del ops[at]
    elif what == 1:
        ops.insert(at, ops[random.randrange(len(ops))])
    elif what == 2:
        other = random.randrange(len(ops))
        ops[at], ops[other] = ops[other], ops[at]
    elif what == 3:
        ops.insert(at, value(random))
    elif what == 4:  # another value in place of one
        places = [i for i, op in enumerate(ops) if op[:1] in b"NKMJGXBCUT]}\x88\x89\x8a\x8c"]
        if places:
            ops[random.choice(places)] = value(random)
    elif what == 5:  # another name
        places = [i for i, op in enumerate(ops) if op[:1] == b"c"]
        if places:
            ops[random.choice(places)] = name(random.choice(NAMES))
    elif what == 6:  # a number
        places = [i for i, op in enumerate(ops) if op[:1] in b"KMJ\x8a"]
        if places:
            ops[random.choice(places)] = whole(random.choice(NUMBERS))
    elif what == 7:  # one opcode a great many times
        ops[at] = ops[at] * random.choice((2, 100, 5_000, 100_000))
    elif what == 8:  # a piece many times
        piece = ops[at : at + random.randint(2, 12)]
        ops[at:at] = piece * random.choice((2, 50, 2_000))
    elif what == 9:  # an argument of its own
        op = ops[at]
        ops[at] = op[:1] + random.randbytes(len(op) - 1)
    elif what == 10:  # beside everything else
        ops.insert(len(ops) - 1, random.choice((b"0", b"")) + value(random))
    else:
        ops[at:at] = [name(random.choice(NAMES)), b"(", value(random), value(random), b"tR"]
    return b"".join(ops)


def written(random: Random, data: bytes) -> bytes:
    """A program from nothing: a dict of values, one of the file's own pieces among them."""
    ops = operations(data)
    count = random.randint(1, 8)
    pairs = [text(f"k{index}") + value(random, 4) + b"q" + bytes([index]) for index in range(count)]
    return b"\x80\x02}(" + b"".join(pairs) + random.choice((b"", b"".join(ops[1:-2]))) + b"u."


def behind(random: Random, data: bytes) -> bytes:
    """A second program behind the first."""
    return data + random.choice((b"", b"\x80\x04")) + value(random, 3) + b"."


PROGRAM = (changed, changed, changed, written, behind)


def in_file(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """A change of the program in a file that begins with one."""
    return random.choice(PROGRAM)(random, bytes_of(case))


def in_archive(random: Random, case: Case, seeds: Sequence[Case]) -> Case:
    """A change of ``data.pkl`` in an archive that stays right around it."""
    parts = unpack(bytes_of(case))
    places = [at for at, (entry, _) in enumerate(parts) if entry.endswith(".pkl")]
    if not places:
        return case
    at = random.choice(places)
    parts[at] = (parts[at][0], random.choice(PROGRAM)(random, parts[at][1]))
    return pack(parts, random.choice((0, 0, 8)))


#: Drawn more often than the changes of bytes.
IN_FILE: tuple[Mutator, ...] = (in_file,) * 12
IN_ARCHIVE: tuple[Mutator, ...] = (in_archive,) * 20
