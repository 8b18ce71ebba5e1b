"""The contract of a command, and what commands share: options, progress, and how they end.

Each lives in one file of `commands/`, found by being there: the module holds one object
``COMMAND``. Importing a command is light; what it needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lading.base import shelf
from lading.cli import output
from lading.job.options import REQUIRED, Request, flag, options
from lading.record.text import OBEYED

if TYPE_CHECKING:
    from lading.record import Bill

T = TypeVar("T")
R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class Command:
    """One command of ``lading``.

    Attributes:
        text: what it does, in half a line.
        examples: of its use; each is parsed by the tests.
        request: what can be asked of it (``--json`` and ``--quiet`` can always).
        run: does what the request asks and returns the exit status: 0 verified or done; 1 the work
            was done and the result is not equal, or nothing could be compared; 2 the request was
            wrong.
        rank: its place in ``lading --help``, small first; equal ranks by name.
    """

    text: str
    examples: tuple[str, ...]
    request: type[Request]
    run: Callable[[Any, Display], int]
    rank: int = 50


def commands() -> dict[str, Command]:
    """Every command by name, in the order of the help."""
    shelved: dict[str, Command] = shelf.read("lading.cli.commands", "COMMAND")
    found = {name.replace("_", "-"): command for name, command in shelved.items()}
    return dict(sorted(found.items(), key=lambda item: (item[1].rank, item[0])))


# ---------------------------------------------------------------------------------------- options
def add(parser: argparse.ArgumentParser, request: type[Request]) -> None:
    """Adds the options of a request; the parser collects text, and the request checks it."""
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for name, option in options(request).items():
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        more: dict[str, Any] = {"help": option.help or None, "default": argparse.SUPPRESS}
        if option.kind.flag:
            more["action"] = "store_true"
        else:
            more["metavar"] = option.metavar or None
        if option.argument:
            needed = option.default is REQUIRED
            if option.kind.repeats:
                more["nargs"] = "+" if needed else "*"
            elif not needed:
                more["nargs"] = "?"
            groups[option.group].add_argument(name, **more)
            continue
        if option.kind.repeats:
            more["action"] = "append"
        letters = [f"-{option.short}"] if option.short else []
        groups[option.group].add_argument(*letters, flag(name), dest=name, **more)


@dataclass(frozen=True)
class Display:
    """How the result is shown: as JSON and nothing else, or, if `quiet`, not at all."""

    json: bool = False
    quiet: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing is to be said of how far the work is."""
        return self.json or self.quiet


# ----------------------------------------------------------------------------------------- output
def with_stages(display: Display, request: R, work: Callable[[R], T]) -> T:
    """Runs `work(request)`, with stages shown on standard error unless asked to be silent."""
    from lading.cli import terminal

    if display.silent:
        return work(request)
    stages = terminal.Stages(console(sys.stderr))
    made = work(replace(request, progress=stages))
    stages.finish()
    return made


def finish(display: Display, bill: Bill, out: Path | None, page: Path | None = None) -> int:
    """Shows the bill as was asked for; 0 where it passes, else 1.

    Args:
        display: how.
        bill: what it came to.
        out: the folder that the bill's paths are relative to, or None.
        page: the folder where the page lies, where that is another.
    """
    from lading.cli import terminal
    from lading.record import to_json

    if display.json:
        print_json(to_json(bill))
    elif not display.quiet:
        terminal.bill(console(), bill, out, page or out)
    return 0 if bill.verdict == "pass" else 1


def console(file: Any = None) -> Any:
    """80 columns and no colour when piped; see `terminal.Plain`."""
    from lading.cli.terminal import Plain

    stream = file or sys.stdout
    return Plain(file=stream, width=None if stream.isatty() else 80, highlight=False)


def print_json(value: Any, indent: int | None = 1) -> int:
    """Prints `value` as JSON, on one line without an indent; 0.

    What a terminal would obey, and what the stream's encoding lacks, is escaped.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=not output.encodes_all(sys.stdout))
    print(OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
    return 0
