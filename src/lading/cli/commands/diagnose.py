"""``lading diagnose``: what of a network's code stands in the way, without converting."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Diagnose


def run(request: Diagnose, display: Display) -> int:
    """1 where nothing can be made of the network as it is."""
    from lading.cli import terminal
    from lading.job.diagnose import diagnose

    found = diagnose(request)
    if display.json:
        print_json(found.as_dict())
    elif not display.quiet:
        terminal.obstacles(console(), found.network, found.obstacles)
    return 1 if found.stopped else 0


COMMAND = Command(
    "what of a network's code stands in the way, without converting",
    (
        "lading diagnose net.pth --model net.py:Net --input x:float32[1,3,64,64]",
        "lading diagnose net.pth --model net.py:Net --input x:float32[1,3,64,64] --json",
    ),
    Diagnose,
    run,
    rank=15,
)
