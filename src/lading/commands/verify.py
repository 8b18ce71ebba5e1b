"""``lading verify``: compare an artifact with the checkpoint it came from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lading.command import Command, checkpoint_options, console, data, finish, with_stages

if TYPE_CHECKING:
    from lading.evidence import Bill
    from lading.verification.dataset import Over


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--against", type=Path, required=True, metavar="PATH")
    checkpoint_options(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR|FILE.csv",
        help="your own pictures, as probes too; or a table text,label: every row of it",
    )
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="write the bill there")


def run(arguments: argparse.Namespace) -> int:
    """0 where the artifact is equal to the original, else 1."""
    table = arguments.data if arguments.data and arguments.data.suffix.lower() == ".csv" else None
    bill = _over(arguments, table) if table else _verified(arguments, data(arguments), None)
    if arguments.out:
        _write(arguments.out, bill)
    return finish(arguments, bill, None)


def _over(arguments: argparse.Namespace, table: Path) -> Bill:
    """Over a table; what is counted by then stays where it is stopped."""
    from lading import terminal
    from lading.verification import dataset

    beside = arguments.out or arguments.artifact.parent
    state = beside / f"{arguments.artifact.name}.{table.stem}.unfinished.json"
    shown = not (arguments.json or arguments.quiet)
    bar = terminal.Bar(console(sys.stderr)) if shown else None
    try:
        return _verified(arguments, (), dataset.Over(table, state, bar))
    except KeyboardInterrupt:
        if state.exists() and not arguments.quiet:
            print(f"lading: stopped; the same command goes on from here ({state})", file=sys.stderr)
            sys.exit(130)
        raise


def _verified(arguments: argparse.Namespace, data: tuple[Path, ...], over: Over | None) -> Bill:
    from lading import pipeline

    return with_stages(
        arguments,
        lambda stages: pipeline.verify(
            arguments.artifact,
            arguments.against,
            given=arguments.set,
            fold=arguments.fold,
            data=data,
            over=over,
            progress=stages,
        ),
    )


def _write(out: Path, bill: Bill) -> None:
    """The bill, its schema, and its pictures."""
    from base64 import b64decode

    from lading import pipeline, schema, storage

    files = {f"{one.name}.png": b64decode(one.png) for one in bill.pictures}
    files[storage.SCHEMA] = schema.dumps().encode()
    files[storage.BILL] = pipeline.dumps(bill).encode()
    for name, content in files.items():
        storage.write_file(out / name, content)


COMMAND = Command(
    "compare an artifact with the checkpoint it came from",
    (
        "lading verify Model.mlpackage --against checkpoint_best.pth",
        "lading verify Model.onnx --against layout.pth --data validation.csv -o result",
    ),
    arguments,
    run,
    rank=30,
)
