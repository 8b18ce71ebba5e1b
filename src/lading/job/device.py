"""What `lading device-check` and `lading device-report` do: a package's tests on a Mac or a phone.

Nothing here runs on a device. The tests of a package print a line of JSON for each output of each
golden vector on each choice of compute units; these lines are read back, wherever they stand in a
log, and judged by the gates that the golden vectors have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from lading import page
from lading.base import storage
from lading.errors import InputError
from lading.job.request import DeviceCheck, DeviceReport
from lading.proof import golden, verdict
from lading.record import Bill, Comparison, Measurement

#: What a line begins with; the package's `DeviceReport.swift` prints it.
MARK = "LADING-DEVICE "
#: What every line says, each as text.
SAID = ("artifact", "kind", "machine", "output", "system", "units", "vector")
#: The runtime of these rows.
RUNTIME, REFERENCE = "coreml", "golden vectors"


@dataclass(frozen=True)
class Commands:
    """What to type, by what it is for; `name` is the package's."""

    name: str
    commands: tuple[str, ...]
    text: str


def check(request: DeviceCheck) -> Commands:
    """The commands for a Mac with Xcode 15 or newer.

    Raises:
        InputError: it is no package that lading wrote.
    """
    folder = Path(request.package)
    tests = [path.parent for path in folder.glob(f"Tests/*Tests/{golden.FOLDER}/{golden.INDEX}")]
    if not (folder / "Package.swift").is_file() or len(tests) != 1:
        raise InputError(
            str(folder),
            found="no Package.swift with golden vectors among its tests",
            expected="a package that lading swift wrote",
            remedy="write one: lading swift BILL -o DIR",
        )
    name = tests[0].parent.name.removesuffix("Tests")
    place = quote(str(folder))
    build = f"(cd {place} && swift build)"
    on_mac = f"(cd {place} && swift test) | tee device.log"
    on_phone = (
        f"(cd {place} && xcodebuild test -scheme {name} "
        "-destination 'platform=iOS,name=NAME OF THE DEVICE') | tee device.log"
    )
    read = 'lading device-report device.log BILL --device "NAME FOR PEOPLE"'
    text = "\n".join(
        [
            "On a Mac with Xcode 15 or newer; nothing of this was run here.",
            "",
            "# build",
            build,
            "# test on this Mac: every golden vector on the CPU, with the GPU, with the Neural",
            "# Engine, and as Core ML likes",
            on_mac,
            "# or on a device that is connected and trusts this Mac",
            on_phone,
            "# then, where the bill is",
            read,
            "",
        ]
    )
    return Commands(name, (build, on_mac, on_phone, read), text)


def report(request: DeviceReport) -> Bill:
    """The bill with what was read, which replaces rows of the same device and the same units; it
    and its page are written.

    Raises:
        InputError: no such file, nothing of the kind in it, of another artifact, or not whole.
    """
    from lading.job.bill import dumps  # which needs torch, and the commands for a Mac do not

    source, place = Path(request.report), Path(request.bill)
    bill = page.read(place)
    folder = place if place.is_dir() else place.parent
    index = golden.load(folder / golden.FOLDER)
    rows = _rows(source, bill)
    read = [
        _comparison(source, bill, index, lines, request.device) for lines in _grouped(rows).values()
    ]
    again = {(one.artifact, one.device) for one in read}
    kept = [one for one in bill.comparisons if (one.artifact, one.device) not in again]
    comparisons = (*kept, *read)
    made = replace(
        bill,
        comparisons=comparisons,
        verdict=verdict.overall(comparisons, bill.provenance, bill.trajectories),
    )
    storage.write_file(folder / storage.BILL, dumps(made).encode("utf-8"))
    storage.write_file(folder / storage.PAGE, page.render(made).encode("utf-8"))
    return made


def _rows(source: Path, bill: Bill) -> list[Mapping[str, str]]:
    try:
        text = source.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unread(source, error.strerror or str(error)) from error
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        _, mark, told = line.partition(MARK)
        if not mark:
            continue
        try:
            row: Any = json.loads(told)
            if not all(isinstance(row[name], str) for name in SAID):
                raise ValueError("a value that is no text")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unread(source, f"line {number}: {error}"[:160]) from error
        rows.append(row)
    if not rows:
        raise _unread(source, f"no line with {MARK.strip()}")
    known = {one.sha256 for one in bill.artifacts}
    others = {row["artifact"] for row in rows} - known
    if others:
        raise InputError(
            str(source),
            found=f"a run of the artifact with sha256 {min(others)}",
            expected="one of " + ", ".join(f"{one.path} {one.sha256}" for one in bill.artifacts),
            remedy="give the bill that the package was written from",
        )
    return rows


def _grouped(rows: Sequence[Mapping[str, str]]) -> dict[tuple[str, ...], list[Mapping[str, str]]]:
    """By artifact, machine, system and units; of a line that stands twice the last."""
    found: dict[tuple[str, ...], dict[tuple[str, ...], Mapping[str, str]]] = {}
    for row in rows:
        where = tuple(row[name] for name in ("artifact", "machine", "system", "units"))
        what = tuple(row[name] for name in ("vector", "output", "kind"))
        found.setdefault(where, {})[what] = row
    return {where: list(lines.values()) for where, lines in found.items()}


def _comparison(
    source: Path, bill: Bill, index: golden.Index, lines: list[Mapping[str, str]], title: str
) -> Comparison:
    """What one choice of compute units gave, over all golden vectors."""
    first = lines[0]
    record = next(one for one in bill.artifacts if one.sha256 == first["artifact"])
    missing = {vector.name for vector in index.vectors} - {line["vector"] for line in lines}
    if missing:
        raise _unread(source, f"nothing of {min(missing)} on {first['units']}: the run broke off")
    measured = []
    for tolerance in index.tolerances.get(record.precision, ()):
        kind = tolerance.kind
        of_labels = kind == "label_agreement"
        here = [
            (_value(source, line), line["vector"])
            for line in lines
            if line["kind"] == kind and (of_labels or line["output"] == tolerance.output)
        ]
        if not here:
            raise _unread(source, f"no {kind} of {tolerance.output} on {first['units']}")
        value, worst = min(here, key=lambda one: -math.inf if math.isnan(one[0]) else one[0])
        measured.append(
            Measurement(tolerance.output, kind, value, tolerance.gate, tolerance.why, worst)
        )
    passed = all(one.passed for one in measured)
    failed = next((one for one in measured if not one.passed), None)
    return Comparison(
        artifact=record.path,
        runtime=RUNTIME,
        reference=REFERENCE,
        probes=len(index.vectors),
        measurements=tuple(measured),
        findings=(),
        verdict="pass" if measured and passed else "fail",
        reason=f"{failed.output} {failed.kind} misses its gate" if failed else "",
        device=f"{title or first['machine']}, {first['system']}, {first['units']}",
    )


def _value(source: Path, line: Mapping[str, str]) -> float:
    """The signal-to-noise ratio in dB, or the share of equal labels."""
    try:
        if line["kind"] != "psnr":
            return float(line["share"])
        rms, peak = float(line["rms"]), float(line["peak"])
        if rms == 0.0:
            return math.inf
        return 20.0 * math.log10(peak / rms) if peak > 0.0 else -math.inf
    except (KeyError, ValueError, OverflowError) as error:
        raise _unread(source, f"{line['vector']}: {error}"[:160]) from error


def _unread(source: Path, found: str) -> InputError:
    return InputError(
        str(source),
        found=found,
        expected="what the tests of a package printed on a device",
        remedy="lading device-check PACKAGE prints the commands that make it",
    )
