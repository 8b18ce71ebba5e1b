"""Any two of a checkpoint and artifacts beside each other: outputs, values, one value looked at.

Neither side need be one that lading made. Where one is a checkpoint it is the reference; of two
artifacts the first is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lading.errors import RequestError
from lading.evidence import (
    ArtifactRecord,
    Comparison,
    Finding,
    Metric,
    Port,
    Station,
    Task,
    Walk,
)
from lading.interface import Interface, Options
from lading.target import artifact_target, noted, targets
from lading.verification import divergence, metrics
from lading.verification.alignment import align, owners
from lading.verification.constants import Array, constants
from lading.verification.origins import Origins
from lading.verification.probes import Probe, make
from lading.verification.sides import Made, Original, Side, artifact
from lading.verification.verdict import GATES

#: Numbers of a value that are spelled out.
SHOWN = 6


@dataclass(frozen=True)
class Value:
    """One value on one side, for `--stop-at`."""

    side: str
    name: str
    op: str
    shape: tuple[int, ...]
    low: float
    high: float
    mean: float
    first: tuple[float, ...]


@dataclass(frozen=True)
class Between:
    """Two sides compared: outputs over all probes, the walk, and the value that was asked for."""

    comparison: Comparison
    walk: Walk
    values: tuple[Value, ...] = ()
    told: str = ""


def is_artifact(path: Path) -> bool:
    """Whether a path is an artifact by its suffix; else it is a checkpoint."""
    return path.suffix.lower() in {one.suffix for one in targets().values()}


def compare(first: Path, second: Path, interface: Interface | None, stop_at: str = "") -> Between:
    """Compares two sides.

    Args:
        first: a checkpoint that `interface` is of, or an artifact.
        second: an artifact.
        interface: the untouched network where `first` is a checkpoint, else None.
        stop_at: name of a value, or path of a module, to show on both sides.

    Raises:
        LadingError: a side cannot be read, or they do not take the same.
    """
    record = artifact_target(second).describe(second)
    reference: Side
    if interface is not None:
        reference, theirs = Original(interface, str(first)), interface
        precision = record.precision
    else:
        before = artifact_target(first).describe(first)
        theirs = _ports_of(before)
        reference = artifact(first)
        halves = "fp16" in (before.precision, record.precision)
        precision = "fp16" if halves else "fp32"
    other = artifact(second)
    names = _names(theirs, record, first, second)
    drawn = [
        p for p in make(theirs) if all(p.inputs[i.name].shape == i.shape for i in theirs.inputs)
    ]
    watched = [_both(reference, other, probe, names) for probe in drawn]
    comparison = _judged(first, second, record, theirs, reference, other, drawn, watched, precision)
    made, arrays, theirs_made, theirs_arrays = watched[_worst(comparison, drawn)]
    known: dict[str, str] = {}
    if interface is not None:
        state = Origins(interface.module.state_dict())
        known = owners(constants(second), state)
    pairs = align(made, arrays, theirs_made, theirs_arrays, known, precision)
    stations = tuple(divergence.station(p, arrays[p.ours.name], precision) for p in pairs)
    walk = divergence.told(
        second,
        other,
        "declared",
        pairs,
        stations,
        theirs_made,
        theirs_arrays,
        precision,
        failed=comparison.verdict != "pass",
    )
    values: tuple[Value, ...] = ()
    told = ""
    if stop_at:
        values, told = _looked_at(stop_at, reference, other, watched[0], stations, pairs)
    return Between(comparison, walk, values, told)


Watched = tuple[list[Made], dict[str, Array], list[Made], dict[str, Array]]


def _both(reference: Side, other: Side, probe: Probe, names: Mapping[str, str]) -> Watched:
    made, arrays = reference.run(probe.inputs)
    fed = {names[name]: value for name, value in probe.inputs.items()}
    return (made, arrays, *other.run(fed))


def _judged(
    first: Path,
    second: Path,
    record: ArtifactRecord,
    theirs: Interface,
    reference: Side,
    other: Side,
    drawn: Sequence[Probe],
    watched: Sequence[Watched],
    precision: str,
) -> Comparison:
    """PSNR of every floating-point output on the worst probe, agreement of every other."""
    gates = GATES[precision]
    found: list[Metric] = []
    findings: list[Finding] = []
    for ours, name in zip(reference.outputs, other.outputs, strict=True):
        rows = [(one[1][ours], one[3][name]) for one in watched]
        wrong = next(
            (f"{list(b.shape)}, not {list(a.shape)}" for a, b in rows if a.shape != b.shape), ""
        )
        if wrong:
            findings.append(Finding("another shape", name, f"output {name} has shape {wrong}"))
            continue
        if rows and rows[0][0].dtype.kind != "f":
            shares = [metrics.agreement(a, b) for a, b in rows]
            gate, reason, kind = gates.agreement, gates.agreement_reason, "label_agreement"
        else:
            shares = [metrics.psnr(a, b) for a, b in rows]
            gate, reason, kind = gates.psnr, gates.psnr_reason, "psnr"
        place = min(
            range(len(shares)), key=lambda i: (shares[i] == shares[i], shares[i]), default=-1
        )
        if place >= 0:
            text = f"{reason}; fixed, as nobody measured this network"
            found.append(
                Metric(f"{name} {kind}", shares[place], gate, "higher", text, drawn[place].name)
            )
    passed = bool(found) and not findings and all(one.passed for one in found)
    reason = "" if passed else "; ".join(
        [f.text for f in findings]
        + [f"{m.name} {m.value:.4g} misses its gate {m.gate:g}" for m in found if not m.passed]
    ) or "nothing was compared: no probe fits"  # fmt: skip
    return Comparison(
        str(second), other.runtime, str(first), len(watched), tuple(found), tuple(findings),
        "pass" if passed else "fail", reason,
    )  # fmt: skip


def _worst(comparison: Comparison, drawn: Sequence[Probe]) -> int:
    names = [probe.name for probe in drawn]
    failed = [m.worst_probe for m in comparison.metrics if not m.passed]
    return names.index(failed[0]) if failed and failed[0] in names else 0


def _looked_at(
    name: str,
    reference: Side,
    other: Side,
    watched: Watched,
    stations: Sequence[Station],
    pairs: Sequence[Any],
) -> tuple[tuple[Value, ...], str]:
    """The value on either side that has it, and its counterpart where there is one."""
    made, arrays, theirs, their_arrays = watched
    for station, pair in zip(stations, pairs, strict=True):
        if name in (pair.theirs.name, pair.ours.name):
            left = _value(reference, pair.ours, arrays[pair.ours.name])
            right = _value(other, pair.theirs, their_arrays[pair.theirs.name])
            text = f"aligned by {station.aligned_by}; relative L2 {station.error:.3g}"
            return (left, right), text
    for side, known, values in ((reference, made, arrays), (other, theirs, their_arrays)):
        for one in known:
            if one.name == name:
                return (_value(side, one, values[name]),), "the other side has no such value"
    near = [one.name for one in (*made, *theirs)]
    import difflib

    close = difflib.get_close_matches(name, near, n=3, cutoff=0.3)
    raise RequestError(
        f"--stop-at {name}",
        found="no value of that name on either side",
        expected=", ".join(close) or "the name of a value or the path of a module",
        remedy="lading compare A B --json lists every aligned value",
    )


def _value(side: Side, made: Made, array: Array) -> Value:
    wide = array.astype(np.float64)
    return Value(
        side.title, made.name, made.op, tuple(array.shape),
        float(wide.min()), float(wide.max()), float(wide.mean()),
        tuple(float(x) for x in wide.reshape(-1)[:SHOWN]),
    )  # fmt: skip


def _ports_of(record: ArtifactRecord) -> Interface:
    """What an artifact takes and gives, with the ranges that lading noted, if it made it."""
    task, options = noted(record)
    known = {port.shape: port for port in task.inputs} if task else {}

    def port(one: Port) -> Port:
        shape = tuple(1 if size < 1 else size for size in one.shape)
        noted_port = known.get(shape)
        range_ = noted_port.value_range if noted_port else ()
        meaning = noted_port.meaning if noted_port else ""
        return replace(one, shape=shape, value_range=range_, meaning=meaning, ranges=())

    inputs = tuple(map(port, record.inputs))
    empty: Any = None
    plain = Task("module", inputs, record.outputs)
    return Interface(empty, inputs, record.outputs, options or Options(), plain)


def _names(theirs: Interface, record: ArtifactRecord, first: Path, second: Path) -> dict[str, str]:
    """Our input names to those of the other side, in order.

    Raises:
        RequestError: they do not take the same.
    """
    ours, other = theirs.inputs, record.inputs
    fit = len(ours) == len(other) and len(theirs.outputs) == len(record.outputs)
    fit = fit and all(
        len(a.shape) == len(b.shape)
        and all(m == n or n < 1 for m, n in zip(a.shape, b.shape, strict=True))
        for a, b in zip(ours, other, strict=True)
    )
    if not fit:
        raise RequestError(
            f"{first} beside {second}",
            found="; ".join(f"{p.name} {list(p.shape)}" for p in (*other, *record.outputs)),
            expected="; ".join(f"{p.name} {list(p.shape)}" for p in (*ours, *theirs.outputs)),
            remedy="compare files of one network, with the same inputs and outputs",
        )
    return {a.name: b.name for a, b in zip(ours, other, strict=True)}
