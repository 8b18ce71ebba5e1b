"""The names in a pickle program that nobody is going to read, or that stopped half-way.

The machine stops where a program goes wrong, and Python's own would have called everything before.
Here a program is walked opcode by opcode with as much of its stack as names need: texts, names,
marks, and "something" for all else. Nothing is made.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from lading.checkpoint.account import BYTES, OPCODE, WORK
from lading.checkpoint.inert import Named
from lading.checkpoint.mentions import Mentions
from lading.checkpoint.names import LONGEST
from lading.checkpoint.program import Program, is_short
from lading.errors import CheckpointError

#: How the argument of an opcode is laid out, where it is a length and as many bytes.
_COUNTED = {b"T": "<i", b"U": "<B", b"X": "<I", b"B": "<I", b"C": "<B", b"\x8a": "<B",
            b"\x8b": "<i", b"\x8c": "<B", b"\x8d": "<Q", b"\x8e": "<Q", b"\x96": "<Q"}  # fmt: skip
_LINES = {b"F": 1, b"I": 1, b"L": 1, b"P": 1, b"S": 1, b"V": 1, b"g": 1, b"p": 1, b"c": 2, b"i": 2}
_FIXED = {b"J": 4, b"K": 1, b"M": 2, b"G": 8, b"h": 1, b"j": 4, b"q": 1, b"r": 4, b"\x80": 1,
          b"\x82": 1, b"\x83": 2, b"\x84": 4, b"\x95": 8}  # fmt: skip
_CALLS = {b"R": 1, b"\x81": 1, b"\x92": 2}
#: What every opcode takes from the stack and gives to it, as Python's own table says.
_EFFECTS = {one.code.encode("latin-1"): one for one in pickletools.opcodes}
_MARK, _SOMETHING = object(), object()


def sweep(program: Program, mentions: Mentions) -> bool:
    """Notes every name that the program mentions, to its end or to where it is no program.

    Returns:
        whether it came to the program's end; `program.position` is then behind it.

    >>> found = Mentions()
    >>> sweep(Program(b"cfoo\\nbar\\n)R0N", where="x"), found), list(found.strangers)
    (False, ['foo.bar'])
    """
    walk = _Walk(program, mentions)
    account = program.account
    begin, share = program.position, account.share(program.end - program.position)
    try:
        while program.position < program.end:
            at = program.opcode_at = program.position
            code = program.take(1)
            if code == b".":
                return True
            if code not in _EFFECTS:
                return False
            walk.step(code)
            read = share * (program.position - at)
            account.work += WORK * read - 1
            account.bytes += BYTES * read - OPCODE
            if account.work < 0 or account.bytes < 0:
                account.refuse(program.place())
    except (CheckpointError, struct.error):
        if account.work < 0 or account.bytes < 0:
            raise
    finally:
        account.credit -= share * (program.position - begin)
    return False


class _Walk:
    """The stack and the memo, as far as names need them."""

    def __init__(self, program: Program, mentions: Mentions) -> None:
        self.program, self.mentions = program, mentions
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self.stack.pop() if self.stack else _SOMETHING

    def top(self) -> Any:
        return self.stack[-1] if self.stack else _SOMETHING

    def note(self, module: Any, name: Any, called: bool = False) -> Any:
        if not (is_short(module, LONGEST) and is_short(name, LONGEST)):
            return _SOMETHING
        named = Named(module, name)
        self.mentions.note(named, self.program.where, self.program.opcode_at, called)
        return named

    def called(self, value: Any) -> None:
        if isinstance(value, Named):
            self.note(value.module, value.name, True)

    def acts(self, name: str) -> None:
        self.mentions.keep(name, self.program.where, self.program.opcode_at, True, "acts")

    def step(self, code: bytes) -> None:
        raw = self.argument(code)
        special = _SPECIAL.get(code)
        if special is not None:
            special(self, code, raw)
            return
        pops, pushes = _PLAIN[code]
        if pops:
            del self.stack[-pops:]
        self.stack += pushes

    def put(self, code: bytes, raw: bytes) -> None:
        index = len(self.memo) if code == b"\x94" else _index(code, raw)
        self.memo[index] = self.top()

    def text(self, code: bytes, raw: bytes) -> None:
        self.stack.append(_as_text(code, raw) if len(raw) <= LONGEST else _SOMETHING)

    def stack_global(self, code: bytes, raw: bytes) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(self.note(module, name))

    def extension(self, code: bytes, raw: bytes) -> None:
        self.acts(f"extension {int.from_bytes(raw, 'little')} of the registry")
        self.stack.append(_SOMETHING)

    def call(self, code: bytes, raw: bytes) -> None:
        taken = [self.pop() for _ in _EFFECTS[code].stack_before]
        self.called(taken[_CALLS[code]])
        self.stack.append(_SOMETHING)

    def build(self, code: bytes, raw: bytes) -> None:
        self.pop()
        if isinstance(self.top(), Named):
            self.acts(str(self.stack[-1]))

    def to_mark(self, code: bytes, raw: bytes) -> None:
        """Whatever takes all values above a mark, and some below it."""
        taken: list[Any] = []
        while self.stack and self.stack[-1] is not _MARK:
            taken.append(self.stack.pop())
        self.pop()
        effect = _EFFECTS[code]
        for _ in effect.stack_before[: effect.stack_before.index(pickletools.markobject)]:
            self.pop()
        if code == b"i":
            self.note(*_words(raw), called=True)
        elif code == b"o" and taken:
            self.called(taken[-1])
        self.stack += [_SOMETHING] * len(effect.stack_after)

    def argument(self, code: bytes) -> bytes:
        """The bytes of the opcode's argument; of two lines with the end of the first between."""
        program = self.program
        if code in _FIXED:
            return program.take(_FIXED[code])
        if code in _COUNTED:
            return program.counted(_COUNTED[code])
        if code in _LINES:
            return b"\n".join(program.line() for _ in range(_LINES[code]))
        return b""


_SPECIAL: dict[bytes, Callable[[_Walk, bytes, bytes], None]] = {
    b"(": lambda walk, code, raw: walk.stack.append(_MARK),
    b"2": lambda walk, code, raw: walk.stack.append(walk.top()),
    b"c": lambda walk, code, raw: walk.stack.append(walk.note(*_words(raw))),
    b"\x93": _Walk.stack_global,
    b"b": _Walk.build,
    **dict.fromkeys((b"q", b"r", b"p", b"\x94"), _Walk.put),
    **dict.fromkeys(
        (b"h", b"j", b"g"),
        lambda walk, code, raw: walk.stack.append(walk.memo.get(_index(code, raw), _SOMETHING)),
    ),
    **dict.fromkeys((b"S", b"T", b"U", b"V", b"X", b"\x8c", b"\x8d"), _Walk.text),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), _Walk.extension),
    **dict.fromkeys(_CALLS, _Walk.call),
    **{
        code: _Walk.to_mark
        for code, effect in _EFFECTS.items()
        if pickletools.markobject in effect.stack_before
    },
}
#: Of every other opcode: how many values it takes, and what it leaves.
_PLAIN = {
    code: (len(effect.stack_before), [_SOMETHING] * len(effect.stack_after))
    for code, effect in _EFFECTS.items()
    if code not in _SPECIAL
}


def _index(code: bytes, raw: bytes) -> int:
    if code in b"gp":
        return int(raw) if raw.isdigit() and len(raw) < 12 else -1
    return int.from_bytes(raw, "little")


def _as_text(code: bytes, raw: bytes) -> str:
    if code == b"S":
        return raw.strip(b"'\"").decode("latin-1")
    if code == b"V":
        return raw.decode("raw-unicode-escape", "replace")
    return raw.decode("utf-8" if code in b"X\x8c\x8d" else "latin-1", "replace")


def _words(raw: bytes) -> tuple[str, str]:
    module, _, name = raw.partition(b"\n")
    return module.decode("utf-8", "replace"), name.decode("utf-8", "replace")
