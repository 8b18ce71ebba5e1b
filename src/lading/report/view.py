"""What stands on the page, read out of the bill: words, rows and numbers, no markup."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lading.evidence import (
    Bill,
    Comparison,
    HyperParameter,
    Metric,
    Picture,
    Port,
    Provenance,
    Reading,
    Station,
    Walk,
)
from lading.report import charts, tree, usage
from lading.report.repeat import Repeat, repeat
from lading.wording import (
    FORMATS,
    RUNTIMES,
    UNSTEADY,
    WORDS,
    distance,
    gate,
    megabytes,
    number,
    worst,
)

#: Stations shown at once, worst first; and in the folded table of all.
SHOWN, LISTED = 12, 600
MADE = "made from this checkpoint"
#: Constants listed by name.
CONSTANTS = 400
_PNG = re.compile(r"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True)
class Fact:
    """A labelled value; `state` colours it: ``""``, ``"good"``, ``"bad"`` or ``"open"``."""

    label: str
    value: str
    note: str = ""
    state: str = ""


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


@dataclass(frozen=True)
class Walked:
    """One walk along the network: two charts and its stations."""

    walk: Walk
    error: charts.Chart | None
    ranges: charts.Chart | None
    worst: tuple[Station, ...]
    listed: tuple[Station, ...]
    left_out: int


@dataclass(frozen=True)
class Origin:
    """Where an artifact's constants come from, counted and listed."""

    record: Provenance
    counts: tuple[tuple[str, int], ...]
    left_out: int


@dataclass(frozen=True)
class Figure:
    """Pictures that belong together."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Made:
    """An artifact with how to use it."""

    record: Any
    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    details: tuple[tuple[str, str], ...]
    snippets: tuple[usage.Snippet, ...]


@dataclass(frozen=True)
class View:
    """The page, section by section."""

    bill: Bill
    title: str
    words: str
    sentence: str
    carried: tuple[Fact, ...]
    numbers: tuple[Fact, ...]
    parameters: tuple[HyperParameter, ...]
    ledger: tree.Node
    fates: tuple[tuple[str, int], ...]
    compared: tuple[Compared, ...]
    figures: tuple[Figure, ...]
    walks: tuple[Walked, ...]
    readings: tuple[tuple[str, tuple[str, ...], tuple[tuple[Reading, tuple[str, ...]], ...]], ...]
    origins: tuple[Origin, ...]
    made: tuple[Made, ...]
    repeat: Repeat


def look(bill: Bill) -> View:
    """Everything that the page says about a bill."""
    return View(
        bill=bill,
        title=_title(bill),
        words=WORDS[bill.verdict],
        sentence=sentence(bill),
        carried=_carried(bill),
        numbers=_numbers(bill),
        parameters=bill.hyperparameters,
        ledger=tree.grow(bill.ledger),
        fates=tuple(Counter(line.fate for line in bill.ledger).most_common()),
        compared=tuple(_compared(bill, one) for one in _ordered(bill.comparisons)),
        figures=_figures(bill.pictures),
        walks=tuple(_walked(one) for one in bill.walks),
        readings=_readings(bill.readings),
        origins=tuple(_origin(one) for one in bill.provenance),
        made=tuple(
            Made(
                one,
                FORMATS.get(one.format, one.format),
                one.inputs,
                one.outputs,
                tuple((k, v) for k, v in one.details.items() if k not in _MACHINE),
                usage.snippets(one, bill.task),
            )
            for one in bill.artifacts
        ),
        repeat=repeat(bill),
    )


#: Notes for programs, long and unreadable; the bill holds them.
_MACHINE = ("lading.task", "lading.options")


# ------------------------------------------------------------------------------------- the verdict
def sentence(bill: Bill) -> str:
    """The verdict in a sentence that a person can act on."""
    names = _listed([PurePath(one.path).name for one in bill.artifacts]) or "Nothing"
    several = len(bill.artifacts) > 1
    if bill.verdict == "pass":
        ran = _listed(
            dict.fromkeys(RUNTIMES.get(c.runtime, c.runtime) for c in bill.comparisons
                          if c.verdict == "pass")
        )  # fmt: skip
        probes = max(c.probes for c in bill.comparisons)
        return (
            f"{names}, run in {ran}, {'give' if several else 'gives'} what the untouched original "
            f"gives on {probes} probe{'s' * (probes != 1)}, within every gate."
        )
    if bill.verdict == "fail":
        reasons = [c for c in bill.comparisons if c.verdict == "fail"]
        told = "; ".join(f"{PurePath(c.artifact).name} in {RUNTIMES.get(c.runtime, c.runtime)}: "
                         f"{c.reason}" for c in reasons)  # fmt: skip
        if reasons:
            return f"What was made does not give what the original gives. {told}."
        strange = [one for one in bill.provenance if one.finding != MADE]
        told = "; ".join(f"{PurePath(one.artifact).name}: {one.finding}." for one in strange)
        return f"What was made carries other weights than the checkpoint's. {told}"
    reason = next((c.reason for c in bill.comparisons if c.reason), "nothing was compared")
    return f"{names} could not be compared with the original, so nothing is proved: {reason}."


def _title(bill: Bill) -> str:
    stems = dict.fromkeys(PurePath(one.path).stem for one in bill.artifacts)
    return _listed(stems) or PurePath(bill.checkpoint.path).name


def _listed(words: Any) -> str:
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _carried(bill: Bill) -> tuple[Fact, ...]:
    summary, record = bill.ledger_summary, bill.checkpoint
    facts = [
        Fact("Checkpoint", PurePath(record.path).name,
             f"{megabytes(record.bytes)}, {record.container}"),
        Fact("Network", _network(bill), bill.task.kind),
        Fact("Cargo", f"{summary.parameters:,} parameters",
             f"{summary.tensors} tensors under {summary.names} names"),
    ]  # fmt: skip
    for one in bill.artifacts:
        how = f"{one.precision}, {megabytes(one.bytes)}, by {_route(one.route)}"
        facts.append(Fact(FORMATS.get(one.format, one.format), one.path, how))
    if bill.task.labels:
        facts.append(Fact("Classes", str(len(bill.task.labels)), ", ".join(bill.task.labels)))
    facts.append(Fact("Signed by", f"lading {bill.lading}", bill.environment.get("system", "")))
    return tuple(facts)


def _network(bill: Bill) -> str:
    known = {one.name: one.value for one in bill.hyperparameters}
    name = known.get("network_class") or known.get("network") or ""
    short = str(name).rsplit(".", 1)[-1]
    return f"{bill.family}: {short}" if short else bill.family


def _route(route: str) -> str:
    return {"export": "torch.export", "trace": "torch.jit.trace"}.get(route, route)


def _numbers(bill: Bill) -> tuple[Fact, ...]:
    summary = bill.ledger_summary
    numbers = _two(bill.comparisons)
    ran = [one for one in bill.comparisons if one.verdict != "not run"]
    numbers.append(
        Fact(
            "Comparisons passed",
            f"{sum(one.verdict == 'pass' for one in ran)} of {len(ran)}",
            f"{max((one.probes for one in ran), default=0)} probes each; "
            f"{len(bill.comparisons) - len(ran)} not run",
            _state(ran),
        )
    )
    explained = summary.names - summary.unexplained
    numbers.append(
        Fact(
            "Names accounted for",
            f"{explained:,} of {summary.names:,}",
            f"{summary.loaded} loaded, {summary.aliases} second names, {summary.unused} unused",
            "bad" if summary.unexplained else "good",
        )
    )
    sizes = [one.bytes for one in bill.artifacts]
    if sizes:
        note = f"{FORMATS.get(bill.artifacts[0].format, '')} {bill.artifacts[0].precision}"
        for other in bill.artifacts[1:]:
            note += f"; {FORMATS.get(other.format, other.format)} {megabytes(other.bytes)}"
        numbers.append(Fact("On disk", megabytes(sizes[0]), note))
    return tuple(numbers)


def _state(ran: Sequence[Comparison]) -> str:
    if not ran:
        return "open"
    return "good" if all(one.verdict == "pass" for one in ran) else "bad"


def _two(comparisons: tuple[Comparison, ...]) -> list[Fact]:
    """The two that say most: what misses its gate, then signal to noise, then agreement."""
    nearest = worst(comparisons)
    missed = nearest if nearest and not nearest[1].passed else None
    candidates = (
        ("Misses its gate most", missed),
        ("Lowest signal to noise", _lowest(comparisons, "psnr")),
        ("Lowest label agreement", _lowest(comparisons, "label_agreement")),
        ("Nearest to its gate", nearest),
        ("Largest relative error", _largest(comparisons, "relative_l2")),
    )
    taken: dict[tuple[str, str], Fact] = {}
    for label, found in candidates:
        if found:
            one, metric = found
            taken.setdefault((one.runtime + one.artifact, metric.name), _measured(label, *found))
    return list(taken.values())[:2]


def _largest(comparisons: Sequence[Comparison], ending: str) -> tuple[Comparison, Metric] | None:
    """The metric of that ending with the largest value; NaN is larger than any."""
    every = [(one, m) for one in comparisons for m in one.metrics if m.name.endswith(ending)]
    return max(every, key=lambda p: math.inf if math.isnan(p[1].value) else p[1].value,
               default=None)  # fmt: skip


def _lowest(comparisons: Sequence[Comparison], ending: str) -> tuple[Comparison, Metric] | None:
    """The metric of that ending with the smallest value, whatever its gate."""
    gated = [
        (one, metric)
        for one in comparisons
        for metric in one.metrics
        if metric.gate is not None and metric.name.endswith(ending)
    ]
    return min(gated, key=lambda p: -math.inf if math.isnan(p[1].value) else p[1].value,
               default=None)  # fmt: skip


def _measured(label: str, one: Comparison, metric: Metric) -> Fact:
    where = RUNTIMES.get(one.runtime, one.runtime)
    return Fact(
        label,
        number(metric.name, metric.value),
        f"{metric.name}, {f'gate {gate(metric)}, ' if metric.gate is not None else ''}in {where}",
        "good" if metric.passed else "bad",
    )


# ---------------------------------------------------------------------------------- the comparison
def _ordered(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Failed first, then what was run, then what was not."""
    return sorted(comparisons, key=lambda one: ("fail", "pass", "not run").index(one.verdict))


def _compared(bill: Bill, one: Comparison) -> Compared:
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


# ------------------------------------------------------------------------------ along the network
def _walked(walk: Walk) -> Walked:
    worst_first = sorted(
        walk.stations, key=lambda one: math.inf if math.isnan(one.error) else one.error,
        reverse=True,
    )  # fmt: skip
    return Walked(
        walk,
        charts.error(walk),
        charts.ranges(walk),
        tuple(worst_first[:SHOWN]),
        walk.stations[:LISTED],
        max(0, len(walk.stations) - LISTED),
    )


def _readings(
    readings: Sequence[Reading],
) -> tuple[tuple[str, tuple[str, ...], tuple[tuple[Reading, tuple[str, ...]], ...]], ...]:
    """Per artifact: the metrics' names, then each reading with its values in that order."""
    found = []
    for artifact in dict.fromkeys(one.artifact for one in readings):
        mine = [one for one in readings if one.artifact == artifact]
        names = tuple(dict.fromkeys(metric.name for one in mine for metric in one.metrics))
        rows = []
        for one in mine:
            values = {metric.name: number(metric.name, metric.value) for metric in one.metrics}
            rows.append((one, tuple(values.get(name, "") for name in names)))
        found.append((artifact, names, tuple(rows)))
    return tuple(found)


def _origin(record: Provenance) -> Origin:
    counts = Counter(one.fate for one in record.constants)
    return Origin(
        record, tuple(counts.most_common()), max(0, len(record.constants) - CONSTANTS)
    )  # fmt: skip


def _figures(pictures: Sequence[Picture]) -> tuple[Figure, ...]:
    """Pictures whose names share what stands before the slash, together."""
    groups: dict[str, list[Picture]] = {}
    for one in pictures:
        if one.png and _PNG.fullmatch(one.png):
            groups.setdefault(one.name.rpartition("/")[0], []).append(one)
    return tuple(Figure(title, tuple(many)) for title, many in groups.items())
