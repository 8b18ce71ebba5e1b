"""What was measured: each artifact in each runtime against the original, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lading.record import Bill, Comparison, Measurement, Reading
from lading.record.measurement import KINDS
from lading.record.wording import covered, gate, number, ran_in, subject, unproved


@dataclass(frozen=True)
class Gauge:
    """A number on a bar with its gate, both 0 to 100 along it."""

    value: float
    gate: float


@dataclass(frozen=True)
class Row:
    """One measurement of one artifact in one runtime."""

    name: str
    value: str
    gate: str
    state: str
    reason: str
    probe: str
    gauge: Gauge | None = None


@dataclass(frozen=True)
class Compared:
    """One artifact in one runtime."""

    artifact: str
    runtime: str
    precision: str
    probes: int
    verdict: str
    reason: str
    gated: tuple[Row, ...]
    informing: tuple[Row, ...]
    findings: tuple[str, ...]
    unproved: tuple[str, ...]
    covered: str


def ordered(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Failed first, then what was run, then what was not."""
    return sorted(comparisons, key=lambda one: ("fail", "pass", "not run").index(one.verdict))


def compared(bill: Bill, one: Comparison) -> Compared:
    """What is gated, what misses first, and what only informs."""
    precision = next((a.precision for a in bill.artifacts if a.path == one.artifact), "")
    return Compared(
        one.artifact,
        ran_in(one),
        precision,
        one.probes,
        one.verdict,
        one.reason,
        tuple(_row(each) for each in sorted(one.gated, key=lambda m: m.distance >= 0)),
        tuple(_row(each) for each in one.measurements if each.gate is None),
        tuple(f"{found.where} is {found.name}: {found.text}" for found in one.findings),
        tuple(map(unproved, one.unproved)),
        covered(one),
    )


def _row(one: Measurement) -> Row:
    met = "informs" if one.gate is None else "pass"
    return Row(
        subject(one),
        number(one.kind, one.value),
        gate(one),
        met if one.passed else "fail",
        one.why,
        one.probe,
        _gauge(one),
    )


def _gauge(one: Measurement) -> Gauge | None:
    """The number on a bar: decibels from 0 to 140, shares as their distance from 1 on a log."""
    if one.gate is None or math.isnan(one.value):
        return None
    both = (one.value, one.gate)
    if KINDS[one.kind].unit == "dB":
        return Gauge(*(round(_share(value, 0.0, 140.0), 1) for value in both))
    if one.better == "higher" and 0 <= one.gate <= 1 and one.value <= 1:
        return Gauge(*(round(_share(_nines(value), 0.0, 6.0), 1) for value in both))
    return None


def _nines(value: float) -> float:
    """How many nines a share has: 0.999 has three."""
    return -math.log10(max(1.0 - value, 1e-6))


def _share(value: float, low: float, high: float) -> float:
    return 100.0 * (min(max(value, low), high) - low) / (high - low)


def readings(
    many: Sequence[Reading],
) -> tuple[tuple[str, tuple[str, ...], tuple[tuple[Reading, tuple[str, ...]], ...]], ...]:
    """Per artifact: what was measured, then each reading with its values in that order."""
    found = []
    for artifact in dict.fromkeys(one.artifact for one in many):
        mine = [one for one in many if one.artifact == artifact]
        told = [
            {subject(replace(m, reading="declared")): number(m.kind, m.value)
             for m in one.measurements}
            for one in mine
        ]  # fmt: skip
        names = tuple(dict.fromkeys(name for values in told for name in values))
        rows = [
            (one, tuple(values.get(name, "") for name in names))
            for one, values in zip(mine, told, strict=True)
        ]
        found.append((artifact, names, tuple(rows)))
    return tuple(found)
