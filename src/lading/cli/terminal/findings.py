"""Where an artifact comes from, where it departs, how it rounds, what may happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lading.cli.terminal.text import Table, first_line, words
from lading.record import Bill, Hazard, Provenance, Reading, Trajectory, Walk
from lading.record.wording import gate, number, subject, where

if TYPE_CHECKING:
    from lading.proof.between import Between


def besides(console: Console, one: Bill) -> None:
    """All of it, where there is something to say."""
    trajectories(console, one.trajectories)
    for source in one.provenance:
        provenance(console, source)
    for each in one.walks:
        walk(console, each)
    readings(console, one.readings)
    hazards(console, one.hazards)


def trajectories(console: Console, many: Sequence[Trajectory]) -> None:
    """A line for each walk: where it ends, its gate; why, where it does not pass."""
    for one in sorted(many, key=lambda one: one.verdict == "not run"):
        if one.verdict == "not run":
            text = f"  trajectory {where(one.artifact, one.runtime)}: not run, {one.reason}"
            console.print(words(text, "dim"), soft_wrap=True)
            continue
        if one.verdict == "fail":
            text = f"  trajectory {where(one.artifact, one.runtime)}: {one.reason}"
            console.print(words(text, "red"), soft_wrap=True)
            continue
        end, least = number("psnr", one.psnr[-1]), number("psnr", one.gate)
        text = f"  trajectory {where(one.artifact, one.runtime)}: {end} after {one.steps} moves of "
        text += one.sampler
        console.print(words(text) + words(f", gate ≥ {least}", "dim"), soft_wrap=True)


def provenance(console: Console, one: Provenance) -> None:
    """One line for what was made from the checkpoint, and the evidence where it was not."""
    style = "green" if one.made else "bold red" if one.refuted else "yellow"
    fates = Counter(constant.fate for constant in one.constants)
    counts = ", ".join(f"{number} {fate}" for fate, number in fates.most_common())
    text = words(f"  weights    {one.artifact}: {one.finding}", style)
    console.print(text + words(f"; {counts}", "dim"), soft_wrap=True)
    if not one.made or "; " in one.evidence:  # more than that all are the checkpoint's
        shade = "red" if one.refuted else "dim"
        console.print(words(f"    {one.evidence}", shade), soft_wrap=True)


def owner(
    console: Console, artifact: str, found: Sequence[Provenance], made: Provenance | None
) -> None:
    """Which checkpoint it was, and what was found of each."""
    if made:
        console.print(words(f"{artifact} was made from {made.checkpoint}", "bold green"))
    else:
        console.print(words(f"{artifact} was made from none of these", "bold red"))
    for one in found:
        style = "green" if one.made else "yellow"
        console.print(words(f"  {one.checkpoint}: {one.finding}", style), soft_wrap=True)
        console.print(words(f"    {one.evidence}", "dim"), soft_wrap=True)


def walk(console: Console, one: Walk, rows: int = 3) -> None:
    """The first value that departs, between its neighbours."""
    console.print(
        words(
            f"  walk       {one.artifact} in {one.runtime}, {one.precision}: {one.aligned} of "
            f"{one.values} values "
        ),
        words("aligned with the original's", "dim"),
        soft_wrap=True,
    )
    console.print(words(f"    {one.text}", "red" if one.first else "dim"), soft_wrap=True)
    names = [station.value for station in one.stations]
    if one.first not in names:
        return
    at = names.index(one.first)
    table = Table("", "value", "op", "module", ">error", "range")
    for station in one.stations[max(0, at - rows) : at + rows + 1]:
        mark = "→" if station.value == one.first else ""
        table.row(
            mark,
            words(station.value),
            words(station.op),
            words(station.module),
            f"{station.error:.2g}",
            f"{station.low:.3g} to {station.high:.3g}",
        )
    table.show(console)


def readings(console: Console, many: Sequence[Reading]) -> None:
    """A line for each way of rounding: its worst signal-to-noise ratio, and what went wrong."""
    for one in many:
        numbers = ", ".join(number(m.kind, m.value) for m in one.measurements)
        lost = [
            f"{sum(counts.values()):,} {what} at {len(counts)} value{'s' * (len(counts) > 1)}"
            for counts, what in ((one.overflows, "overflow"), (one.underflows, "underflow"))
            if counts
        ]
        if one.near_limit:
            lost.append(f"{len(one.near_limit)} values within a factor 4 of 65504")
        line = "; ".join([f"{one.artifact}, {one.name}: {numbers or 'nothing measured'}", *lost])
        console.print(words(f"  reading    {line}", "dim"), soft_wrap=True)


def hazards(console: Console, many: Sequence[Hazard]) -> None:
    """What is known to go wrong on devices though the graph is right."""
    for one in many:
        place = f" ({len(one.where)}: {one.where[0]})" if one.where else ""
        console.print(words(f"  hazard     {one.name}{place}", "yellow"), soft_wrap=True)
        console.print(words(f"    {one.symptom}; {one.versions}", "dim"), soft_wrap=True)
        console.print(words(f"    {one.remedy}; {one.issue}", "dim"), soft_wrap=True)


def between(console: Console, done: Between, values: Sequence[Mapping[str, Any]]) -> None:
    """Two sides: the verdict, the outputs, the walk, and the value that was asked for."""
    first_line(console, done.verdict, done.comparisons, done.sources, done.trajectories)
    for comparison in done.comparisons:
        dim = "dim" if comparison.verdict == "not run" else ""
        text = f"  {comparison.runtime}: {comparison.verdict}  {comparison.reason}"
        console.print(words(text, dim), soft_wrap=True)
        for m in comparison.measurements:
            limit = f"gate {gate(m)}" if m.gate is not None else "not gated"
            at = f" at {m.probe}" if m.probe else ""
            console.print(words(f"    {subject(m)} {number(m.kind, m.value)}{at}, {limit}"))
    trajectories(console, done.trajectories)
    for source in done.sources:
        provenance(console, source)
    walk(console, done.walk)
    for value in values:
        shape = "×".join(map(str, value["shape"]))
        console.print(words(f"  {value['side']}: {value['op']} {value['name']} {shape}", "bold"))
        span = f"{value['low']:.6g} to {value['high']:.6g}, mean {value['mean']:.6g}"
        numbers = ", ".join(f"{float(number):.6g}" for number in value["first"])
        console.print(words(f"    {span}; first {numbers}"))
    if done.text:
        console.print(words(f"  {done.text}"))
