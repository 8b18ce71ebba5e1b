"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lading.command import commands, console, print_json
from lading.errors import LadingError
from lading.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except LadingError as error:
        _report(error, as_json=arguments.json)
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
        description="Carries a trained PyTorch checkpoint to Core ML and ONNX, and signs for it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lading {__version__}")
    shown = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in commands().items():
        one = shown.add_parser(
            name,
            help=command.text,
            description=command.text[0].upper() + command.text[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {example}" for example in command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=command.run)
        one.add_argument("--json", action="store_true", help="print JSON and nothing else")
        one.add_argument("--quiet", action="store_true", help="print nothing but errors")
        command.arguments(one)
    return parser


def _report(error: LadingError, *, as_json: bool) -> None:
    if as_json:
        print_json(error.as_dict())
        return
    from lading import terminal

    terminal.failure(console(sys.stderr), error)


if __name__ == "__main__":
    sys.exit(main())
