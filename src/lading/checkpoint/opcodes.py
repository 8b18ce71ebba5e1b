"""The opcodes of pickle protocols 0 to 5, each by what it does to the objects."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any

from lading.checkpoint.objects import MARK, Objects
from lading.checkpoint.program import MAX_DIGITS, old_text, text, whole

#: Bytes of an empty set, which is the largest of the empty containers.
_SET = 216


def _pop_any(m: Objects) -> None:
    if not m.stack:
        raise m.malformed("a step that takes from an empty stack")
    m.stack.pop()


def _int(m: Objects) -> None:
    """Protocol 0 writes truth as ``I00`` and ``I01``."""
    line = m.data[m.position : m.position + 3]
    if line in (b"00\n", b"01\n"):
        m.position += 3
        m.push(line == b"01\n")
    else:
        m.push(m.digits())


def _float(m: Objects) -> None:
    line = m.line()
    if len(line) > MAX_DIGITS:
        raise m.malformed(f"a number of {len(line):,} digits")
    m.push(float(line))


def _string(m: Objects) -> None:
    line = m.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise m.malformed("a text without quotes")
    m.push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))


def _global(m: Objects) -> None:
    m.push(m.named(*m.words()))


def _stack_global(m: Objects) -> None:
    name, module = m.pop(), m.pop()
    m.push(m.named(module, name))


def _inst(m: Objects) -> None:
    words = m.words()
    args = tuple(m.since_mark())
    m.push(m.call(m.named(*words), args))


def _obj(m: Objects) -> None:
    values = m.since_mark()
    if not values:
        raise m.malformed("a class instance without a class")
    m.push(m.call(values[0], tuple(values[1:])))


def _reduce(m: Objects) -> None:
    args, callee = m.pop(), m.pop()
    m.push(m.call(callee, args))


def _newobj_ex(m: Objects) -> None:
    kwargs, args, callee = m.pop(), m.pop(), m.pop()
    m.push(m.call(callee, args, kwargs))


def _build(m: Objects) -> None:
    state, value = m.pop(), m.top()
    m.replace(value, m.set_state(value, state))


def _extension(layout: str) -> Callable[[Objects], None]:
    def extension(m: Objects) -> None:
        name = f"extension {m.number(layout)} of the registry"
        m.mentions.keep(name, m.where, m.opcode_at, False, "acts")
        raise m.unsafe("a name from the extension registry of the program that wrote the file")

    return extension


def _buffer(m: Objects) -> None:
    raise m.malformed("a buffer that lies outside the file")


def _append(m: Objects) -> None:
    value = m.pop()
    m.extend(m.top(), [value])


def _appends(m: Objects) -> None:
    values = m.since_mark()
    m.extend(m.top(), values)


def _set_item(m: Objects) -> None:
    value, key = m.pop(), m.pop()
    m.set(m.top(), key, value)


def _pairs(m: Objects) -> zip[tuple[Any, Any]]:
    values = m.since_mark()
    if len(values) % 2:
        raise m.malformed("a key without a value")
    return zip(values[::2], values[1::2], strict=True)


def _set_items(m: Objects) -> None:
    pairs, target = _pairs(m), m.top()
    for key, value in pairs:
        m.set(target, key, value)


def _dict(m: Objects) -> None:
    made: dict[Any, Any] = {}
    for key, value in _pairs(m):
        m.set(made, key, value)
    m.push_container(made)


def _add_items(m: Objects) -> None:
    values = m.since_mark()
    m.add(m.top(), values)


def _frozen_set(m: Objects) -> None:
    m.push_container(frozenset(m.key(value) for value in m.since_mark()), _SET)


def _tuple(count: int) -> Callable[[Objects], None]:
    def tuple_(m: Objects) -> None:
        values = tuple(m.stack[-count:])
        if len(values) < count or any(value is MARK for value in values):
            raise m.malformed("a step that takes from an empty stack")
        del m.stack[-count:]
        m.push_container(values)

    return tuple_


def _frame(m: Objects) -> None:
    m.take(8)  # frames only tell a reader how far to read ahead


def _proto(m: Objects) -> None:
    version = m.number("<B")
    if version > 5:
        raise m.malformed(f"pickle protocol {version}")


ACTIONS: dict[bytes, Callable[[Objects], None]] = {
    b"(": lambda m: m.push(MARK),
    b"0": _pop_any,
    b"1": lambda m: m.since_mark().clear(),
    b"2": lambda m: m.push(m.top()),
    b"F": _float,
    b"I": _int,
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"L": lambda m: m.push(m.digits()),
    b"M": lambda m: m.push(m.number("<H")),
    b"N": lambda m: m.push(None),
    b"P": lambda m: m.push(m.persist(m.line().decode("ascii"))),
    b"Q": lambda m: m.push(m.persist(m.pop())),
    b"R": _reduce,
    b"S": _string,
    b"T": lambda m: m.push(old_text(m.counted("<i"))),
    b"U": lambda m: m.push(old_text(m.counted("<B"))),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"X": lambda m: m.push(text(m.counted("<I"))),
    b"a": _append,
    b"b": _build,
    b"c": _global,
    b"d": _dict,
    b"}": lambda m: m.push_container({}),
    b"e": _appends,
    b"g": lambda m: m.get(m.digits()),
    b"h": lambda m: m.get(m.number("<B")),
    b"i": _inst,
    b"j": lambda m: m.get(m.number("<I")),
    b"l": lambda m: m.push_container(m.since_mark()),
    b"]": lambda m: m.push_container([]),
    b"o": _obj,
    b"p": lambda m: m.put(m.digits()),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"s": _set_item,
    b"t": lambda m: m.push_container(tuple(m.since_mark())),
    b")": lambda m: m.push(()),
    b"u": _set_items,
    b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    b"\x80": _proto,
    b"\x81": _reduce,
    b"\x82": _extension("<B"),
    b"\x83": _extension("<H"),
    b"\x84": _extension("<i"),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"\x8a": lambda m: m.push(whole(m.counted("<B"))),
    b"\x8b": lambda m: m.push(whole(m.counted("<i"))),
    b"B": lambda m: m.push(m.counted("<I")),
    b"C": lambda m: m.push(m.counted("<B")),
    b"\x8c": lambda m: m.push(text(m.counted("<B"))),
    b"\x8d": lambda m: m.push(text(m.counted("<Q"))),
    b"\x8e": lambda m: m.push(m.counted("<Q")),
    b"\x8f": lambda m: m.push_container(set(), _SET),
    b"\x90": _add_items,
    b"\x91": _frozen_set,
    b"\x92": _newobj_ex,
    b"\x93": _stack_global,
    b"\x94": lambda m: m.put(len(m.memo)),
    b"\x95": _frame,
    b"\x96": lambda m: m.push(bytearray(m.counted("<Q"))),
    b"\x97": _buffer,
    b"\x98": _buffer,
}
