"""``lading inspect``: what a checkpoint or an artifact is."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import (  # fmt: skip
    Command,
    checkpoint_options,
    config_option,
    console,
    model,
    model_options,
    print_json,
    settle_option,
    with_stages,
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="checkpoint, folder or artifact")
    checkpoint_options(parser)
    config_option(parser)
    settle_option(parser)
    model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """2 where the checkpoint cannot be accounted for."""
    from lading import api
    from lading.cli import terminal
    from lading.cli.terminal import findings

    own = model(arguments)
    shown = with_stages(
        arguments,
        lambda stages: api.inspect(
            arguments.path,
            settings=arguments.set,
            fold=arguments.fold,
            model=own,
            config=arguments.config,
            settle_with=arguments.settle_with,
            progress=stages if arguments.settle_with else None,
        ),
    )
    status = 0
    if isinstance(shown, api.Inspection) and shown.refused:
        status = 2
    if arguments.json:
        print_json(shown.as_dict())
    elif isinstance(shown, api.ArtifactInspection):
        terminal.artifact(console(), shown.artifact)
        findings.hazards(console(), shown.hazards)
    elif not arguments.quiet:
        terminal.inspection(
            console(), shown.checkpoint, shown.recognition, shown.summary,
            shown.shapes, shown.aliases, shown.refused,
        )  # fmt: skip
    return status


COMMAND = Command(
    "what a checkpoint or an artifact is",
    ("lading inspect checkpoint_best.pth", "lading inspect Model.mlpackage --json"),
    arguments,
    run,
    rank=10,
)
