"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lading.cli import commands
from lading.cli.commands import Command, Display
from lading.cli.parser import parser
from lading.errors import LadingError

__all__ = ["main", "parser"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in given
    try:
        known = parser()
        words = known.read(given)
        if "command" not in words:
            known.print_help()
            return 0
        command: Command = words.pop("command")
        display = Display(words.pop("json"), words.pop("quiet"))
        return command.run(command.request(**words), display)
    except LadingError as error:
        _report(error, as_json=as_json)
        return error.exit_status
    except BrokenPipeError:
        return 2
    except KeyboardInterrupt:
        print("lading: stopped; nothing was written", file=sys.stderr)
        return 130


def _report(error: LadingError, *, as_json: bool) -> None:
    if as_json:
        commands.print_json(error.as_dict())
        return
    from lading.cli import terminal

    terminal.failure(commands.console(sys.stderr), error)


if __name__ == "__main__":
    sys.exit(main())
