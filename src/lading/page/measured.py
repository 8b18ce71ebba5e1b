"""What was measured: each artifact in each runtime against the original, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lading.record import Bill, Comparison, Metric, Reading
from lading.record.wording import RUNTIMES, UNSTEADY, distance, gate, number


@dataclass(frozen=True)
class Gauge:
    """A number on a bar with its gate, both 0 to 100 along it."""

    value: float
    gate: float


@dataclass(frozen=True)
class Row:
    """One metric of one artifact in one runtime."""

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


def ordered(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Failed first, then what was run, then what was not."""
    return sorted(comparisons, key=lambda one: ("fail", "pass", "not run").index(one.verdict))


def compared(bill: Bill, one: Comparison) -> Compared:
    """Its gated metrics, those that miss first, and those that only inform."""
    precision = next((a.precision for a in bill.artifacts if a.path == one.artifact), "")
    gated = [metric for metric in one.metrics if metric.gate is not None]
    others = [metric for metric in one.metrics if metric.gate is None]
    return Compared(
        one.artifact,
        RUNTIMES.get(one.runtime, one.runtime),
        precision,
        one.probes,
        one.verdict,
        one.reason,
        tuple(_row(metric) for metric in sorted(gated, key=lambda m: distance(m) >= 0)),
        tuple(_row(metric) for metric in others),
        tuple(f"{found.where} is {found.name}: {found.text}" for found in one.findings),
    )


def _row(metric: Metric) -> Row:
    plain = metric.name.removesuffix(UNSTEADY)
    if metric.gate is None:
        state = "informs" if metric.passed else "fail"
    else:
        state = "pass" if metric.passed else "fail"
    return Row(
        metric.name,
        number(plain, metric.value),
        gate(metric),
        state,
        metric.reason,
        metric.worst_probe,
        _gauge(metric),
    )


def _gauge(metric: Metric) -> Gauge | None:
    """The number on a bar: decibels from 0 to 140, shares as their distance from 1 on a log."""
    if metric.gate is None or math.isnan(metric.value):
        return None
    if metric.name.endswith("psnr"):
        return Gauge(
            *(round(_share(value, 0.0, 140.0), 1) for value in (metric.value, metric.gate))
        )
    if metric.better == "higher" and 0 <= metric.gate <= 1 and metric.value <= 1:
        return Gauge(*(round(_share(_nines(value), 0.0, 6.0), 1)
                       for value in (metric.value, metric.gate)))  # fmt: skip
    return None


def _nines(value: float) -> float:
    """How many nines a share has: 0.999 has three."""
    return -math.log10(max(1.0 - value, 1e-6))


def _share(value: float, low: float, high: float) -> float:
    return 100.0 * (min(max(value, low), high) - low) / (high - low)


def readings(
    many: Sequence[Reading],
) -> tuple[tuple[str, tuple[str, ...], tuple[tuple[Reading, tuple[str, ...]], ...]], ...]:
    """Per artifact: the metrics' names, then each reading with its values in that order."""
    found = []
    for artifact in dict.fromkeys(one.artifact for one in many):
        mine = [one for one in many if one.artifact == artifact]
        names = tuple(dict.fromkeys(metric.name for one in mine for metric in one.metrics))
        rows = []
        for one in mine:
            values = {metric.name: number(metric.name, metric.value) for metric in one.metrics}
            rows.append((one, tuple(values.get(name, "") for name in names)))
        found.append((artifact, names, tuple(rows)))
    return tuple(found)
