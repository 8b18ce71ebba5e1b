"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from lading.base.version import __version__
from lading.cli import commands
from lading.cli.commands import Command, Display, add
from lading.errors import LadingError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    words = vars(parser().parse_args(argv))
    command: Command = words.pop("command")
    display = Display(words.pop("json"), words.pop("quiet"))
    try:
        status = command.run(command.request(**words), display)
    except LadingError as error:
        _report(error, as_json=display.json)
        return error.exit_status
    except BrokenPipeError:
        return 2
    except KeyboardInterrupt:
        print("lading: stopped; nothing was written", file=sys.stderr)
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="lading",
        description="Converts PyTorch checkpoints to Core ML and ONNX, and proves the result.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    return parser


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
        """Blank lines only before the description and the examples."""
        blocks = super().format_help().split("\n\n")
        if len(blocks) < 4:  # the usage alone, before an error
            return "\n\n".join(blocks)
        usage, description, *options, examples = blocks
        lines = "\n".join(block.strip("\n") for block in options)
        return "\n\n".join([usage, description, lines, examples])


def _report(error: LadingError, *, as_json: bool) -> None:
    if as_json:
        commands.print_json(error.as_dict())
        return
    from lading.cli import terminal

    terminal.failure(commands.console(sys.stderr), error)


if __name__ == "__main__":
    sys.exit(main())
