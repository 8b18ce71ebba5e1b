"""The head of the page: what was converted, and the numbers that matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from lading.record import Bill, Comparison, Measurement
from lading.record.measurement import KINDS
from lading.record.wording import ROUTES, gate, listed, megabytes, number, ran_in, subject, worst


@dataclass(frozen=True)
class Fact:
    """A labelled value; `state` colours it: ``""``, ``"good"``, ``"bad"`` or ``"open"``."""

    label: str
    value: str
    note: str = ""
    state: str = ""


def title(bill: Bill) -> str:
    """The artifacts' name; the checkpoint's where there is none."""
    stems = dict.fromkeys(PurePath(one.path).stem for one in bill.artifacts)
    return listed(stems) or PurePath(bill.checkpoint.path).name


def converted(bill: Bill) -> tuple[Fact, ...]:
    """What was converted, and by which lading."""
    summary, record = bill.ledger_summary, bill.checkpoint
    facts = [
        Fact("Checkpoint", PurePath(record.path).name,
             f"{megabytes(record.bytes)}, {record.container}"),
        Fact("Network", _network(bill), bill.task.kind),
        Fact("Weights", f"{summary.parameters:,} parameters",
             f"{summary.tensors} tensors under {summary.names} names"),
    ]  # fmt: skip
    for one in bill.artifacts:
        how = f"{one.precision}, {megabytes(one.bytes)}, by {ROUTES[one.route]}"
        facts.append(Fact(one.format_title, one.path, how))
    if bill.task.labels:
        facts.append(Fact("Classes", str(len(bill.task.labels)), ", ".join(bill.task.labels)))
    facts.append(Fact("Made by", f"lading {bill.lading}", bill.environment.get("system", "")))
    return tuple(facts)


def _network(bill: Bill) -> str:
    known = {one.name: one.value for one in bill.hyperparameters}
    name = known.get("network_class") or known.get("network") or ""
    short = str(name).rsplit(".", 1)[-1]
    return f"{bill.family}: {short}" if short else bill.family


def _probes(counts: Sequence[int]) -> str:
    """On how many it was compared.

    >>> _probes([6, 6]), _probes([15, 18])
    ('6 probes each', '15 to 18 probes')
    """
    least, most = min(counts, default=0), max(counts, default=0)
    return f"{most} probes each" if least == most else f"{least} to {most} probes"


def numbers(bill: Bill) -> tuple[Fact, ...]:
    """The few numbers that say most."""
    summary = bill.ledger_summary
    found = _two(bill.comparisons)
    ran = [one for one in bill.comparisons if one.verdict != "not run"]
    found.append(
        Fact(
            "Comparisons passed",
            f"{sum(one.verdict == 'pass' for one in ran)} of {len(ran)}",
            f"{_probes([one.probes for one in ran])}; {len(bill.comparisons) - len(ran)} not run",
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
        note = f"{bill.artifacts[0].format_title} {bill.artifacts[0].precision}"
        for other in bill.artifacts[1:]:
            note += f"; {other.format_title} {megabytes(other.bytes)}"
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
        ("Lowest signal to noise", _worst(comparisons, "psnr")),
        ("Lowest label agreement", _worst(comparisons, "label_agreement")),
        ("Nearest to its gate", nearest),
        ("Largest relative error", _worst(comparisons, "relative_l2")),
    )
    facts: dict[object, Fact] = {}
    for label, found in candidates:
        if found:
            facts.setdefault(found, _measured(label, *found))
    return list(facts.values())[:2]


def _worst(comparisons: Sequence[Comparison], kind: str) -> tuple[Comparison, Measurement] | None:
    """The worst value of a kind where the original is steady, whatever its gate; NaN is worst."""
    sign = -1.0 if KINDS[kind].better == "lower" else 1.0
    found = [(c, m) for c in comparisons for m in c.measurements if m.kind == kind and m.steady]
    return min(found, key=lambda p: -math.inf if math.isnan(p[1].value) else sign * p[1].value,
               default=None)  # fmt: skip


def _measured(label: str, one: Comparison, measured: Measurement) -> Fact:
    against = f"gate {gate(measured)}, " if measured.gate is not None else ""
    return Fact(
        label,
        number(measured.kind, measured.value),
        f"{subject(measured)}, {against}in {ran_in(one)}",
        "good" if measured.passed else "bad",
    )
