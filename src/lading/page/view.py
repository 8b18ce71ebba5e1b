"""What stands on the page, read out of the bill: words, rows and numbers, no markup.

Sections with something to work out have modules of their own beside this one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lading.base.drawing import palette
from lading.base.drawing.chart import Chart, Drawing
from lading.page import charts, settled, tables, tree
from lading.page.head import Fact, converted, numbers, title
from lading.page.measured import Compared, compared, ordered, readings
from lading.page.repeat import Repeat, repeat
from lading.page.trajectories import GROUP, Walks, walks
from lading.record import (
    Bill,
    HyperParameter,
    Picture,
    Port,
    Provenance,
    Reading,
    Snippet,
    Station,
    Walk,
)
from lading.record.wording import summary

#: Stations shown at once, worst first; and in the folded table of all.
SHOWN, LISTED = 12, 600
#: Constants listed by name.
CONSTANTS = 400
_PNG = re.compile(r"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True)
class Walked:
    """One walk along the network: two charts and its stations."""

    walk: Walk
    error: Chart | None
    ranges: Chart | None
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
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True)
class View:
    """The page, section by section."""

    bill: Bill
    title: str
    summary: str
    sections: Mapping[str, str]
    left_out: tuple[str, ...]
    legend: tuple[tuple[str, str], ...]
    converted: tuple[Fact, ...]
    numbers: tuple[Fact, ...]
    parameters: tuple[HyperParameter, ...]
    settled: tuple[settled.Settled, ...]
    ledger: tree.Node
    fates: tuple[tuple[str, int], ...]
    compared: tuple[Compared, ...]
    tables: tuple[Drawing, ...]
    figures: tuple[Figure, ...]
    trajectories: Walks | None
    walks: tuple[Walked, ...]
    readings: tuple[tuple[str, tuple[str, ...], tuple[tuple[Reading, tuple[str, ...]], ...]], ...]
    origins: tuple[Origin, ...]
    made: tuple[Made, ...]
    repeat: Repeat


def look(bill: Bill) -> View:
    """Everything that the page says about a bill."""
    there = _there(bill)
    return View(
        bill=bill,
        title=title(bill),
        sections={name: text for name, text in SECTIONS.items() if there.get(name, True)},
        left_out=tuple(
            text
            for name, text in SECTIONS.items()
            if not there.get(name, True)
            and (bill.task.kind == "diffusion" or name not in ("trajectory", "settled"))
        ),
        legend=_legend(bill),
        summary=summary(
            bill.verdict, bill.comparisons, bill.provenance, bill.trajectories, bill.refused
        ),
        converted=converted(bill),
        numbers=numbers(bill),
        parameters=bill.hyperparameters,
        settled=tuple(settled.look(one) for one in bill.settlings),
        ledger=tree.grow(bill.ledger),
        fates=tuple(Counter(line.fate for line in bill.ledger).most_common()),
        compared=tuple(compared(bill, one) for one in ordered(bill.comparisons)),
        tables=tables.charts(bill.datasets),
        figures=_figures([one for one in bill.pictures if not one.name.startswith(GROUP)]),
        trajectories=walks(bill, _whole([o for o in bill.pictures if o.name.startswith(GROUP)])),
        walks=tuple(_walked(one) for one in bill.walks),
        readings=readings(bill.readings),
        origins=tuple(_origin(one) for one in bill.provenance),
        made=tuple(
            Made(
                one,
                one.format_title,
                one.inputs,
                one.outputs,
                tuple((k, v) for k, v in one.details.items() if k not in _MACHINE),
                tuple(snippet for snippet in bill.snippets if snippet.artifact == one.path),
            )
            for one in bill.artifacts
        ),
        repeat=repeat(bill),
    )


#: What the page has, by the section's id; each is left out where the bill holds none of it.
SECTIONS = {
    "comparison": "Comparison", "pictures": "Pictures", "trajectory": "Trajectory",
    "parameters": "Hyper-parameters", "settled": "Settled by pictures", "ledger": "Ledger",
    "repairs": "Graph and repairs", "walk": "Error along the network",
    "ranges": "Ranges against fp16", "provenance": "Where constants come from",
    "hazards": "Hazards", "use": "Use the artifact", "repeat": "Repeat it",
    "environment": "Environment",
}  # fmt: skip


def _there(bill: Bill) -> dict[str, bool]:
    """Whether a bill has what a section shows; a section that is not named here always is."""
    return {
        "pictures": any(not one.name.startswith(GROUP) for one in bill.pictures),
        "trajectory": bool(bill.trajectories),
        "parameters": bool(bill.hyperparameters or bill.conflicts),
        "settled": bool(bill.settlings),
        "ledger": bool(bill.ledger),
        "repairs": bool(bill.capture or bill.checkpoint.steps),
        "walk": bool(bill.walks),
        "ranges": any(one.stations for one in bill.walks),
        "provenance": bool(bill.provenance),
        "hazards": bool(bill.hazards or bill.notices),
        "use": bool(bill.artifacts),
    }


def _legend(bill: Bill) -> tuple[tuple[str, str], ...]:
    """Of label maps the colour of each class and its name."""
    if bill.task.kind != "segmentation":
        return ()
    return tuple((palette.spelled(i), name) for i, name in enumerate(bill.task.labels))


#: Notes for programs, long and unreadable; the bill holds them.
_MACHINE = ("lading.task", "lading.options")


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


def _origin(record: Provenance) -> Origin:
    counts = Counter(one.fate for one in record.constants)
    return Origin(
        record, tuple(counts.most_common()), max(0, len(record.constants) - CONSTANTS)
    )  # fmt: skip


def _whole(pictures: Sequence[Picture]) -> list[Picture]:
    """Those that are base64 and nothing else, and those that are words alone."""
    return [one for one in pictures if _PNG.fullmatch(one.png or "")]


def _figures(pictures: Sequence[Picture]) -> tuple[Figure, ...]:
    """Pictures whose names share what stands before the slash, together."""
    groups: dict[str, list[Picture]] = {}
    for one in _whole(pictures):
        groups.setdefault(one.name.rpartition("/")[0], []).append(one)
    return tuple(Figure(title, tuple(many)) for title, many in groups.items())
