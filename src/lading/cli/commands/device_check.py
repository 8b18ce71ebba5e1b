"""``lading device-check``: the commands that test a package on a Mac and on a device."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import DeviceCheck


def run(request: DeviceCheck, display: Display) -> int:
    """0: the commands are printed; nothing of them is run."""
    from lading.job.device import check

    found = check(request)
    if display.json:
        print_json({"name": found.name, "commands": list(found.commands)})
    elif not display.quiet:
        from lading.cli.terminal.text import lines

        console().print(lines(found.text), end="", soft_wrap=True)
    return 0


COMMAND = Command(
    "the commands that test a package on a Mac and on a device",
    ("lading device-check Package", "lading device-check Package --json"),
    DeviceCheck,
    run,
    rank=41,
)
