"""What can be asked of each verb: every option of lading, declared.

A keyword of the Python API has the name that the option has on the command line, ``_`` for ``-``,
without exception: ``set``, ``input`` and ``open`` too, which hide no builtin where they are only
keywords. Nothing heavy is imported here: `lading --help` is read off it.
"""

from __future__ import annotations

from lading.job.options import Request, options, verb
from lading.job.request.bills import DeviceCheck, DeviceReport, Diff, Report, Swift
from lading.job.request.look import Bench, Diagnose, Doctor, Inspect, Whose
from lading.job.request.network import Beside, Described, Proved, Reading
from lading.job.request.prove import Compare, Convert, Verify
from lading.job.request.use import Classify, Run, Sample
from lading.job.request.values import is_module


def requests() -> dict[str, type[Request]]:
    """Every verb by name, with what can be asked of it."""
    kinds = (
        Convert, Verify, Compare, Bench, Whose, Inspect, Diagnose, Run, Classify, Sample, Report,
        Diff, Swift, DeviceCheck, DeviceReport, Doctor,
    )  # fmt: skip
    return {verb(kind): kind for kind in kinds}


__all__ = [
    "Bench",
    "Beside",
    "Classify",
    "Compare",
    "Convert",
    "Described",
    "DeviceCheck",
    "DeviceReport",
    "Diagnose",
    "Diff",
    "Doctor",
    "Inspect",
    "Proved",
    "Reading",
    "Report",
    "Request",
    "Run",
    "Sample",
    "Swift",
    "Verify",
    "Whose",
    "is_module",
    "options",
    "requests",
]
