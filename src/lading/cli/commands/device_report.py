"""``lading device-report``: what a package's tests printed on a device, into its bill."""

from __future__ import annotations

from pathlib import Path

from lading.cli.commands import Command, Display, finish
from lading.job.request import DeviceReport


def run(request: DeviceReport, display: Display) -> int:
    """0 where the bill passes with what was read, 1 where it does not."""
    from lading.job.device import report

    place = Path(request.bill)
    return finish(display, report(request), place if place.is_dir() else place.parent)


COMMAND = Command(
    "read into a bill what its package's tests printed on a device",
    (
        "lading device-report device.log out/lading.json",
        'lading device-report device.log out --device "iPhone 15"',
    ),
    DeviceReport,
    run,
    rank=42,
)
