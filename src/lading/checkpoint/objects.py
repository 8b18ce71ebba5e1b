"""What a pickle program works on: its stack, its memo, and the objects that it makes.

Nothing is imported, no attribute of anything is set, no method named in the file is called, and
whatever costs more than the bytes that ask for it is charged to the file's account first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any

import numpy as np
import torch

from lading.checkpoint import rebuild
from lading.checkpoint.account import Account
from lading.checkpoint.allowed import CALLS, KEYED, VALUES
from lading.checkpoint.inert import Named, NotPlainError, Placeholder
from lading.checkpoint.keys import Keys
from lading.checkpoint.mentions import Mentions
from lading.checkpoint.names import LONGEST
from lading.checkpoint.program import Program, is_short, told
from lading.checkpoint.shown import shown
from lading.errors import CheckpointError, UnsafeFileError

#: Bytes that a tensor, any other call's result, a container and a memo entry take, roughly.
TENSOR, RESULT, CONTAINER, ENTRY = 1_000, 200, 64, 64
#: Work of a call, and bytes that are copied in a unit of work.
CALL, COPIED = 5, 500
#: An index of the memo lies below this, as in Python's own.
MAX_MEMO = 1 << 32

MARK = object()


class Objects(Program):
    """The state of one program and what its opcodes do to it."""

    def __init__(
        self,
        data: bytes | mmap,
        *,
        where: str,
        position: int = 0,
        end: int | None = None,
        account: Account | None = None,
        mentions: Mentions | None = None,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(data, where=where, position=position, end=end, account=account)
        self.mentions = mentions or Mentions()
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        #: memo entries of what waits for its state, by identity
        self.waiting: dict[int, list[int]] = {}
        self._keys = Keys(self.account)

    def charge(self, work: float = 0, size: float = 0) -> None:
        """Takes from the file's account what the opcode in hand is about to do."""
        account = self.account
        account.work -= work
        account.bytes -= size
        if account.work < 0 or account.bytes < 0:
            account.refuse(self.place())

    def _charge_copies(self, values: Iterable[Any]) -> None:
        """Charges a copy of each of `values`, none of them deeper than one level."""
        for value in values:
            if isinstance(value, (str, bytes, bytearray)):
                self.charge(len(value) / COPIED, 4 * len(value))
            elif isinstance(value, (list, tuple, dict)):
                self.charge(len(value) / 2, CONTAINER * len(value))
            elif isinstance(value, int):
                self.charge(value.bit_length() / COPIED, value.bit_length() / 8)
            elif isinstance(value, np.ndarray):
                self.charge(value.nbytes / COPIED, 16 * value.nbytes)

    # --------------------------------------------------------------------------------- stack
    def push(self, value: Any) -> None:
        """Puts `value` on the stack."""
        self.stack.append(value)

    def push_container(self, value: Any, size: int = CONTAINER) -> None:
        """The same for what takes memory of its own, `size` bytes."""
        self.charge(0, size)
        self.stack.append(value)

    def pop(self) -> Any:
        """The value on top, taken away."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.malformed("a step that takes from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        """The value on top."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.malformed("a step that looks at an empty stack")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """The values above the mark, all taken away, and the mark."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise self.malformed("a step that needs a mark, and there is none")

    def get(self, index: int) -> None:
        """Pushes an entry of the memo."""
        if index not in self.memo:
            raise self.malformed(f"memo entry {shown(index)}, which was never stored")
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        """Stores what is on top in the memo."""
        if not 0 <= index < MAX_MEMO:
            raise self.malformed(f"memo entry {shown(index)}")
        self.charge(0, ENTRY)
        value = self.memo[index] = self.top()
        if isinstance(value, rebuild.Waiting):
            self.waiting.setdefault(id(value), []).append(index)

    # ------------------------------------------------------------------------------- objects
    def named(self, module: Any, name: Any) -> Any:
        """What a mention of a name pushes: a value that it stands for, or the words."""
        if not is_short(module, LONGEST) or not is_short(name, LONGEST):
            raise self.malformed(f"a name that is {shown(module)} and {shown(name)}")
        named = Named(module, name)
        self.mentions.note(named, self.where, self.opcode_at, called=False)
        return VALUES.get(str(named), named)

    def call(self, callee: Any, args: Any, kwargs: Any = None) -> Any:
        """What a call leaves: the result of lading's own function, or a placeholder."""
        if not isinstance(args, tuple):
            raise self.malformed("arguments that are no tuple")
        if not isinstance(callee, Named):
            raise self.malformed(f"a call of {shown(callee)}, which is data")
        self.mentions.note(callee, self.where, self.opcode_at, called=True)
        self.charge(CALL, RESULT)
        if kwargs is not None:
            self._charge_copies((kwargs,))
            if not isinstance(kwargs, dict) or not all(isinstance(key, str) for key in kwargs):
                raise self.malformed("keyword arguments that are no dict of names")
        function = CALLS.get(str(callee))
        if function is None or kwargs:
            # ``object.__new__`` and its kin: the class is the first argument.
            return Placeholder(callee.module, callee.name, args, dict(kwargs or {}))
        self._charge_copies(args)
        try:
            made = function(self._checked, *args) if function in KEYED else function(*args)
        except NotPlainError:
            return Placeholder(callee.module, callee.name, args)
        except CheckpointError as problem:
            raise type(problem)(
                f"{self.place()}: {problem.subject}",
                found=problem.found,
                expected=problem.expected,
                remedy=problem.remedy,
            ) from None
        except (TypeError, ValueError, OverflowError, RuntimeError) as problem:
            found = f"{callee} with arguments it cannot take: {told(problem)}"
            raise self.malformed(found) from None
        if isinstance(made, torch.Tensor):
            self.charge(0, TENSOR)
        return made

    def _checked(self, key: Any) -> Any:
        return self._keys.check(self.where, key)

    def set_state(self, value: Any, state: Any) -> Any:
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
            self._charge_copies((state,))
            for key, item in state.items():
                self.set(value, key, item)
        elif isinstance(value, rebuild.Waiting):
            self._charge_copies(state if isinstance(state, tuple) else ())
            return rebuild.set_state(value, state)
        elif isinstance(value, Named):
            self.mentions.keep(str(value), self.where, self.opcode_at, True, "acts")
            raise self.unsafe(f"a change to {shown(value)} itself")
        else:
            raise self.malformed(f"a state for {shown(value)}")
        return value

    def unsafe(self, found: str) -> UnsafeFileError:
        """The error for a program that would act."""
        return UnsafeFileError(
            self.place(),
            found=f"{found}; nothing was run",
            expected="tensors and plain data",
            remedy="do not open this file with torch.load; ask its author for a safetensors file",
        )

    def replace(self, old: Any, new: Any) -> None:
        """Puts `new` in the place of `old` on top of the stack, and where the memo held it."""
        self.stack[-1] = new
        if new is not old:
            for index in self.waiting.pop(id(old), ()):
                if self.memo[index] is old:
                    self.memo[index] = new

    def set(self, target: Any, key: Any, value: Any) -> None:
        """Sets an entry of a dict."""
        if isinstance(target, Placeholder):
            target = target.own_entries()
        if not isinstance(target, dict):
            raise self.malformed(f"an entry for {shown(target)}")
        target[self.key(key)] = value

    def key(self, key: Any) -> Any:
        """`key`, if it may be one."""
        if type(key) is str:  # nearly all of them
            return key
        try:
            return self._keys.check(self.place(), key)
        except ValueError as problem:
            raise self.malformed(str(problem)) from None

    def extend(self, target: Any, values: list[Any]) -> None:
        """Appends to a list."""
        if isinstance(target, Placeholder):
            target = target.own_items()
        if not isinstance(target, list):
            raise self.malformed(f"items for {shown(target)}")
        target.extend(values)

    def add(self, target: Any, values: list[Any]) -> None:
        """Adds to a set."""
        if isinstance(target, Placeholder):
            target.own_items().extend(values)
        elif isinstance(target, set):
            target.update(self.key(value) for value in values)
        else:
            raise self.malformed(f"members for {shown(target)}")

    def persist(self, identity: Any) -> Any:
        """What a persistent id stands for."""
        if self.persistent is None:
            raise self.malformed("a persistent id where none can be")
        self.charge(CALL, RESULT)
        return self.persistent(identity)
