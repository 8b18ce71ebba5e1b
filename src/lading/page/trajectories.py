"""Walks of a diffusion network on the page: the chart of where they part, and a row for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from lading.page.charts import (
    BOTTOM,
    DOTS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Dot,
    Mark,
    Series,
    Tick,
)
from lading.record import Bill, Picture, Trajectory
from lading.record.wording import RUNTIMES, number

#: Where the chart ends upwards: float32 resolves no more.
HIGHEST = 150.0
STEP = 20
#: A line of the legend is so high.
LEGEND = 18
#: Pictures of this group belong here.
GROUP = "trajectory/"


@dataclass(frozen=True)
class Row:
    """One walk in words; `end`, `lowest` and `parts` are empty where there was none."""

    name: str
    artifact: str
    runtime: str
    end: str
    lowest: str
    parts: str
    gate: str
    state: str
    why: str


@dataclass(frozen=True)
class Moves:
    """Every move of every walk that was taken: what was told, and the dB of each."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Walks:
    """What the page says of a bill's trajectories."""

    told: str
    rows: tuple[Row, ...]
    chart: Chart | None
    moves: Moves | None
    sheets: tuple[Picture, ...]


def walks(bill: Bill, sheets: Sequence[Picture]) -> Walks | None:
    """All of it; None where the network is no diffusion network and nothing was walked."""
    many = sorted(bill.trajectories, key=lambda o: ("fail", "pass", "not run").index(o.verdict))
    if not many and bill.task.kind != "diffusion":
        return None
    told = ""
    if many:
        first = many[0]
        told = (
            f"{first.steps} moves of {first.sampler} from the noise of seed {first.seed}, the same "
            "for every network; each walks on its own values, so that an early difference is "
            "carried along. Compared is x after every move, with the original's."
        )
    taken = [one for one in many if one.psnr]
    return Walks(told, tuple(map(_row, many)), chart(taken), _moves(taken), tuple(sheets))


def name(one: Trajectory) -> str:
    """Artifact and runtime."""
    return f"{PurePath(one.artifact).name} in {RUNTIMES.get(one.runtime, one.runtime)}"


def _row(one: Trajectory) -> Row:
    end = number("psnr", one.psnr[-1]) if one.psnr else ""
    lowest = number("psnr", _lowest(one)) if one.psnr else ""
    parts = ""
    if one.psnr:
        parts = "nowhere" if one.parts is None else f"move {one.parts}, told {_at(one, one.parts)}"
    return Row(
        name(one), one.artifact, RUNTIMES.get(one.runtime, one.runtime), end, lowest, parts,
        f"≥ {number('psnr', one.gate)}", one.verdict, one.reason or one.gate_reason,
    )  # fmt: skip


def _at(one: Trajectory, move: int) -> str:
    return f"{one.told[move - 1]:g}" if move <= len(one.told) else "unknown"


def _lowest(one: Trajectory) -> float:
    """NaN is lower than any number."""
    return min(one.psnr, key=lambda value: -math.inf if math.isnan(value) else value)


def _moves(taken: Sequence[Trajectory]) -> Moves | None:
    if not taken:
        return None
    longest = max(taken, key=lambda one: len(one.psnr))
    rows = []
    for move in range(1, len(longest.psnr) + 1):
        values = tuple(
            number("psnr", one.psnr[move - 1]) if move <= len(one.psnr) else "" for one in taken
        )
        rows.append((move, _at(longest, move), values))
    return Moves(tuple(map(name, taken)), tuple(rows))


# -------------------------------------------------------------------------------------------- chart
def chart(taken: Sequence[Trajectory]) -> Chart | None:
    """dB of every walk after every move, the gates as lines; None where nothing was walked."""
    moves = max((len(one.psnr) for one in taken), default=0)
    if not moves:
        return None
    shown = [value for one in taken for value in one.psnr if math.isfinite(value)]
    gates = [one.gate for one in taken if math.isfinite(one.gate)]
    low = math.floor(max(-HIGHEST, min([*shown, *gates, 20.0])) / STEP) * STEP
    high = min(HIGHEST, math.ceil(max([*shown, *gates, 60.0]) / STEP) * STEP)

    def at(value: float) -> float:
        if math.isnan(value):
            value = low
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def along(move: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (move - 0.5) / moves, 1)

    series = []
    for place, one in enumerate(taken):
        points = [(along(move), at(value)) for move, value in enumerate(one.psnr, start=1)]
        dots = tuple(
            Dot(
                x, y,
                f"{name(one)}, move {move}, told {_at(one, move)}: "
                f"{number('psnr', one.psnr[move - 1])}",
                "first" if move == one.parts else "",
            )
            for move, (x, y) in enumerate(points, start=1)
            if moves * len(taken) <= DOTS or move == one.parts
        )  # fmt: skip
        label = f"{name(one)}: {number('psnr', one.psnr[-1])} at the end"
        foot = HEIGHT - BOTTOM + 42.0 + LEGEND * place
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        series.append(Series(label, line, dots, foot, place % 4 + 1))
    ends = "; ".join(_sentence(one) for one in taken)
    longest = max(taken, key=lambda one: len(one.psnr))
    return Chart(
        title="Where the walks part, move by move",
        alt=f"Decibels of x beside the original's after each of {moves} moves. {ends}.",
        unit="dB, from the original",
        line="",
        dots=(),
        ticks=tuple(Tick(at(level), str(level)) for level in range(low, int(high) + 1, STEP)),
        bands=(),
        limits=tuple(
            Tick(at(gate), f"gate {gate:g} dB") for gate in dict.fromkeys(gates)
        ),
        series=tuple(series),
        marks=tuple(
            Mark(along(move), f"{move}: told {_at(longest, move)}") for move in _ticks(moves)
        ),
        height=HEIGHT - BOTTOM + 36 + LEGEND * len(taken),
    )  # fmt: skip


def _sentence(one: Trajectory) -> str:
    parted = "parts nowhere" if one.parts is None else f"loses most at move {one.parts}"
    said = [number("psnr", value) for value in (one.psnr[0], _lowest(one), one.psnr[-1])]
    return (
        f"{name(one)} begins at {said[0]}, has {said[1]} at its lowest and {said[2]} at the end, "
        f"gate {one.gate:g} dB, and {parted}"
    )


def _ticks(moves: int) -> list[int]:
    """Five moves at most, first and last among them."""
    count = min(moves, 5)
    return sorted({1 + round(place * (moves - 1) / max(count - 1, 1)) for place in range(count)})
