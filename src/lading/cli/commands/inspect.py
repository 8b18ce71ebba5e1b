"""``lading inspect``: what a checkpoint or an artifact is."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.job.request import Inspect


def run(request: Inspect, display: Display) -> int:
    """2 where the checkpoint cannot be accounted for."""
    from lading.cli import terminal
    from lading.cli.terminal import findings, timing
    from lading.job.inspect import Inspection, inspect

    slow = request.settle_with is not None
    shown = with_stages(display, request, inspect) if slow else inspect(request)
    if display.json:
        print_json(shown.as_dict())
    elif display.quiet:
        pass
    elif isinstance(shown, Inspection):
        terminal.inspection(
            console(), shown.checkpoint, shown.recognition, shown.summary,
            shown.shapes, shown.aliases, shown.refused, shown.advice, tensors=request.tensors,
        )  # fmt: skip
    else:
        terminal.artifact(console(), shown.artifact, shown.obstacle)
        findings.hazards(console(), shown.hazards)
        if shown.cost:
            timing.parts(console(), shown.cost, shown.parts, whole=request.tensors)
    return 2 if isinstance(shown, Inspection) and shown.refused else 0


COMMAND = Command(
    "what a checkpoint or an artifact is",
    ("lading inspect checkpoint_best.pth", "lading inspect Model.mlpackage --json"),
    Inspect,
    run,
    rank=10,
)
