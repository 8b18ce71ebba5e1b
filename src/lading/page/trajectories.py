"""Walks of a diffusion network on the page: the chart of where they part, and a row for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lading.base.drawing.chart import DOTS, Chart, Scale, few
from lading.record import Bill, Picture, Trajectory
from lading.record.wording import RUNTIMES, number, where

#: dB from one line across to the next.
STEP = 20
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
    """Every move of every walk that was taken: the time step, and the dB of each."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Walks:
    """What the page says of a bill's trajectories."""

    text: str
    rows: tuple[Row, ...]
    chart: Chart | None
    moves: Moves | None
    sheets: tuple[Picture, ...]


def walks(bill: Bill, sheets: Sequence[Picture]) -> Walks | None:
    """All of it; None where the network is no diffusion network and nothing was walked."""
    many = sorted(bill.trajectories, key=lambda o: ("fail", "pass", "not run").index(o.verdict))
    if not many and bill.task.kind != "diffusion":
        return None
    text = ""
    if many:
        first = many[0]
        text = (
            f"{first.steps} moves of {first.sampler} from the noise of seed {first.seed}, the same "
            "for every network; each walks on its own values, so that an early difference is "
            "part of every later move. Compared is x after every move, with the original's."
        )
    taken = [one for one in many if one.psnr]
    return Walks(text, tuple(map(_row, many)), chart(taken), _moves(taken), tuple(sheets))


def _row(one: Trajectory) -> Row:
    end = number("psnr", one.psnr[-1]) if one.psnr else ""
    lowest = number("psnr", _lowest(one)) if one.psnr else ""
    parts = ""
    if one.psnr:
        move = one.parts
        parts = "nowhere" if move is None else f"move {move}, time step {_at(one, move)}"
    return Row(
        _name(one), one.artifact, RUNTIMES.get(one.runtime, one.runtime), end, lowest, parts,
        f"≥ {number('psnr', one.gate)}", one.verdict, one.reason or one.gate_reason,
    )  # fmt: skip


def _at(one: Trajectory, move: int) -> str:
    if move > len(one.timesteps):
        return "unknown"
    timestep = one.timesteps[move - 1]
    return "nothing" if math.isnan(timestep) else f"{timestep:g}"


def _name(one: Trajectory) -> str:
    return where(one.artifact, one.runtime)


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
    return Moves(tuple(map(_name, taken)), tuple(rows))


# -------------------------------------------------------------------------------------------- chart
def chart(taken: Sequence[Trajectory]) -> Chart | None:
    """dB of every walk after every move, the gates as lines; None where nothing was walked."""
    moves = max((len(one.psnr) for one in taken), default=0)
    if not moves:
        return None
    shown = [value for one in taken for value in one.psnr if math.isfinite(value)]
    gates = [one.gate for one in taken if math.isfinite(one.gate)]
    low = math.floor(max(-Trajectory.EQUAL, min([*shown, *gates, 20.0])) / STEP) * STEP
    high = min(Trajectory.EQUAL, math.ceil(max([*shown, *gates, 60.0]) / STEP) * STEP)
    ends = "; ".join(_sentence(one) for one in taken)
    drawn = Chart(
        "Where the walks part, move by move",
        f"Decibels of x beside the original's after each of {moves} moves. {ends}.",
        "dB, from the original",
        Scale(low, high, lost=low),
        moves,
        [(float(level), str(level)) for level in range(low, int(high) + 1, STEP)],
        legend=len(taken),
        name="parting",
    )
    longest = max(taken, key=lambda one: len(one.psnr))
    for gate in sorted(dict.fromkeys(gates)):
        whose = ", ".join(_name(one) for one in taken if one.gate == gate)
        drawn.limit(gate, f"gate {gate:g} dB: {whose}")
    for place in few(moves):
        drawn.mark(place, f"{place + 1}: t {_at(longest, place + 1)}")
    for row, one in enumerate(taken):
        said = [f"{_name(one)}, move {move}, time step {_at(one, move)}: {number('psnr', value)}"
                for move, value in enumerate(one.psnr, start=1)]  # fmt: skip
        states = ["first" if move + 1 == one.parts else "" for move in range(len(one.psnr))]
        series = f"series-{row % 4 + 1}"
        drawn.curve(one.psnr, said, states, series, DOTS // len(taken))
        drawn.legend(row, f"{_name(one)}: {number('psnr', one.psnr[-1])} at the end", series)
    return drawn


def _sentence(one: Trajectory) -> str:
    parted = "parts nowhere" if one.parts is None else f"loses most at move {one.parts}"
    said = [number("psnr", value) for value in (one.psnr[0], _lowest(one), one.psnr[-1])]
    return (
        f"{_name(one)} begins at {said[0]}, has {said[1]} at its lowest and {said[2]} at the end, "
        f"gate {one.gate:g} dB, and {parted}"
    )
