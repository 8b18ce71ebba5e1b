"""``lading compare``: any two of a checkpoint and artifacts, from the outputs inwards."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.job.request import Compare


def run(request: Compare, display: Display) -> int:
    """0 where the two are equal, else 1."""
    from lading.cli.terminal import findings
    from lading.job.compare import compare
    from lading.record import to_json

    done = with_stages(display, request, compare)
    if display.json:
        print_json(to_json(done))
    elif not display.quiet:
        findings.between(console(), done, [to_json(value) for value in done.values])
    return 0 if done.verdict == "pass" else 1


COMMAND = Command(
    "two of a checkpoint and artifacts, and where they part",
    (
        "lading compare checkpoint_best.pth Model.mlpackage",
        "lading compare Model.onnx Model.mlpackage --stop-at logits",
    ),
    Compare,
    run,
    rank=33,
)
