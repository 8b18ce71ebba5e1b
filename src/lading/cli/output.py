"""Standard output and error as they really are: closed, full, or unable to say a character."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from lading.errors import StorageError


def ready() -> None:
    """Makes the standard streams fit to be written to.

    A stream whose encoding lacks a character spells it, as ``\\u2192``; in the place of a closed
    one stands the null device, so that no file that is opened later gets its number.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (number := os.open(os.devnull, os.O_RDWR)) < 3:
            pass
        os.close(number)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def require_open() -> None:
    """Passes only where there is a standard output.

    Raises:
        StorageError: it was closed before the command began.
    """
    if sys.stdout is None:
        raise _unwritten("it is closed")


def flush() -> None:
    """Passes only if all that was printed is written.

    Raises:
        BrokenPipeError: nobody reads it any more.
        StorageError: it cannot be written.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error.strerror or str(error)) from error


def silence() -> None:
    """What could not be printed is dropped, or Python would try again as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


def encodes_all(stream: Any) -> bool:
    """Whether a stream has every character."""
    return str(getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def _unwritten(found: str) -> StorageError:
    return StorageError(
        "standard output",
        found=found,
        expected="a place where the result can be printed",
        remedy="print it elsewhere, or ask for nothing to be printed with --quiet",
    )
