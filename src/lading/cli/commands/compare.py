"""``lading compare``: any two of a checkpoint and artifacts, from the outputs inwards."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, checkpoint_options, console, print_json, with_stages


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("first", type=Path, metavar="A", help="checkpoint or artifact")
    parser.add_argument("second", type=Path, metavar="B", help="checkpoint or artifact")
    checkpoint_options(parser)
    parser.add_argument(
        "--stop-at", default="", metavar="NAME", help="show this value, or module's output, in both"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 where the two are equal, else 1."""
    from lading.cli.terminal import findings
    from lading.job import pipeline
    from lading.record import to_json

    done = with_stages(
        arguments,
        lambda stages: pipeline.compare(
            arguments.first,
            arguments.second,
            given=arguments.set,
            fold=arguments.fold,
            stop_at=arguments.stop_at,
            progress=stages,
        ),
    )
    if arguments.json:
        print_json(to_json(done))
    elif not arguments.quiet:
        findings.between(
            console(), done.comparison, done.walk, [to_json(v) for v in done.values], done.told
        )
    return 0 if done.comparison.verdict == "pass" else 1


COMMAND = Command(
    "any two of a checkpoint and artifacts, and the first value that departs",
    (
        "lading compare checkpoint_best.pth Model.mlpackage",
        "lading compare Model.onnx Model.mlpackage --stop-at logits",
    ),
    arguments,
    run,
    rank=33,
)
