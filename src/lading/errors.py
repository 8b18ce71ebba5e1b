"""Every exception that lading raises, one tree.

An error names four things: the *subject* (what, where), what was *found*, what was *expected*, and
the *remedy* (what to do now). The command line prints exactly these and leaves with the error's
``exit_status``; nobody sees a traceback for a file that is merely wrong.

>>> print(RequestError("--ios 12", found="12", expected="15, 16, 17 or 18", remedy="use --ios 16"))
--ios 12
  found     12
  expected  15, 16, 17 or 18
  remedy    use --ios 16
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

#: Characters of one string from a file that people are shown.
MOST = 2000


def clipped(text: str) -> str:
    """The beginning of a text that is longer than anybody reads; a file may hold a name of 100 MB.

    >>> clipped("a" * 3000)[1996:]
    'aaaa… (3,000 characters)'
    >>> clipped(clipped("a" * 3000)) == clipped("a" * 3000)
    True
    """
    if len(text) <= MOST + 40:
        return text
    return f"{text[:MOST]}… ({len(text):,} characters)"


class LadingError(Exception):
    """Root of the tree; a part of its message is no longer than `clipped` leaves it.

    Args:
        subject: what the error is about and where it lies (a path, a tensor name, an op).
        found: what was there.
        expected: what should have been there.
        remedy: what the user can do about it, as a sentence or a command.
    """

    #: 2: the request or the input was wrong; 1: the work was done and its result is not equal.
    exit_status = 2

    def __init__(self, subject: str, *, found: str, expected: str, remedy: str) -> None:
        self.subject = clipped(subject)
        self.found = clipped(found)
        self.expected = clipped(expected)
        self.remedy = clipped(remedy)
        super().__init__(self.subject)

    def __str__(self) -> str:
        rows = (("found", self.found), ("expected", self.expected), ("remedy", self.remedy))
        return "\n".join([self.subject, *(f"  {name:<9} {text}" for name, text in rows)])

    def as_dict(self) -> dict[str, str]:
        """The four parts and the class name, for ``--json``."""
        return {
            "error": type(self).__name__,
            "subject": self.subject,
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.as_dict())


@contextmanager
def refused(
    kind: type[LadingError], subject: str, expected: str, remedy: str = "copy or make it again"
) -> Iterator[None]:
    """Within it whatever a damaged file makes of a parser is an error of the given kind.

    >>> with refused(InputError, "a.npy", "an array"):
    ...     [].pop()
    Traceback (most recent call last):
    lading.errors.InputError: a.npy
      found     IndexError: pop from empty list
      expected  an array
      remedy    copy or make it again
    """
    try:
        yield
    except LadingError:
        raise
    except Exception as error:
        raise kind(subject, found=in_short(error), expected=expected, remedy=remedy) from error


def in_short(error: BaseException) -> str:
    """An exception's kind and the beginning of what it says, on one line.

    >>> in_short(KeyError("a")), in_short(MemoryError())
    ("KeyError: 'a'", 'MemoryError')
    """
    text = " ".join(str(error)[:1000].split())
    return f"{type(error).__name__}: {text}"[:300].removesuffix(": ")


#: What the system says where nothing more can be written.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def unforeseen(error: BaseException) -> LadingError:
    """What lading did not foresee, as an error of its own.

    >>> print(unforeseen(RecursionError("maximum recursion depth exceeded")))
    an error that lading did not foresee
      found     RecursionError: maximum recursion depth exceeded
      expected  files that are whole and of their kind
      remedy    check the files; --debug shows where it happened
    """
    subject, remedy = "an error that lading did not foresee", "check the files"
    if isinstance(error, MemoryError):
        subject, remedy = "memory", "free some, or take a smaller file"
    elif isinstance(error, OSError) and error.errno in _NO_ROOM:
        return StorageError(
            str(error.filename or "what lading writes or prints"),
            found=str(error.strerror),
            expected="room for it",
            remedy="free some, or write and print elsewhere",
        )
    elif isinstance(error, OSError) and error.strerror:
        subject = str(error.filename or subject)
    return LadingError(
        subject,
        found=in_short(error),
        expected="files that are whole and of their kind",
        remedy=f"{remedy}; --debug shows where it happened",
    )


def _again(kind: type[LadingError], parts: dict[str, str]) -> LadingError:
    parts = {name: text for name, text in parts.items() if name != "error"}
    return kind(parts.pop("subject"), **parts)


class RequestError(LadingError):
    """What was asked for makes no sense: an unknown option, a bad value, a folder in the way."""


class CheckpointError(LadingError):
    """The file cannot be read as a checkpoint: missing, empty, cut short, of another kind."""


class UnsafeFileError(CheckpointError):
    """The file would run code, or unpack to far more than it holds; nothing of it was run."""


class ConflictError(LadingError):
    """Two sources disagree and nobody has settled it."""


class RecognitionError(LadingError):
    """No family, or more than one, claims the checkpoint."""


class LedgerError(LadingError):
    """A tensor without an owner, or an owner without its tensor."""


class CaptureError(LadingError):
    """The module could not be captured as a graph."""


class ConversionError(LadingError):
    """A target refused the captured graph."""


class ProgramError(LadingError):
    """A Core ML package cannot be loaded or run as it says: bad file, missing op, bad value."""


class InputError(LadingError):
    """An input does not fit the artifact: unknown name, wrong shape, wrong dtype, not a picture."""


class RuntimeUnavailableError(LadingError):
    """The runtime does not exist on this computer. Its verdict is `not run`, never a pass."""


class StorageError(LadingError):
    """The result could not be written: not writable, disk full, already there."""


class VerificationError(LadingError):
    """The artifact was made and is not equal to the original."""

    exit_status = 1


class NoAnswerError(LadingError):
    """The artifact ran, and what came out is no answer: NaN, or a class that there is not."""

    exit_status = 1
