"""The verbs of the command line as typed functions, `inspect`, `convert`, `verify` and the others.

A verb takes what is declared of it in `lading.job.request`: the same names, the same defaults, the
same checks as the command line.
"""

from __future__ import annotations

import inspect as signatures
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from lading import page
from lading.base import progress
from lading.errors import LadingError
from lading.job import options, request
from lading.job.bench import bench as _bench
from lading.job.classify import classify as _classify
from lading.job.compare import compare as _compare
from lading.job.convert import convert as _convert
from lading.job.device import check as _device_check
from lading.job.device import report as _device_report
from lading.job.diagnose import diagnose as _diagnose
from lading.job.diff import diff as _diff
from lading.job.doctor import doctor as _doctor
from lading.job.inspect import ArtifactInspection, Inspection
from lading.job.inspect import inspect as _inspect
from lading.job.report import report as _report
from lading.job.run import run as _run
from lading.job.sample import sample as _sample
from lading.job.swift import swift as _swift
from lading.job.verify import verify as _verify
from lading.job.whose import whose as _whose
from lading.page import diff as _page_of_diff
from lading.page import latencies
from lading.record import Bill
from lading.record.bench import Bench

P = ParamSpec("P")
R = TypeVar("R", bound=options.Request)
T = TypeVar("T")


def _verb(made: Callable[P, R], work: Callable[[R], T]) -> Callable[P, T]:
    """The function that makes a request of its arguments and does it."""
    kind: Any = made

    def call(*values: P.args, **keywords: P.kwargs) -> T:
        asked = options.request(kind, values, keywords)
        stages = None if "progress" in keywords else progress.here()
        if stages is None:
            return work(asked)
        try:
            return work(replace(asked, progress=stages))
        finally:
            stages.finish()

    known = options.options(kind).items()
    lines = [f"    {name}: {one.described}" for name, one in known]
    told = (
        "    progress: called when a stage begins, and what it works on; by default a terminal and "
        "a notebook show it"
    )
    call.__name__ = call.__qualname__ = options.verb(kind).replace("-", "_")
    call.__doc__ = "\n".join([f"{signatures.getdoc(kind)}\n\nArgs:", *lines, told])
    gives = signatures.signature(work).return_annotation
    signature = signatures.signature(made).replace(return_annotation=gives)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


convert = _verb(request.Convert, _convert)
verify = _verb(request.Verify, _verify)
compare = _verb(request.Compare, _compare)
bench = _verb(request.Bench, _bench)
whose = _verb(request.Whose, _whose)
diagnose = _verb(request.Diagnose, _diagnose)
inspect = _verb(request.Inspect, _inspect)
run = _verb(request.Run, _run)
classify = _verb(request.Classify, _classify)
sample = _verb(request.Sample, _sample)
report = _verb(request.Report, _report)
diff = _verb(request.Diff, _diff)
swift = _verb(request.Swift, _swift)
device_check = _verb(request.DeviceCheck, _device_check)
device_report = _verb(request.DeviceReport, _device_report)
doctor = _verb(request.Doctor, _doctor)

#: How a notebook shows them.
Bill.html = page.cell
Bench.html = latencies.cell
_page_of_diff.Difference.html = lambda found: page.framed(_page_of_diff.render(found))

__all__ = [
    "ArtifactInspection", "Inspection", "LadingError", "bench", "classify", "compare", "convert",
    "device_check", "device_report", "diagnose", "diff", "doctor", "inspect", "report", "run",
    "sample", "swift", "verify", "whose",
]  # fmt: skip
