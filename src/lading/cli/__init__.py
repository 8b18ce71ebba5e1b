"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lading.base import digests, memory
from lading.cli import commands, output
from lading.cli.commands import Command, Display
from lading.cli.parser import parser
from lading.errors import LadingError, unforeseen

__all__ = ["main", "parser"]
#: Words that name the file a command is about; it is digested while libraries are loaded.
_READ = ("checkpoint", "path", "artifact", "against")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status.

    An error of any kind is told in one block, and as a traceback only with ``--debug``.
    """
    output.ready()
    given = sys.argv[1:] if argv is None else list(argv)
    display, debug = Display(json="--json" in given), False
    try:
        words = _parsed(given)
        if "command" not in words:
            return 0
        command: Command = words.pop("command")
        debug = words.pop("debug")
        display = Display(words.pop("json"), words.pop("quiet"))
        if not display.quiet:
            output.require_open()
        for name in _READ:
            if isinstance(words.get(name), (str, Path)):
                digests.begin(Path(words[name]))
        with _asked_to_end(), memory.kept():
            status = command.run(command.request(**words), display)
        output.flush()
        return status
    except BrokenPipeError:
        output.silence()
        return 2
    except KeyboardInterrupt:
        print("lading: stopped; nothing was written", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        told = error if isinstance(error, LadingError) else unforeseen(error)
        _report(told, as_json=display.json)
        return told.exit_status


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """Within it SIGTERM ends the command as its own end does: what is temporary is removed."""

    def end(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only there Python hears signals
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parsed(given: Sequence[str]) -> dict[str, Any]:
    """The words as values; without a command the help is printed, and there are none."""
    known = parser()
    try:
        found = known.read(given)
        if "command" not in found:
            known.print_help()
            output.flush()
        return found
    except SystemExit:  # after the help or the version
        output.flush()
        raise


def _report(error: LadingError, *, as_json: bool) -> None:
    """The error, on standard output as JSON; on standard error where that cannot be written."""
    from lading.cli import terminal

    try:
        if as_json and sys.stdout is not None:
            try:
                commands.print_json(error.as_dict())
                return output.flush()
            except (LadingError, OSError):
                pass
        terminal.failure(commands.console(sys.stderr), error)
        sys.stderr.flush()
    except OSError:
        pass  # nobody can be told
    finally:
        output.silence()


if __name__ == "__main__":
    sys.exit(main())
