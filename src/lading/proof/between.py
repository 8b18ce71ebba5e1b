"""Any two of a checkpoint and artifacts beside each other: outputs, values, one value looked at.

Neither side need be one that lading made. Where one is a checkpoint it is the reference; of two
artifacts the first is. What sound fp32 arithmetic keeps of this network is measured on whichever
side torch computes: the original, an ML Program or a NeuralNetwork. Of two ONNX files nobody can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lading.errors import RequestError
from lading.formats import artifact_target, noted, targets
from lading.interface import Interface, Options
from lading.proof import divergence, metrics, noise, steadiness
from lading.proof.alignment import align, owners
from lading.proof.compare import FLOOR_REASON, NOTHING_GATED
from lading.proof.insides import artifact
from lading.proof.probes import Probe, make
from lading.proof.sides import Made, Original, Side
from lading.proof.verdict import GATES
from lading.proof.weights.constants import Array, constants
from lading.proof.weights.origins import Origins
from lading.record import ArtifactRecord, Comparison, Finding, Metric, Port, Station, Task, Walk

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
    # the outputs only: inner values of every probe at once would fill the memory of a computer
    given = [_outputs(reference, probe.inputs) for probe in drawn]
    got = [_outputs(other, _called(names, probe)) for probe in drawn]
    limits: list[list[float]] = []
    if precision == "fp32" and reference.runtime != "onnxruntime":
        limits = [_limits(reference, p.inputs, was) for p, was in zip(drawn, given, strict=True)]
    elif precision == "fp32" and other.runtime != "onnxruntime":
        limits = [_limits(other, _called(names, p), was) for p, was in zip(drawn, got, strict=True)]
    firm = [
        place
        for place, probe in enumerate(drawn)
        if _steady(reference, probe, given[place], precision)
    ]
    comparison = _judged(
        first, second, reference, other, drawn, given, got, limits, firm, precision
    )
    worst = drawn[_worst(comparison, drawn)]
    made, arrays = reference.run(worst.inputs)
    theirs_made, theirs_arrays = other.run(_called(names, worst))
    known: dict[str, str] = {}
    if interface is not None:
        state = Origins(interface.module.state_dict())
        known = owners(constants(second), state)
    pairs = align(made, arrays, theirs_made, theirs_arrays, known, precision)
    stations = tuple(divergence.station(p, arrays[p.ours.name], precision) for p in pairs)
    walk = divergence.told(
        second,
        other,
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
        both = (made, arrays, theirs_made, theirs_arrays)
        values, told = _looked_at(stop_at, reference, other, both, stations, pairs)
    return Between(comparison, walk, values, told)


Watched = tuple[list[Made], dict[str, Array], list[Made], dict[str, Array]]


def _called(names: Mapping[str, str], probe: Probe) -> dict[str, Array]:
    """The probe's inputs by the other side's names."""
    return {names[name]: value for name, value in probe.inputs.items()}


def _judged(
    first: Path,
    second: Path,
    reference: Side,
    other: Side,
    drawn: Sequence[Probe],
    given: Sequence[Sequence[Array]],
    got: Sequence[Sequence[Array]],
    limits: Sequence[Sequence[float]],
    firm: Sequence[int],
    precision: str,
) -> Comparison:
    """PSNR of every floating-point output on the worst probe, agreement of every other.

    Args:
        given: the reference's outputs per probe.
        got: the other side's.
        limits: PSNR gates per probe and output; none where nothing was measured.
        firm: places of the probes at which the reference is steady.
    """
    gates = GATES[precision]
    found: list[Metric] = []
    findings: list[Finding] = []
    for number, name in enumerate(other.outputs):
        rows = [(a[number], b[number]) for a, b in zip(given, got, strict=True)]
        wrong = next(
            (f"{list(b.shape)}, not {list(a.shape)}" for a, b in rows if a.shape != b.shape), ""
        )
        if wrong:
            findings.append(Finding("another shape", name, f"output {name} has shape {wrong}"))
            continue
        if rows and rows[0][0].dtype.kind != "f":
            shares = [metrics.agreement(*rows[i]) for i in firm]
            gate, text, kind = (
                [gates.agreement] * len(firm),
                gates.agreement_reason,
                "label_agreement",
            )
        else:
            shares = [metrics.psnr(*rows[i]) for i in firm]
            kind, text = "psnr", FLOOR_REASON
            gate = [limits[i][number] for i in firm] if limits else [gates.psnr] * len(firm)
            if not limits:
                text = f"{gates.psnr_reason}; fixed, as nobody measured this network"
        left = [share - limit for share, limit in zip(shares, gate, strict=True)]
        place = min(range(len(left)), key=lambda i: (left[i] == left[i], left[i]), default=-1)
        if place >= 0:
            probe = drawn[firm[place]].name
            found.append(
                Metric(f"{name} {kind}", shares[place], gate[place], "higher", text, probe)
            )
    passed = bool(found) and not findings and all(one.passed for one in found)
    nothing = NOTHING_GATED if drawn else "nothing was compared: no probe fits"
    reason = "" if passed else "; ".join(
        [f.text for f in findings]
        + [f"{m.name} {m.value:.4g} misses its gate {m.gate:g}" for m in found if not m.passed]
    ) or nothing  # fmt: skip
    return Comparison(
        str(second), other.runtime, str(first), len(drawn), tuple(found), tuple(findings),
        "pass" if passed else "fail", reason,
    )  # fmt: skip


def _limits(side: Side, inputs: Mapping[str, Array], outputs: Sequence[Array]) -> list[float]:
    """Per output, the PSNR that sound fp32 arithmetic keeps of a side that torch computes."""
    with noise.Disturbed(noise.DISTURBANCE):
        again = _outputs(side, inputs)
    return [noise.gate(a, b) for a, b in zip(outputs, again, strict=True)]


def _steady(side: Side, probe: Probe, outputs: Sequence[Array], precision: str) -> bool:
    """Whether a side keeps its gates when its input is rounded."""
    gates, again = GATES[precision], _outputs(side, steadiness.disturbed(probe, precision))
    return all(
        metrics.psnr(a, b) >= gates.psnr
        if a.dtype.kind == "f"
        else metrics.agreement(a, b) >= gates.agreement
        for a, b in zip(outputs, again, strict=True)
    )


def _outputs(side: Side, inputs: Mapping[str, Array]) -> list[Array]:
    _, values = side.run(inputs)
    return [values[name] for name in side.outputs]


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
    both = [
        (side, values[name])
        for side, values in ((reference, arrays), (other, their_arrays))
        if name in values
    ]
    if both:  # whole numbers, as labels are: no arithmetic made them
        if len(both) == 2 and both[0][1].shape == both[1][1].shape:
            told = f"agreement {metrics.agreement(both[0][1], both[1][1]):.3%}"
        else:
            told = "the other side has no such value"
        return tuple(_value(side, Made(name, "output"), array) for side, array in both), told
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
