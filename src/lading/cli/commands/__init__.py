"""The contract of a command, and what commands share: options, progress, and how they end.

Each lives in one file of `commands/`, found by being there: the module holds one object
``COMMAND``. Importing a command is light; what it needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lading.base import shelf
from lading.base.progress import silent
from lading.errors import RequestError

if TYPE_CHECKING:
    from lading.network.own_module import OwnModule
    from lading.record import Bill

T = TypeVar("T")
Add = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Command:
    """One command of ``lading``.

    Attributes:
        text: what it does, in half a line.
        examples: of its use; each is parsed by the tests.
        arguments: adds its own options to the parser (``--json`` and ``--quiet`` are there).
        run: does it and returns the exit status: 0 verified or done; 1 the work was done and the
            result is not equal, or nothing could be compared; 2 the request was wrong.
        rank: its place in ``lading --help``, small first; equal ranks by name.
    """

    text: str
    examples: tuple[str, ...]
    arguments: Add
    run: Callable[[argparse.Namespace], int]
    rank: int = 50


def commands() -> dict[str, Command]:
    """Every command by name, in the order of the help."""
    found: dict[str, Command] = shelf.read("lading.cli.commands", "COMMAND")
    return dict(sorted(found.items(), key=lambda item: (item[1].rank, item[0])))


# ---------------------------------------------------------------------------------------- options
def checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """``--set`` and ``--fold``: how a checkpoint is read."""
    parser.add_argument(
        "--set", action=_Pairs, default={}, metavar="NAME=VALUE", help="settle a hyper-parameter"
    )
    parser.add_argument("--fold", metavar="N", help="of an nnU-Net model folder")


def config_option(parser: argparse.ArgumentParser) -> None:
    """``--config``: what the network's own configuration says."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="of a diffusion network: YAML or JSON"
    )


def settle_option(parser: argparse.ArgumentParser) -> None:
    """``--settle-with``: pictures on which to measure what nothing says."""
    parser.add_argument(
        "--settle-with", type=Path, metavar="DIR",
        help="pictures that settle what its file leaves open",
    )  # fmt: skip


def settle(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The files that ``--settle-with`` names.

    Raises:
        RequestError: there are none.
    """
    from lading.proof.probes import files_in

    return tuple(files_in(arguments.settle_with)) if arguments.settle_with else ()


def model_options(parser: argparse.ArgumentParser) -> None:
    """``--model`` and ``--input``: a network of the user's own."""
    group = parser.add_argument_group("a network of your own (its code is run: trust it)")
    group.add_argument(
        "--model", metavar="FILE.py:FACTORY", help="code, and what in it returns the network"
    )
    group.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:DTYPE[SHAPE]",
        help="of that network, one for each: x:float32[1,3,64,64], t:int32[1]@0..999",
    )


def model(arguments: argparse.Namespace) -> OwnModule | None:
    """The network that ``--model`` and ``--input`` name; None without them.

    Raises:
        RequestError: one without the other, or neither text nor file is right.
    """
    from lading.network import own_module

    if arguments.model:
        return own_module.from_text(arguments.model, arguments.input)
    if arguments.input:
        raise RequestError(
            f"--input {arguments.input[0]}",
            found="no --model",
            expected="an input beside the code of the network that takes it",
            remedy="add --model FILE.py:FACTORY, or leave --input out",
        )
    return None


def trajectory_option(parser: argparse._ActionsContainer) -> None:
    """``--trajectory``: how far a diffusion network is walked."""
    parser.add_argument(
        "--trajectory", type=int, metavar="N",
        help="prove it over N moves; default 25, 0: none",
    )  # fmt: skip


def data_option(parser: argparse.ArgumentParser) -> None:
    """``--data``: the user's own pictures."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="your own pictures, as probes too")


def data(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The files that ``--data`` names.

    Raises:
        RequestError: there are none.
    """
    from lading.proof.probes import files_in

    return tuple(files_in(arguments.data)) if arguments.data else ()


class _Pairs(argparse.Action):
    """Collects ``NAME=VALUE``."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        name, equals, value = str(values).partition("=")
        if not equals or not name.strip():
            raise argparse.ArgumentError(self, f"expected NAME=VALUE, found {values!r}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), name.strip(): value})


# ----------------------------------------------------------------------------------------- output
def with_stages(arguments: argparse.Namespace, work: Callable[[Any], T]) -> T:
    """Runs `work(progress)`, with stages shown on standard error unless asked to be silent."""
    from lading.cli import terminal

    if arguments.json or arguments.quiet:
        return work(silent)
    stages = terminal.Stages(console(sys.stderr))
    made = work(stages)
    stages.finish()
    return made


def finish(
    arguments: argparse.Namespace, bill: Bill, out: Path | None, page: Path | None = None
) -> int:
    """Shows the bill as was asked for; 0 where it passes, else 1.

    Args:
        arguments: with `json` and `quiet`.
        bill: of the voyage.
        out: the folder that the bill's paths are relative to, or None.
        page: the folder where the page lies, where that is another.
    """
    from lading.cli import terminal
    from lading.record import to_json

    if arguments.json:
        print_json(to_json(bill))
    elif not arguments.quiet:
        terminal.bill(console(), bill, out, page or out)
    return 0 if bill.verdict == "pass" else 1


def console(file: Any = None) -> Any:
    """80 columns and no colour when piped."""
    from rich.console import Console

    stream = file or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 80, highlight=False)


def print_json(value: Any) -> int:
    """Prints `value` as JSON; 0."""
    print(json.dumps(value, indent=1, ensure_ascii=False))
    return 0
