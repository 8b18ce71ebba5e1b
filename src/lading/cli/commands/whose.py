"""``lading whose``: which checkpoint an artifact was made from, if any of those given."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Whose


def run(request: Whose, display: Display) -> int:
    """0 where one of them is it, 1 where none is."""
    from lading.cli.terminal import findings
    from lading.job.whose import whose
    from lading.record import to_json

    done = whose(request)
    if display.json:
        print_json(
            {
                "artifact": str(request.artifact),
                "made_from": done.owner.checkpoint if done.owner else None,
                "provenance": to_json(done.found),
            }
        )
    elif not display.quiet:
        findings.owner(console(), str(request.artifact), done.found, done.owner)
    return 0 if done.owner else 1


COMMAND = Command(
    "which of several checkpoints an artifact was made from",
    (
        "lading whose Model.mlpackage checkpoint_best.pth",
        "lading whose Model.onnx fold_0.pth fold_1.pth",
    ),
    Whose,
    run,
    rank=35,
)
