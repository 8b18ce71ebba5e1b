"""``lading whose``: which checkpoint an artifact was made from, if any of those given."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, console, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument(
        "checkpoints", type=Path, nargs="+", metavar="CKPT", help="checkpoints or model folders"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 where one of them is it, 1 where none is."""
    from lading import checkpoint
    from lading.cli.terminal import findings
    from lading.proof.weights import provenance
    from lading.record import to_json

    found = [
        provenance.trace(arguments.artifact, checkpoint.read(path))
        for path in arguments.checkpoints
    ]
    owner = provenance.owner(found)
    if arguments.json:
        print_json(
            {
                "artifact": str(arguments.artifact),
                "made_from": owner.checkpoint if owner else None,
                "provenance": to_json(found),
            }
        )
    elif not arguments.quiet:
        findings.owner(console(), str(arguments.artifact), found, owner)
    return 0 if owner else 1


COMMAND = Command(
    "which of several checkpoints an artifact was made from",
    (
        "lading whose Model.mlpackage checkpoint_best.pth",
        "lading whose Model.onnx fold_0.pth fold_1.pth",
    ),
    arguments,
    run,
    rank=35,
)
