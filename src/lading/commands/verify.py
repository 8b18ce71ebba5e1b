"""``lading verify``: compare an artifact with the checkpoint it came from."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.command import Command, checkpoint_options, data, data_option, finish, with_stages


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--against", type=Path, required=True, metavar="PATH")
    checkpoint_options(parser)
    data_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 where the artifact is equal to the original, else 1."""
    from lading import pipeline

    bill = with_stages(
        arguments,
        lambda stages: pipeline.verify(
            arguments.artifact,
            arguments.against,
            given=arguments.set,
            fold=arguments.fold,
            data=data(arguments),
            progress=stages,
        ),
    )
    return finish(arguments, bill, None)


COMMAND = Command(
    "compare an artifact with the checkpoint it came from",
    (
        "lading verify Model.mlpackage --against checkpoint_best.pth",
        "lading verify Model.onnx --against checkpoint_best.pth --data pictures",
    ),
    arguments,
    run,
    rank=30,
)
