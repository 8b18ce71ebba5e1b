"""The bytes of a pickle program: taken from the front, never beyond their end."""

from __future__ import annotations

import struct
from mmap import mmap
from typing import Any

from lading.checkpoint.account import Account
from lading.errors import CheckpointError

#: Digits of a number written as text; more takes quadratic time to read.
MAX_DIGITS = 4_000


class Program:
    """A program over `data` from `position` to `end`.

    Attributes:
        position: the next byte; afterwards, where the program ended.
        opcode_at: where the opcode in hand began.
        where: how errors call the place, e.g. ``"model.pth, entry data.pkl"``.
        account: what the file may cost.
    """

    def __init__(
        self,
        data: bytes | mmap,
        *,
        where: str,
        position: int = 0,
        end: int | None = None,
        account: Account | None = None,
    ) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.where = where
        self.account = account or Account(self.end - position)
        self.opcode_at = position

    def place(self) -> str:
        """The opcode in hand, for an error."""
        return f"{self.where}, byte {self.opcode_at}"

    def malformed(self, found: str) -> CheckpointError:
        """The error for a program that no pickler writes."""
        return CheckpointError(
            self.place(),
            found=found,
            expected="a complete pickle as torch.save writes it",
            remedy="copy or download the file again; if it stays so, save it again",
        )

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        # Sizes are compared before anything is allocated.
        if count < 0 or end > self.end:
            raise self.malformed(
                f"the end of the data where {count:,} more bytes should be"
                if count >= 0
                else f"a length of {count}"
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def line(self) -> bytes:
        """The bytes before the next end of a line."""
        end = self.data.find(b"\n", self.position, self.end)
        if end < 0:
            raise self.malformed("the end of the data inside a line")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def number(self, layout: str) -> int:
        """The next number, laid out as `struct` says."""
        (number,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(number)

    def counted(self, layout: str) -> bytes:
        """A length, and as many bytes."""
        return self.take(self.number(layout))

    def digits(self) -> int:
        """A line as a whole number."""
        text = self.line().rstrip(b"L")
        if len(text) > MAX_DIGITS:
            raise self.malformed(f"a number of {len(text):,} digits")
        return int(text)

    def words(self) -> tuple[str, str]:
        """Two lines as a module and a name."""
        return self.line().decode("utf-8"), self.line().decode("utf-8")


def told(problem: Exception) -> str:
    """What an exception of Python's says, in bounded words: never the repr of what a file made."""
    text = problem.args[0] if problem.args and isinstance(problem.args[0], str) else ""
    return f"{type(problem).__name__}: {text[:200]}" if text else type(problem).__name__


def whole(raw: bytes) -> int:
    """A whole number as a pickle writes it."""
    return int.from_bytes(raw, "little", signed=True)


def text(raw: bytes) -> str:
    """A text as a pickle writes it."""
    return raw.decode("utf-8", "surrogatepass")


def old_text(raw: bytes) -> str:
    """Python 2's byte strings: latin-1 loses nothing, and arrays come in them too."""
    return raw.decode("latin-1")


def is_short(value: Any, longest: int) -> bool:
    """Whether `value` is a text of at most `longest` characters, and not empty."""
    return isinstance(value, str) and 0 < len(value) <= longest
