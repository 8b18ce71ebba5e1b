"""``lading convert``: convert a checkpoint to Core ML and ONNX, and compare."""

from __future__ import annotations

from lading.cli.commands import Command, Display, finish, with_stages
from lading.job.request import Convert


def run(request: Convert, display: Display) -> int:
    """0 where every artifact is equal to the original, else 1."""
    from lading.job.convert import convert, folder

    return finish(display, with_stages(display, request, convert), folder(request))


COMMAND = Command(
    "convert a checkpoint to Core ML and ONNX, and compare",
    (
        "lading convert checkpoint_best.pth -o out",
        "lading convert checkpoint_best.pth --to coreml --bake zscore --output labels",
    ),
    Convert,
    run,
    rank=20,
)
