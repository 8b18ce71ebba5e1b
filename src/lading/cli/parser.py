"""The words of the command line: what they may be, what is nearest to a wrong one, completion."""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from lading.base.version import __version__
from lading.cli import commands
from lading.cli.commands import add
from lading.errors import RequestError
from lading.job.options import PATH, flag, options
from lading.record.text import visible

SHELLS = ("bash", "zsh", "tcsh")
#: What every command can be asked.
ALWAYS = {
    "--json": "print JSON and nothing else",
    "--quiet": "print nothing but errors",
    "--debug": "print the traceback of an error",
}
#: Longer lines are no easier to read.
WIDEST = 100


class Parser(argparse.ArgumentParser):
    """One that raises lading's own error, and names what is nearest to a wrong word."""

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(visible(message))

    def error(self, message: str) -> NoReturn:
        """What argparse has against the words.

        Raises:
            RequestError: always.
        """
        usage = self.format_usage().removeprefix("usage: ").strip()
        raise RequestError(
            self.prog, found=message, expected=" ".join(usage.split()),
            remedy=f"see {self.prog} --help",
        )  # fmt: skip

    def _get_values(self, action: Any, arg_strings: list[str]) -> Any:
        """``--name=--`` is the text ``--``: argparse of Python 3.11 takes it for the mark that
        ends the options."""
        if action.option_strings and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """The words as values by name, the command's object as ``"command"``.

        Raises:
            RequestError: a command, an option or an argument that there is not.
        """
        known = commands.commands()
        first = next((word for word in words if not word.startswith("-")), None)
        if first is not None and words[0] == first and first not in known:
            raise _unknown(first, list(known), "lading", "a command")
        found, extras = self.parse_known_args(words)
        if extras:
            prog = f"lading {first}" if first else "lading"
            strange = next((word for word in extras if word.startswith("-")), extras[0])
            if not strange.startswith("-"):
                raise RequestError(
                    f"{prog} {strange}", found="an argument too many", expected="only those of it",
                    remedy=f"leave it out, or see {prog} --help",
                )  # fmt: skip
            asked = options(known[first].request) if first in known else {}
            flags = ["--help", "--version", *ALWAYS, *map(flag, asked)]
            raise _unknown(strange.partition("=")[0], flags, prog, "an option")
        return vars(found)


def _unknown(word: str, known: Sequence[str], prog: str, what: str) -> RequestError:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.65)
    asked = f"did you mean {near[0]}? " if near else ""
    return RequestError(
        f"{prog} {word}", found=f"{word!r}", expected=f"{what} of {prog}",
        remedy=f"{asked}{prog} --help lists all",
    )  # fmt: skip


def parser() -> Parser:
    """Every command with its options."""
    made = Parser(
        prog="lading",
        description="Converts PyTorch checkpoints to Core ML and ONNX, and proves the result.",
        formatter_class=Overview,
    )
    made.add_argument("--version", action="version", version=f"lading {__version__}")
    made.add_argument(
        "--print-completion", action=Completion, choices=SHELLS, metavar="SHELL",
        default=argparse.SUPPRESS,
        help=f"print what completes the words in {', '.join(SHELLS)}",
    )  # fmt: skip
    shown = made.add_subparsers(title="commands", metavar="COMMAND")
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
        for word, text in ALWAYS.items():
            always.add_argument(word, action="store_true", help=text)
    return made


def width() -> int:
    """Columns of the help: as ``COLUMNS`` or the terminal says, 80 where nothing does."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))


class Completion(argparse.Action):
    """Prints the script by which a shell completes lading's words, and ends."""

    def __call__(self, made: Any, namespace: Any, value: Any, option: Any = None) -> None:
        """See `argparse.Action`."""
        import shtab

        (parts,) = (one.choices for one in made._actions if isinstance(one.choices, dict))
        for name, command in commands.commands().items():
            declared = options(command.request)
            for action in parts[name]._actions:
                kind = declared[action.dest].kind if action.dest in declared else None
                if kind and kind.words:
                    action.choices = list(kind.words)
                elif kind and kind.expected == PATH.expected:
                    action.complete = shtab.FILE
        print(shtab.complete(made, value))
        made.exit()


class Overview(argparse.RawDescriptionHelpFormatter):
    """The help of all: a command is one line, however long its name is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=width())

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action.choices, dict):  # argparse forgets that their names are indented
            longest = max(map(len, action.choices), default=0)
            indent = self._current_indent + self._indent_increment
            self._action_max_length = max(self._action_max_length, longest + indent)


class Help(argparse.RawDescriptionHelpFormatter):
    """A command's help: a short usage, and no line that says nothing."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=width())

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
