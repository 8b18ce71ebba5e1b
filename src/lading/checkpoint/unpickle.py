"""A pickle machine that runs nothing: data in, data out.

A pickle is a program for a stack machine, and Python's own machine imports and calls whatever the
file names. This one knows every opcode of protocols 0 to 5 and calls only the functions listed in
`lading.checkpoint.allowed`, which are lading's own. A name is met in one of three ways:

1. it is listed: lading's own function makes plain data or a tensor;
2. it is a class that lading does not know: it stays an inert `Placeholder` that keeps the name,
   the arguments and the state, so that the rest of the file still reads;
3. it could act (``os.system``, ``builtins.eval``, ...): `UnsafeFileError`, at once.

Nothing is imported, no attribute of anything is set, no method named in the file is called.
"""

from __future__ import annotations

import codecs
import struct
from collections import OrderedDict
from collections.abc import Callable
from mmap import mmap
from typing import Any

import numpy as np

from lading.checkpoint import rebuild
from lading.checkpoint.allowed import CALLS, VALUES, is_harmless
from lading.checkpoint.inert import Named, NotPlainError, Placeholder
from lading.errors import CheckpointError, LadingError, UnsafeFileError

#: A genuine file needs about a hundred opcodes a tensor; each can make an object.
MAX_OPCODES = 10_000_000
#: Digits of a number written as text; more takes quadratic time to read.
MAX_DIGITS = 4_000
#: Whole numbers as keys lie below this.
MAX_KEY = 1 << 60


_MARK = object()


class Machine:
    """One pickle program, run over `data` from `position`.

    Args:
        data: the bytes.
        position: where the program begins; afterwards, where it ended.
        where: how errors call the place, e.g. ``"model.pth, entry data.pkl"``.
        persistent: gives the object for a persistent id (a storage, in torch's files).
    """

    def __init__(
        self,
        data: bytes | mmap,
        *,
        position: int = 0,
        where: str,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.data = data
        self.position = position
        self.where = where
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        #: memo entries of what waits for its state, by identity
        self.waiting: dict[int, list[int]] = {}
        self.opcode_at = position

    # ------------------------------------------------------------------------------ the loop
    def run(self) -> Any:
        """The object that the program leaves.

        Raises:
            UnsafeFileError: the program names something that could act.
            CheckpointError: it is cut short, malformed or far too long.
        """
        try:
            for _ in range(MAX_OPCODES):
                self.opcode_at = self.position
                code = self._take(1)
                if code == b".":
                    value = self._pop()
                    if self.stack:
                        raise self.malformed("objects left over at the end")
                    return value
                action = _ACTIONS.get(code)
                if action is None:
                    raise self.malformed(f"byte 0x{code.hex()}, which is no pickle opcode")
                action(self)
        except LadingError:
            raise
        except (ValueError, TypeError, LookupError, OverflowError, struct.error) as problem:
            raise self.malformed(f"{type(problem).__name__}: {str(problem)[:200]}") from None
        raise UnsafeFileError(
            self._place(),
            found=f"a pickle of more than {MAX_OPCODES:,} steps",
            expected="the structure of a checkpoint, about a hundred steps a tensor",
            remedy="save the state dict alone: torch.save(model.state_dict(), path)",
        )

    def malformed(self, found: str) -> CheckpointError:
        """The error for a program that no pickler writes."""
        return CheckpointError(
            self._place(),
            found=found,
            expected="a complete pickle as torch.save writes it",
            remedy="copy or download the file again; if it stays so, save it again",
        )

    def unsafe(self, found: str) -> UnsafeFileError:
        """The error for a program that would act."""
        return UnsafeFileError(
            self._place(),
            found=f"{found}; nothing was run",
            expected="tensors and plain data",
            remedy="do not open this file with torch.load; ask its author for a safetensors file",
        )

    def _place(self) -> str:
        return f"{self.where}, byte {self.opcode_at}"

    # --------------------------------------------------------------------------------- bytes
    def _take(self, count: int) -> bytes:
        end = self.position + count
        # Sizes are compared before anything is allocated.
        if count < 0 or end > len(self.data):
            raise self.malformed(
                f"the end of the data where {count:,} more bytes should be"
                if count >= 0
                else f"a length of {count}"
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise self.malformed("the end of the data inside a line")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def _number(self, layout: str) -> int:
        (number,) = struct.unpack(layout, self._take(struct.calcsize(layout)))
        return int(number)

    # --------------------------------------------------------------------------------- stack
    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.malformed("a step that takes from an empty stack")
        return self.stack.pop()

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.malformed("a step that looks at an empty stack")
        return self.stack[-1]

    def _since_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise self.malformed("a step that needs a mark, and there is none")

    def _get(self, index: int) -> None:
        if index not in self.memo:
            raise self.malformed(f"memo entry {index}, which was never stored")
        self._push(self.memo[index])

    def _put(self, index: int) -> None:
        value = self.memo[index] = self._top()
        if isinstance(value, rebuild.Waiting):
            self.waiting.setdefault(id(value), []).append(index)

    # ------------------------------------------------------------------------------- objects
    def _named(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise self.malformed("a name that is no text")
        if not module or not name:
            raise self.malformed("an empty name")
        named = Named(module, name)
        if not is_harmless(named):
            raise self.unsafe(f"{named}, which could act when it is called")
        return VALUES.get(str(named), named)

    def _call(self, callee: Any, args: Any, kwargs: Any = None) -> Any:
        if not isinstance(args, tuple):
            raise self.malformed("arguments that are no tuple")
        if kwargs is not None and not (
            isinstance(kwargs, dict) and all(isinstance(key, str) for key in kwargs)
        ):
            raise self.malformed("keyword arguments that are no dict of names")
        if not isinstance(callee, Named):
            raise self.malformed(f"a call of a {type(callee).__name__}, which is data")
        function = CALLS.get(str(callee))
        if function is None or kwargs:
            # ``object.__new__`` and its kin: the class is the first argument.
            return Placeholder(callee.module, callee.name, args, dict(kwargs or {}))
        try:
            return function(*args)
        except NotPlainError:
            return Placeholder(callee.module, callee.name, args)
        except CheckpointError as problem:
            raise type(problem)(
                f"{self._place()}: {problem.subject}",
                found=problem.found,
                expected=problem.expected,
                remedy=problem.remedy,
            ) from None
        except (TypeError, ValueError, OverflowError, RuntimeError) as problem:
            raise self.malformed(f"{callee} with arguments it cannot take: {problem}") from None

    def _set_state(self, value: Any, state: Any) -> Any:
        """What BUILD leaves: `value` with `state`, or another object in its place."""
        if isinstance(value, Placeholder):
            value.state = state
        elif isinstance(value, OrderedDict):
            # torch's state dicts carry module versions in `_metadata`; any other attribute could
            # hide a method of the dict, and none is known.
            if isinstance(state, dict) and isinstance(state.get("_metadata"), dict):
                vars(value)["_metadata"] = state["_metadata"]
        elif isinstance(value, dict):
            if not isinstance(state, dict):
                raise self.malformed("a namespace whose state is no dict")
            for key, item in state.items():
                self._set(value, key, item)
        elif isinstance(value, rebuild.Waiting):
            return rebuild.set_state(value, state)
        elif isinstance(value, Named):
            raise self.unsafe(f"a change to {value} itself")
        else:
            raise self.malformed(f"a state for a {type(value).__name__}")
        return value

    def _replace(self, old: Any, new: Any) -> None:
        self.stack[-1] = new
        if new is not old:
            for index in self.waiting.pop(id(old), ()):
                if self.memo[index] is old:
                    self.memo[index] = new

    def _set(self, target: Any, key: Any, value: Any) -> None:
        if isinstance(target, Placeholder):
            target = target.entries
        if not isinstance(target, dict):
            raise self.malformed(f"an entry for a {type(target).__name__}")
        target[self._key(key)] = value

    def _key(self, key: Any) -> Any:
        # Hashing recurses in C: a deep tuple would overflow the stack. Two levels do for people.
        if not _plain_key(key, 2):
            raise self.malformed(f"a {type(key).__name__} as a key")
        return key

    def _extend(self, target: Any, values: list[Any]) -> None:
        if isinstance(target, Placeholder):
            target = target.items
        if not isinstance(target, list):
            raise self.malformed(f"items for a {type(target).__name__}")
        target.extend(values)

    def _pairs(self, values: list[Any]) -> list[tuple[Any, Any]]:
        if len(values) % 2:
            raise self.malformed("a key without a value")
        return list(zip(values[::2], values[1::2], strict=True))

    def _persist(self, identity: Any) -> Any:
        if self.persistent is None:
            raise self.malformed("a persistent id where none can be")
        return self.persistent(identity)

    # ------------------------------------------------------------------------------- actions
    def op_pop(self) -> None:
        if not self.stack:
            raise self.malformed("a step that takes from an empty stack")
        self.stack.pop()

    def op_pop_mark(self) -> None:
        self._since_mark()

    def op_frame(self) -> None:
        self._number("<Q")  # frames only tell a reader how far to read ahead

    def op_int(self) -> None:
        text = self._line()
        self._push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else _int(text))

    def op_string(self) -> None:
        text = self._line()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
            raise self.malformed("a text without quotes")
        self._push(codecs.escape_decode(text[1:-1])[0].decode("latin-1"))

    def op_global(self) -> None:
        module, name = self._line().decode("utf-8"), self._line().decode("utf-8")
        self._push(self._named(module, name))

    def op_stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push(self._named(module, name))

    def op_inst(self) -> None:
        module, name = self._line().decode("utf-8"), self._line().decode("utf-8")
        args = tuple(self._since_mark())
        self._push(self._call(self._named(module, name), args))

    def op_obj(self) -> None:
        values = self._since_mark()
        if not values:
            raise self.malformed("a class instance without a class")
        self._push(self._call(values[0], tuple(values[1:])))

    def op_reduce(self) -> None:
        args, callee = self._pop(), self._pop()
        self._push(self._call(callee, args))

    def op_newobj_ex(self) -> None:
        kwargs, args, callee = self._pop(), self._pop(), self._pop()
        self._push(self._call(callee, args, kwargs))

    def op_build(self) -> None:
        state, value = self._pop(), self._top()
        self._replace(value, self._set_state(value, state))

    def op_extension(self) -> None:
        raise self.unsafe("a name from the extension registry of the program that wrote the file")

    def op_buffer(self) -> None:
        raise self.malformed("a buffer that lies outside the file")

    def op_append(self) -> None:
        value = self._pop()
        self._extend(self._top(), [value])

    def op_appends(self) -> None:
        values = self._since_mark()
        self._extend(self._top(), values)

    def op_set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set(self._top(), key, value)

    def op_set_items(self) -> None:
        pairs = self._pairs(self._since_mark())
        target = self._top()
        for key, value in pairs:
            self._set(target, key, value)

    def op_dict(self) -> None:
        made: dict[Any, Any] = {}
        for key, value in self._pairs(self._since_mark()):
            self._set(made, key, value)
        self._push(made)

    def op_add_items(self) -> None:
        values, target = self._since_mark(), self._top()
        if isinstance(target, Placeholder):
            target.items.extend(values)
        elif isinstance(target, set):
            target.update(self._key(value) for value in values)
        else:
            raise self.malformed(f"members for a {type(target).__name__}")

    def op_tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(values)))

    def op_proto(self) -> None:
        version = self._number("<B")
        if version > 5:
            raise self.malformed(f"pickle protocol {version}")


def _plain_key(key: Any, depth: int) -> bool:
    if isinstance(key, tuple):
        return depth > 0 and len(key) <= 64 and all(_plain_key(one, depth - 1) for one in key)
    if isinstance(key, int):
        # Beyond it Python's hashes repeat at will, and a dict takes quadratic time.
        return -MAX_KEY < key < MAX_KEY
    return not isinstance(key, (list, dict, set, frozenset, np.ndarray, bytearray))


def _int(text: bytes) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _old_text(raw: bytes) -> str:
    """Python 2's byte strings: latin-1 loses nothing, and arrays come in them too."""
    return raw.decode("latin-1")


_ACTIONS: dict[bytes, Callable[[Machine], None]] = {
    b"(": lambda m: m._push(_MARK),
    b"0": Machine.op_pop,
    b"1": Machine.op_pop_mark,
    b"2": lambda m: m._push(m._top()),
    b"F": lambda m: m._push(float(m._line())),
    b"I": Machine.op_int,
    b"J": lambda m: m._push(m._number("<i")),
    b"K": lambda m: m._push(m._number("<B")),
    b"L": lambda m: m._push(_int(m._line().rstrip(b"L"))),
    b"M": lambda m: m._push(m._number("<H")),
    b"N": lambda m: m._push(None),
    b"P": lambda m: m._push(m._persist(m._line().decode("ascii"))),
    b"Q": lambda m: m._push(m._persist(m._pop())),
    b"R": Machine.op_reduce,
    b"S": Machine.op_string,
    b"T": lambda m: m._push(_old_text(m._take(m._number("<i")))),
    b"U": lambda m: m._push(_old_text(m._take(m._number("<B")))),
    b"V": lambda m: m._push(m._line().decode("raw-unicode-escape")),
    b"X": lambda m: m._push(_text(m._take(m._number("<I")))),
    b"a": Machine.op_append,
    b"b": Machine.op_build,
    b"c": Machine.op_global,
    b"d": Machine.op_dict,
    b"}": lambda m: m._push({}),
    b"e": Machine.op_appends,
    b"g": lambda m: m._get(_int(m._line())),
    b"h": lambda m: m._get(m._number("<B")),
    b"i": Machine.op_inst,
    b"j": lambda m: m._get(m._number("<I")),
    b"l": lambda m: m._push(m._since_mark()),
    b"]": lambda m: m._push([]),
    b"o": Machine.op_obj,
    b"p": lambda m: m._put(_int(m._line())),
    b"q": lambda m: m._put(m._number("<B")),
    b"r": lambda m: m._put(m._number("<I")),
    b"s": Machine.op_set_item,
    b"t": lambda m: m._push(tuple(m._since_mark())),
    b")": lambda m: m._push(()),
    b"u": Machine.op_set_items,
    b"G": lambda m: m._push(struct.unpack(">d", m._take(8))[0]),
    b"\x80": Machine.op_proto,
    b"\x81": Machine.op_reduce,
    b"\x82": Machine.op_extension,
    b"\x83": Machine.op_extension,
    b"\x84": Machine.op_extension,
    b"\x85": lambda m: m.op_tuple(1),
    b"\x86": lambda m: m.op_tuple(2),
    b"\x87": lambda m: m.op_tuple(3),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"\x8a": lambda m: m._push(_long(m._take(m._number("<B")))),
    b"\x8b": lambda m: m._push(_long(m._take(m._number("<i")))),
    b"B": lambda m: m._push(m._take(m._number("<I"))),
    b"C": lambda m: m._push(m._take(m._number("<B"))),
    b"\x8c": lambda m: m._push(_text(m._take(m._number("<B")))),
    b"\x8d": lambda m: m._push(_text(m._take(m._number("<Q")))),
    b"\x8e": lambda m: m._push(m._take(m._number("<Q"))),
    b"\x8f": lambda m: m._push(set()),
    b"\x90": Machine.op_add_items,
    b"\x91": lambda m: m._push(frozenset(m._key(one) for one in m._since_mark())),
    b"\x92": Machine.op_newobj_ex,
    b"\x93": Machine.op_stack_global,
    b"\x94": lambda m: m._put(len(m.memo)),
    b"\x95": Machine.op_frame,
    b"\x96": lambda m: m._push(bytearray(m._take(m._number("<Q")))),
    b"\x97": Machine.op_buffer,
    b"\x98": Machine.op_buffer,
}
