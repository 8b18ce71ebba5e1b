"""``lading swift``: a Swift package with the model, what stands around it, and its tests."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.job.request import Swift


def run(request: Swift, display: Display) -> int:
    """0: the package is written."""
    from lading.job.swift import swift

    made = with_stages(display, request, swift)
    if display.json:
        print_json(
            {
                "package": str(made.out),
                "name": made.name,
                "artifact": made.artifact,
                "vectors": made.vectors,
            }
        )
    elif not display.quiet:
        text = f"{made.out}  {made.name} of {made.artifact}, {made.vectors} golden vectors"
        then = f"next: its tests, (cd {made.out} && swift test); on a device: lading device-check"
        for line in (text, then):
            console().print(line, soft_wrap=True)
    return 0


COMMAND = Command(
    "write a Swift package of a bill: the model, and its tests",
    ("lading swift out", "lading swift out/lading.json -o Package --name Phantoms"),
    Swift,
    run,
    rank=40,
)
