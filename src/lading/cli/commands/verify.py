"""``lading verify``: compare an artifact with the checkpoint it came from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lading.cli.commands import (  # fmt: skip
    Command,
    checkpoint_options,
    config_option,
    console,
    data,
    finish,
    model,
    model_options,
    print_json,
    trajectory_option,
    with_stages,
)

if TYPE_CHECKING:
    from lading.proof.table.dataset import Over
    from lading.record import Bill


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    reference = parser.add_mutually_exclusive_group(required=True)
    reference.add_argument("--against", type=Path, metavar="PATH", help="checkpoint or folder")
    reference.add_argument(
        "--golden", type=Path, metavar="DIR", help="golden vectors, in place of the checkpoint"
    )
    checkpoint_options(parser)
    config_option(parser)
    model_options(parser)
    trajectory_option(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR|FILE.csv",
        help="your own pictures, as probes too; or a table text,label: every row of it",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR",
        help="of bill and page; default: NAME-verify; - for none",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """0 where the artifact is equal to the original, else 1."""
    if arguments.golden:
        return _replayed(arguments)
    if arguments.out is None:
        arguments.out = Path(f"{arguments.artifact.stem}-verify")
    elif str(arguments.out) == "-":
        arguments.out = None
    if arguments.out:
        _require_free(arguments.out)
    table = arguments.data if arguments.data and arguments.data.suffix.lower() == ".csv" else None
    bill = _over(arguments, table) if table else _verified(arguments, data(arguments), None)
    if arguments.out:
        _write(arguments.out, bill)
    return finish(arguments, bill, None, page=arguments.out)


def _replayed(arguments: argparse.Namespace) -> int:
    """On golden vectors: nothing but the artifact and the folder is needed."""
    from lading.cli import terminal
    from lading.proof import golden
    from lading.record import to_json

    done = with_stages(
        arguments, lambda stages: golden.replay(arguments.golden, arguments.artifact, stages)
    )
    if arguments.json:
        print_json(to_json(done))
    elif not arguments.quiet:
        terminal.replay(console(), done)
    return 0 if done.verdict == "pass" else 1


def _require_free(out: Path) -> None:
    """Passes only if no bill of another kind of voyage lies there.

    Raises:
        StorageError: one does, or the place cannot be written.
    """
    import json

    from lading.base import storage
    from lading.errors import StorageError

    storage.require_free(out, force=True)
    try:
        earlier = json.loads((out / storage.BILL).read_bytes())["request"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if "against" not in earlier:
        raise StorageError(
            str(out),
            found=f"the {storage.BILL} of a conversion",
            expected="an empty folder, or one of an earlier `lading verify`",
            remedy="choose another -o; the bill there would be lost",
        )


def _over(arguments: argparse.Namespace, table: Path) -> Bill:
    """Over a table; what is counted by then stays where it is stopped."""
    from lading.cli import terminal
    from lading.proof.table import dataset

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
    from lading.job import pipeline

    own = model(arguments)
    return with_stages(
        arguments,
        lambda stages: pipeline.verify(
            arguments.artifact,
            arguments.against,
            given=arguments.set,
            fold=arguments.fold,
            model=own,
            config=arguments.config,
            data=data,
            over=over,
            trajectory=arguments.trajectory,
            progress=stages,
        ),
    )


def _write(out: Path, bill: Bill) -> None:
    """The page, the charts of a table, the schema, and the bill last."""
    from base64 import b64decode

    from lading import page as report
    from lading.base import storage
    from lading.job import pipeline
    from lading.record import schema

    charts = [one for one in bill.pictures if "/" not in one.name]
    files = {f"{one.name}.png": b64decode(one.png) for one in charts}
    files[report.PAGE] = report.render(bill).encode()
    files[storage.SCHEMA] = schema.dumps().encode()
    files[storage.BILL] = pipeline.dumps(bill).encode()
    for name, content in files.items():
        storage.write_file(out / name, content)


COMMAND = Command(
    "compare an artifact with the checkpoint it came from",
    (
        "lading verify Model.mlpackage --against checkpoint_best.pth -o result",
        "lading verify Model.onnx --golden golden",
    ),
    arguments,
    run,
    rank=30,
)
