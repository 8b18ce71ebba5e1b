"""What is drawn along the network: one station after the other from left to right, decades upwards,
the modules below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lading.base.drawing.chart import BOTTOM, LEFT, RIGHT, Chart, Scale, decades
from lading.record import Station, Walk

#: fp16's largest number and its smallest normal one (IEEE 754 binary16).
FP16_MAX, FP16_NORMAL = 65504.0, 2.0**-14
#: Errors and magnitudes beyond are drawn there: no dtype of these files resolves them.
FLOOR, CEILING = 1e-9, 1e30
BANDS = 26
#: Narrower bands have no label: it would lie on its neighbour's.
LABELLED = 24


def error(walk: Walk) -> Chart | None:
    """The error of every station; None where there is none."""
    if not walk.stations:
        return None
    values = [station.error for station in walk.stations]
    first, last = walk.stations[0], walk.stations[-1]
    biggest = max(walk.stations, key=lambda station: _rank(station.error))
    alt = (
        f"Relative error at {len(values)} places along the network, from {first.error:.2g} at "
        f"{_where(first)} to {last.error:.2g} at {_where(last)}; the "
        f"largest is {biggest.error:.2g} at {_where(biggest)}."
    )
    return _chart(
        walk,
        f"{walk.artifact} in {walk.runtime}, {walk.precision}: error along the network",
        alt,
        "relative error",
        decades(filter(math.isfinite, values), FLOOR, CEILING),
        lambda station: station.error,
        lambda station: "first" if station.value == walk.first else "",
        lambda station: f"{station.error:.3g}",
    )


def ranges(walk: Walk) -> Chart | None:
    """The largest magnitude of every station, against what fp16 can hold."""
    if not walk.stations:
        return None
    beyond = sum(map(_beyond, walk.stations))
    top = max(walk.stations, key=lambda station: _rank(magnitude(station)))
    alt = (
        f"The largest magnitude at {len(walk.stations)} places along the network; the largest of "
        f"all is {magnitude(top):.3g} at {_where(top)}. fp16 ends at 65,504; {beyond} places lie "
        "beyond."
    )
    values = [*map(magnitude, walk.stations), 3 * FP16_MAX, FP16_NORMAL]
    return _chart(
        walk,
        f"{walk.artifact}: values of the original, beside {walk.runtime}, {walk.precision}",
        alt,
        "largest magnitude",
        decades(values, FLOOR, CEILING),
        magnitude,
        lambda station: "beyond" if _beyond(station) else "",
        lambda station: f"{station.low:.4g} to {station.high:.4g}",
        {FP16_MAX: "fp16 ends: 65,504", FP16_NORMAL: "fp16 loses digits below 0.000061"},
    )


def magnitude(station: Station) -> float:
    """The larger of |low| and |high|."""
    return max(abs(station.low), abs(station.high))


def _chart(
    walk: Walk,
    title: str,
    alt: str,
    unit: str,
    up: Scale,
    value: Callable[[Station], float],
    state: Callable[[Station], str],
    hint: Callable[[Station], str],
    limits: dict[float, str] | None = None,
) -> Chart:
    chart = Chart(title, alt, unit, up, len(walk.stations), up.ticks())
    _bands(chart, [station.module for station in walk.stations])
    for level, label in (limits or {}).items():
        chart.limit(level, label)
    hints = [f"{_where(station)} ({station.op}): {hint(station)}" for station in walk.stations]
    chart.curve([*map(value, walk.stations)], hints, [*map(state, walk.stations)])
    return chart


def _bands(chart: Chart, modules: Sequence[str]) -> None:
    """Runs of stations of one module, as deep as there is room for."""
    best: list[tuple[str, int, int]] = []
    for depth in range(1, 8):
        runs: list[tuple[str, int, int]] = []
        for index, module in enumerate(modules):
            name = ".".join(module.split(".")[:depth])
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1], index)
            else:
                runs.append((name, index, index))
        if len(runs) > BANDS and best:
            break
        best = runs
        if len(runs) > BANDS:
            break
    best = best if len(best) <= 2 * BANDS else []
    for place, (name, first, last) in enumerate(best):
        if place % 2 == 0:
            chart.stripe(first, last)
        middle = chart.along((first + last) / 2) + 4
        width = (RIGHT - LEFT) * (last - first + 1) / len(modules)
        turned = f"translate({middle:g} {BOTTOM + 16}) rotate(-32)"
        chart.add("text", "tick", _fitting(name, width), transform=turned, text_anchor="end")


def _fitting(name: str, width: float) -> str:
    """A band's label: its end where it is long, nothing where the band is narrow."""
    if width < LABELLED:
        return ""
    return name if len(name) <= 15 else f"…{name[-14:]}"


def _beyond(station: Station) -> bool:
    return station.overflows > 0 or magnitude(station) > FP16_MAX


def _rank(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _where(station: Station) -> str:
    return station.module or station.value
