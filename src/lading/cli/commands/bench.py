"""``lading bench``: a network's time, memory, arithmetic and bytes in every runtime."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.job.request import Bench


def run(request: Bench, display: Display) -> int:
    """0; 1 where nothing could be run."""
    from lading.cli.terminal import timing
    from lading.job.bench import bench
    from lading.record import to_json

    done = with_stages(display, request, bench)
    if display.json:
        print_json(to_json(done))
    elif not display.quiet:
        timing.bench(console(), done, request.top, request.out)
    return 0 if done.ran else 1


COMMAND = Command(
    "a network's time, memory and arithmetic in every runtime",
    (
        "lading bench Model.mlpackage Model.onnx --checkpoint checkpoint_best.pth",
        "lading bench Model.onnx --threads 1 --rounds 2 --seconds 0 -o bench.svg",
        "lading bench checkpoint_best.pth --rounds 1 --seconds 0 --profile --json",
    ),
    Bench,
    run,
    rank=34,
)
