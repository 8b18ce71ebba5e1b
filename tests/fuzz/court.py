"""One case before a reader, with limits of time and memory, and nothing but an answer allowed.

What is counted good: `Kind.read` returns, or raises `LadingError`. Counted bad: any other
exception, `MemoryError` under the limit of memory, more than `SECONDS` of processor time, the
death of the process, and an act (a program started, a socket, a file written) that Python's audit
events tell of.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.errors import LadingError
from tests.fuzz.kind import Case, Kind, lay

#: Processor seconds that a case may take. A loop in C does not look at the first limit; the
#: second ends the process.
SECONDS, LAST_SECONDS = 5, 20
#: What the process may grow beyond what it had before the case, in bytes.
MEMORY = 1 << 30

#: Audit events of something done to the computer, by their beginnings.
_ACTS = (
    *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"),
    *("subprocess.Popen", "socket.", "ctypes.", "pickle.find_class", "webbrowser.open"),
    *("os.kill", "os.putenv", "code.__new__", "function.__new__", "ftplib.", "urllib.", "http."),
)
_WRITES = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "shutil."),
)


@dataclass(frozen=True)
class Outcome:
    """How a case ended: ``read``, ``refused`` (with the error's class) or ``bad`` (with why)."""

    verdict: str
    why: str = ""


class TooLongError(BaseException):
    """The first limit of time."""


class ActedError(BaseException):
    """An audit event that no reader may cause."""


class _Watch:
    """The audit hook, which Python can add and never take away: on during a case only."""

    added = False
    on = False
    writes = True

    @classmethod
    def hook(cls, event: str, args: tuple[Any, ...]) -> None:
        if not cls.on:
            return
        wrong = event.startswith(_ACTS) or (not cls.writes and event.startswith(_WRITES))
        if event == "open" and not cls.writes:
            flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
            # Bytecode of a module that is imported for the first time is no act of the file's.
            wrong = bool(flags & (os.O_WRONLY | os.O_RDWR)) and ".pyc" not in str(args[0])
        if wrong:
            cls.on = False
            raise ActedError(f"{event} {str(args)[:200]}")


@contextmanager
def _limits(kind: Kind) -> Iterator[None]:
    if not _Watch.added:
        sys.addaudithook(_Watch.hook)
        _Watch.added = True
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    ceiling = pages * resource.getpagesize() + MEMORY

    def too_long(signum: int, frame: Any) -> None:
        raise TooLongError

    signal.signal(signal.SIGVTALRM, too_long)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    signal.setitimer(signal.ITIMER_PROF, LAST_SECONDS)
    _Watch.writes, _Watch.on = kind.writes, True
    try:
        yield
    finally:
        _Watch.on = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def judge(kind: Kind, case: Case, path: Path) -> Outcome:
    """Lays `case` at `path` and has it read.

    >>> from tests.fuzz.kind import Kind
    >>> import tempfile
    >>> def read(path):
    ...     return 1 / len(path.read_bytes())
    >>> folder = Path(tempfile.mkdtemp())
    >>> kind = Kind("toy", "toy.bin", lambda: [b"x"], (), read)
    >>> judge(kind, b"x", folder / kind.file)
    Outcome(verdict='read', why='')
    >>> judge(kind, b"", folder / kind.file).why.split(" at ")[0]
    'ZeroDivisionError: division by zero'
    """
    try:
        lay(case, path)
    except (OSError, ValueError):
        return Outcome("refused", "no such file can be written")
    try:
        with _limits(kind):
            kind.read(path)
    except LadingError as error:
        try:
            with _limits(kind):
                shown = str(error)
        except BaseException as problem:
            return Outcome("bad", f"{type(error).__name__} cannot be shown: {_told(problem)}")
        if len(shown) > 20_000:
            return Outcome("bad", f"an error text of {len(shown):,} characters")
        return Outcome("refused", type(error).__name__)
    except KeyboardInterrupt:
        raise
    except TooLongError as problem:
        return Outcome("bad", f"more than {SECONDS} s{_place(problem)}")
    except BaseException as problem:
        return Outcome("bad", _told(problem))
    return Outcome("read")


def _told(problem: BaseException) -> str:
    text = ""
    with suppress(BaseException):
        text = " ".join(str(problem).split())[:200]
    return f"{type(problem).__name__}: {text}{_place(problem)}"


def _place(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [one for one in frames if "/lading/" in one.filename] or frames
    return f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
