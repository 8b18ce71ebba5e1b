"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lading.base.version import __version__
from lading.cli import commands, output
from lading.cli.commands import Command, Display, add
from lading.errors import LadingError, unforeseen
from lading.record.text import visible


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status.

    An error of any kind is told in one block, and as a traceback only with ``--debug``.
    """
    output.ready()
    display, debug = Display(), False
    try:
        words = _parsed(argv)
        command: Command = words.pop("command")
        debug = words.pop("debug")
        display = Display(words.pop("json"), words.pop("quiet"))
        if not display.quiet:
            output.require_open()
        with _asked_to_end():
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


def _parsed(argv: Sequence[str] | None) -> dict[str, Any]:
    try:
        return vars(parser().parse_args(argv))
    except SystemExit:  # after the help, the version, or argparse's own complaint
        output.flush()
        raise


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = Parser(
        prog="lading",
        description="Converts PyTorch checkpoints to Core ML and ONNX, and proves the result.",
        formatter_class=Overview,
    )
    parser.add_argument("--version", action="version", version=f"lading {__version__}")
    shown = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in commands.commands().items():
        one = shown.add_parser(
            name,
            help=command.text,
            description=command.text[0].upper() + command.text[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {example}" for example in command.examples),
            formatter_class=Help,
            add_help=False,
        )
        one.set_defaults(command=command)
        add(one, command.request)
        always = one.add_argument_group("always")
        always.add_argument("-h", "--help", action="help", help="print this")
        always.add_argument("--json", action="store_true", help="print JSON and nothing else")
        always.add_argument("--quiet", action="store_true", help="print nothing but errors")
        always.add_argument("--debug", action="store_true", help="print the traceback of an error")
    return parser


class Parser(argparse.ArgumentParser):
    """argparse's, which says where it cannot print, and repeats what it was given as it is."""

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(visible(message))


class Overview(argparse.RawDescriptionHelpFormatter):
    """The help of all: a command is one line, however long its name is."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action.choices, dict):  # argparse forgets that their names are indented
            longest = max(map(len, action.choices), default=0)
            indent = self._current_indent + self._indent_increment
            self._action_max_length = max(self._action_max_length, longest + indent)


class Help(argparse.RawDescriptionHelpFormatter):
    """A command's help on one screen: 80 columns, a short usage, and no line that says nothing."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=80)

    def add_usage(
        self, usage: Any, actions: Iterable[argparse.Action], groups: Any, prefix: Any = None
    ) -> None:
        """The arguments that are needed, then ``[options]``: each has its line below."""
        words = [self._prog]
        for action in actions:
            if not action.option_strings:
                words.append(self._format_args(action, str(action.metavar or action.dest)))
        super().add_usage(" ".join([*words, "[options]"]), [], [], prefix)

    def start_section(self, heading: str | None) -> None:
        """What argparse calls positional arguments and options needs no heading."""
        plain = heading in ("positional arguments", "options", "optional arguments")
        super().start_section(None if plain else heading)

    def format_help(self) -> str:
        """A blank line only before the examples."""
        blocks = super().format_help().split("\n\n")
        if len(blocks) < 4:  # the usage alone, before an error
            return "\n\n".join(blocks)
        usage, description, *options, examples = blocks
        lines = "\n".join(block.strip("\n") for block in options)
        return "\n".join([usage, description, lines, "", examples])


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
