"""The head of the page: the verdict in a sentence, what was carried, the numbers that matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lading.page.trajectories import name
from lading.record import Bill, Comparison, Metric
from lading.record.wording import FORMATS, RUNTIMES, gate, megabytes, number, worst

MADE = "made from this checkpoint"


@dataclass(frozen=True)
class Fact:
    """A labelled value; `state` colours it: ``""``, ``"good"``, ``"bad"`` or ``"open"``."""

    label: str
    value: str
    note: str = ""
    state: str = ""


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
        lost = [one for one in bill.trajectories if one.verdict == "fail"]
        if lost and not strange:
            told = "; ".join(f"{name(one)}: {one.reason}" for one in lost)
            return f"What was made leads elsewhere than the original. {told}."
        told = "; ".join(f"{PurePath(one.artifact).name}: {one.finding}." for one in strange)
        return f"What was made carries other weights than the checkpoint's. {told}"
    reason = next((c.reason for c in bill.comparisons if c.reason), "nothing was compared")
    return f"{names} could not be compared with the original, so nothing is proved: {reason}."


def title(bill: Bill) -> str:
    """The artifacts' name; the checkpoint's where there is none."""
    stems = dict.fromkeys(PurePath(one.path).stem for one in bill.artifacts)
    return _listed(stems) or PurePath(bill.checkpoint.path).name


def _listed(words: Any) -> str:
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def carried(bill: Bill) -> tuple[Fact, ...]:
    """What was carried, and by whom."""
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


def numbers(bill: Bill) -> tuple[Fact, ...]:
    """The few numbers that say most."""
    summary = bill.ledger_summary
    found = _two(bill.comparisons)
    ran = [one for one in bill.comparisons if one.verdict != "not run"]
    found.append(
        Fact(
            "Comparisons passed",
            f"{sum(one.verdict == 'pass' for one in ran)} of {len(ran)}",
            f"{max((one.probes for one in ran), default=0)} probes each; "
            f"{len(bill.comparisons) - len(ran)} not run",
            _state(ran),
        )
    )
    explained = summary.names - summary.unexplained
    found.append(
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
        found.append(Fact("On disk", megabytes(sizes[0]), note))
    return tuple(found)


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
