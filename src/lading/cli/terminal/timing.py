"""Times, memory and arithmetic of runtimes beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from rich.console import Console

from lading.cli.terminal.text import Table, words
from lading.record.bench import Bench, Cost, Profile, Sized, Timing
from lading.record.wording import (
    RUNTIMES,
    count,
    megabytes,
    milliseconds,
    rate,
    shape,
    share,
    where,
)


def bench(console: Console, done: Bench, top: int, out: Any = None) -> None:
    """The fastest first of all; a row a runtime; what the files weigh; how it was measured."""
    console.print(words(_answer(done), style="bold" if done.ran else "yellow"), soft_wrap=True)
    if out:
        console.print(words(f"  {out}", style="bold"), soft_wrap=True)
    _timings(console, done.timings)
    console.print()
    _sizes(console, done.sizes)
    for one in done.ran:
        if one.profile:
            _profile(console, one, one.profile, top)
    for line in _how(done):
        console.print(words(f"  {line}", style="dim"), soft_wrap=True)
    for line in done.notices:
        console.print(words(f"  {line}", style="yellow"), soft_wrap=True)


def _answer(done: Bench) -> str:
    if not done.ran:
        return f"nothing was run: {done.timings[0].reason}"
    best = min(done.ran, key=lambda one: one.median)
    took = f"{milliseconds(best.median)} a call, {rate(best.per_second)} calls/s"
    title = _title(best)
    if len(done.ran) == 1:
        return f"{title}: {took}"
    first = done.ran[0]
    beside = f", {1 / best.ratio:.2f} times as fast as {where(first.artifact, first.runtime)}"
    return f"{title} is the fastest: {took}{beside if best is not first else ''}"


def _timings(console: Console, timings: Sequence[Timing]) -> None:
    table = Table(
        "runtime", ">median", ">p95", ">CPU", ">calls/s", ">to first", ">to best", ">memory"
    )
    before = None
    for one in timings:
        if one.artifact != before:
            table.line(words(f" {PurePath(one.artifact).name}", style="bold"))
        before = one.artifact
        runtime = RUNTIMES.get(one.runtime, one.runtime)
        title = f"{runtime}, {one.unit}" if one.unit else runtime
        if one.reason:
            table.line(words(f"   {title}: not run: {one.reason}", style="yellow"))
            continue
        median, p95, cpu = (
            milliseconds(value).removesuffix(" ms") for value in (one.median, one.p95, one.cpu)
        )
        memory = "" if one.memory is None else megabytes(one.memory)
        best = "bold green" if one.to_fastest == 1 else ""
        cells = (title, median, p95, cpu, rate(one.per_second), f"{one.ratio:.2f}",
                 f"{one.to_fastest:.2f}", memory)  # fmt: skip
        table.row(*(words(cell, style=best) for cell in cells))
    table.show(console)


def _sizes(console: Console, sizes: Sequence[Sized]) -> None:
    table = Table("file", ">on disk", ">parameters", ">MACs a call")
    for one in sizes:
        cost = one.cost
        known = (f"{cost.parameters:,}", macs(cost)) if cost else ("not known",) * 2
        disk = megabytes(one.bytes) if one.bytes else "live module"
        table.row(PurePath(one.path).name, disk, *known)
    table.show(console)


def _profile(console: Console, timing: Timing, one: Profile, top: int) -> None:
    """The slowest kinds of operation and modules, or where Core ML means to run what."""
    console.print()
    title = _title(timing)
    if one.reason:
        console.print(words(f"{title}: not profiled: {one.reason}", "yellow"), soft_wrap=True)
        return
    if one.plan:
        console.print(words(f"{title}: where Core ML means to run it", "bold"), soft_wrap=True)
        table = Table("operation", "device", ">count", ">cost")
        for placed in one.plan[:top]:
            cost = "" if placed.cost is None else share(placed.cost)
            table.row(placed.op, placed.device, str(placed.count), cost)
        table.show(console)
        _more(console, len(one.plan) - top)
        return
    watched = f"{milliseconds(one.seconds)} a call while it is watched"
    console.print(words(title, "bold") + words(f": {watched}"), soft_wrap=True)
    for heading, rows in (("operation", one.by_kind), ("module", one.by_module)):
        table = Table(heading, ">ms", ">share", ">calls", "" if heading == "operation" else "of")
        for spent in rows[:top]:
            of = spent.op if heading == "module" else ""
            part = share(spent.seconds / one.seconds) if one.seconds else ""
            took, times = milliseconds(spent.seconds).removesuffix(" ms"), f"{spent.calls:g}"
            table.row(spent.name or "(between operations)", took, part, times, of)
        table.show(console)
        _more(console, len(rows) - top)


def _more(console: Console, count: int) -> None:
    if count > 0:
        console.print(words(f"   and {count} more: --top or --json", "dim"))


def _title(one: Timing) -> str:
    title = where(one.artifact, one.runtime)
    return f"{title}, {one.unit}" if one.unit else title


#: Parts of a file that are shown where not all are asked for.
FOLDED = 16


def parts(console: Console, cost: Cost, many: Sequence[Cost], *, whole: bool) -> None:
    """What a file computes and holds, by module; where those are many, by the modules around them,
    or the largest alone.

    Args:
        console: where.
        cost: of the file.
        many: its parts.
        whole: show each of them.
    """
    shown = [one for one in many if one.macs or one.parameters or one.unknown or one.bytes]
    folded = shown if whole else _folded(shown)
    more = len(folded) - FOLDED
    if not whole and more > 0:
        folded = sorted(folded, key=lambda one: (-one.macs, -one.parameters))[:FOLDED]
    table = Table("part", ">MACs a call", ">parameters", ">constants")
    for one in (*folded, replace(cost, name="all of it")):
        numbers = f"{one.parameters:,}" if one.parameters else ""
        arithmetic = macs(one) if one.macs or one.unknown else ""
        size = megabytes(one.bytes) if one.bytes else ""
        table.row(one.name or "(no module)", arithmetic, numbers, size)
    table.show(console)
    if not whole and (more > 0 or len(folded) < len(shown)):
        console.print(words(f"   of {len(shown)} parts: --tensors or --json", "dim"))
    if cost.unknown:
        text = f"  operations whose sizes the file leaves open: {cost.unknown}; see lading bench"
        console.print(words(text, "dim"), soft_wrap=True)


def _folded(many: Sequence[Cost]) -> list[Cost]:
    """Parts summed by the deepest modules around them of which there are not too many."""
    best = list(many)
    for depth in range(1, 20):
        groups: dict[str, list[Cost]] = {}
        for one in many:
            groups.setdefault(".".join(one.name.split(".")[:depth]), []).append(one)
        if len(groups) > FOLDED and depth > 1:
            break
        best = [_sum(name, group) for name, group in groups.items()]
        if len(groups) > FOLDED or len(groups) == len(many):
            break
    return best


def _sum(name: str, many: Sequence[Cost]) -> Cost:
    fields = ("macs", "unknown", "parameters", "bytes", "operations")
    return Cost(name, *(sum(getattr(one, field) for one in many) for field in fields))


def macs(cost: Cost) -> str:
    """Multiply-accumulates, as far as they are known."""
    if not cost.unknown:
        return count(cost.macs)
    return f"at least {count(cost.macs)}" if cost.macs else "not known"


def _how(done: Bench) -> list[str]:
    inputs = {name: sizes for one in done.sizes[:1] for name, sizes in one.inputs.items()}
    fed = ", ".join(f"{name} {shape(tuple(sizes))}" for name, sizes in inputs.items())
    cores = done.environment["cores"]
    threads = f"{done.threads} thread{'s' * (done.threads != 1)} on {cores} cores"
    turns = f"{done.rounds} round{'s' * (done.rounds != 1)} of alternating order"
    lines = [
        f"{threads}; input {fed}; {turns}, turns of at least {done.seconds:g} s",
        "times are ms a call, CPU of all threads; to first, to best: the median by the first "
        "row's, and by the fastest one's",
    ]
    before = [one.before for one in done.ran if one.before]
    if before:
        lines.append(
            "memory: resident at the peak, each in a process of its own; of it up to "
            f"{megabytes(max(before))} is Python with its libraries, before a file is opened"
        )
    if any(one.memory is None for one in done.ran):
        lines.append("memory is not known of a network that lives in this process")
    return lines
