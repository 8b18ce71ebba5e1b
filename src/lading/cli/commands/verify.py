"""``lading verify``: compare an artifact with the checkpoint it came from."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from lading.cli.commands import Command, Display, console, finish, print_json, with_stages
from lading.job.request import Verify


def run(request: Verify, display: Display) -> int:
    """0 where the artifact is equal to the original, else 1."""
    from lading.cli import terminal
    from lading.job.verify import unfinished, verify
    from lading.record import Bill, to_json

    out = Path(request.out or f"{Path(request.artifact).stem}-verify")
    request = replace(request, out=None if str(out) == "-" or request.golden else out)
    bar = None if display.silent else terminal.Bar(console(sys.stderr))
    try:
        done = with_stages(display, request, lambda asked: verify(asked, bar))
    except KeyboardInterrupt:
        state = unfinished(request)
        if state and state.exists() and not display.quiet:
            text = f"lading: stopped; the same command goes on from here ({state})"
            console(sys.stderr).print(text, soft_wrap=True)
            sys.exit(130)
        raise
    if isinstance(done, Bill):
        return finish(display, done, None, page=Path(request.out) if request.out else None)
    if display.json:
        print_json(to_json(done))
    elif not display.quiet:
        terminal.replay(console(), done)
    return 0 if done.verdict == "pass" else 1


COMMAND = Command(
    "compare an artifact with the checkpoint it came from",
    (
        "lading verify Model.mlpackage --against checkpoint_best.pth -o result",
        "lading verify Model.onnx --golden golden",
    ),
    Verify,
    run,
    rank=30,
)
