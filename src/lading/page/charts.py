"""Where the points of a chart lie. Templates draw them; nothing here knows a colour.

The charts made here run along the network: one station after the other from left to right, a
logarithm upwards, the modules as bands below. `trajectories` makes one along a walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lading.record import Station, Walk

WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 24, 84
#: fp16's largest number and its smallest normal one (IEEE 754 binary16).
FP16_MAX, FP16_NORMAL = 65504.0, 2.0**-14
#: Errors and magnitudes beyond are drawn there: no dtype of these files resolves them.
FLOOR, CEILING = 1e-9, 1e30
#: More points than these are drawn as a line alone.
DOTS = 400
BANDS = 26
#: Narrower bands have no label: it would lie on its neighbour's.
LABELLED = 24


@dataclass(frozen=True)
class Tick:
    """A line across with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Band:
    """Stations of one module: from, to, and its name as far as it fits and whole."""

    left: float
    right: float
    label: str
    name: str


@dataclass(frozen=True)
class Dot:
    """One station. `state` is ``""``, ``"first"`` or ``"beyond"``."""

    x: float
    y: float
    told: str
    state: str = ""


@dataclass(frozen=True)
class Mark:
    """A place along with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Series:
    """One of several lines: its points, and its label with the height that this stands at. `number`
    chooses colour and dashes."""

    label: str
    line: str
    dots: tuple[Dot, ...]
    foot: float
    number: int


@dataclass(frozen=True)
class Chart:
    """All that a template needs to draw.

    Attributes:
        title: of the chart.
        alt: what it shows, in a sentence with its numbers, for who cannot see it.
        unit: of the axis upwards.
        line: points of the line, as SVG takes them.
        dots: the stations that are drawn one by one.
        ticks: upwards.
        bands: modules, along.
        limits: lines that mean something, with their labels.
        series: several lines, in place of the one.
        marks: along, in place of bands.
    """

    title: str
    alt: str
    unit: str
    line: str
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    bands: tuple[Band, ...]
    limits: tuple[Tick, ...] = ()
    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def error(walk: Walk) -> Chart | None:
    """The error of every station; None where there is none."""
    if not walk.stations:
        return None
    values = [one.error for one in walk.stations]
    whole = [value for value in values if math.isfinite(value)]
    low, high = _decades(whole)
    biggest = max(walk.stations, key=lambda one: _rank(one.error))
    alt = (
        f"Relative error at {len(values)} places along the network, from {values[0]:.2g} at "
        f"{_where(walk.stations[0])} to {values[-1]:.2g} at {_where(walk.stations[-1])}; the "
        f"largest is {biggest.error:.2g} at {_where(biggest)}."
    )
    return _chart(
        walk,
        f"{walk.artifact} in {walk.runtime}, {walk.precision}",
        alt,
        "relative error",
        values,
        (low, high),
        lambda one: "first" if one.value == walk.first else "",
        lambda one: f"{_where(one)} ({one.op}): {one.error:.3g}",
    )


def ranges(walk: Walk) -> Chart | None:
    """The largest magnitude of every station, against what fp16 can hold."""
    if not walk.stations:
        return None
    values = [magnitude(one) for one in walk.stations]
    low, high = _decades([*values, 3 * FP16_MAX, FP16_NORMAL])
    beyond = sum(one.overflows > 0 or magnitude(one) > FP16_MAX for one in walk.stations)
    top = max(walk.stations, key=lambda one: _rank(magnitude(one)))
    alt = (
        f"The largest magnitude at {len(values)} places along the network; the largest of all is "
        f"{magnitude(top):.3g} at {_where(top)}. fp16 ends at 65,504; {beyond} places lie beyond."
    )
    chart = _chart(
        walk,
        f"{walk.artifact}: values of the original",
        alt,
        "largest magnitude",
        values,
        (low, high),
        lambda one: "beyond" if one.overflows or magnitude(one) > FP16_MAX else "",
        lambda one: f"{_where(one)} ({one.op}): {one.low:.4g} to {one.high:.4g}",
    )
    limits = (
        Tick(_y(FP16_MAX, low, high), "fp16 ends: 65,504"),
        Tick(_y(FP16_NORMAL, low, high), "fp16 loses digits below 0.000061"),
    )
    return Chart(**{**chart.__dict__, "limits": limits})


def magnitude(one: Station) -> float:
    """The larger of |low| and |high|."""
    return max(abs(one.low), abs(one.high))


def _chart(
    walk: Walk,
    title: str,
    alt: str,
    unit: str,
    values: Sequence[float],
    bounds: tuple[int, int],
    state: Callable[[Station], str],
    told: Callable[[Station], str],
) -> Chart:
    low, high = bounds
    count = len(values)
    xs = [_x(index, count) for index in range(count)]
    ys = [_y(value, low, high) for value in values]
    dots = tuple(
        Dot(x, y, told(one), state(one))
        for x, y, one in zip(xs, ys, walk.stations, strict=True)
        if count <= DOTS or state(one)
    )
    step = max(1, (high - low) // 8)
    return Chart(
        title,
        alt,
        unit,
        " ".join(f"{x:g},{y:g}" for x, y in zip(xs, ys, strict=True)),
        dots,
        tuple(Tick(_y(10.0**e, low, high), _power(e)) for e in range(low, high + 1, step)),
        _bands([one.module for one in walk.stations]),
    )


def _bands(modules: Sequence[str]) -> tuple[Band, ...]:
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
    half = (WIDTH - LEFT - RIGHT) / max(1, len(modules)) / 2
    return tuple(
        Band(
            round(_x(first, len(modules)) - half, 1),
            round(_x(last, len(modules)) + half, 1),
            _fitting(name, (last - first + 1) * 2 * half),
            name,
        )
        for name, first, last in best
    )


def _fitting(name: str, width: float) -> str:
    """A band's label: its end where it is long, nothing where the band is narrow."""
    if width < LABELLED:
        return ""
    return name if len(name) <= 15 else f"…{name[-14:]}"


def _x(index: int, count: int) -> float:
    room = WIDTH - LEFT - RIGHT
    return round(LEFT + room * (index + 0.5) / count, 1)


def _y(value: float, low: int, high: int) -> float:
    room = HEIGHT - TOP - BOTTOM
    if math.isnan(value) or value == math.inf:
        return float(TOP)
    power = math.log10(value) if value > FLOOR else math.log10(FLOOR)
    share = (min(max(power, low), high) - low) / (high - low)
    return round(HEIGHT - BOTTOM - room * share, 1)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    positive = [min(max(value, FLOOR), CEILING) for value in values if value > 0] or [FLOOR, 1.0]
    low = math.floor(math.log10(min(positive)))
    high = math.ceil(math.log10(max(positive)))
    return (low, high) if high > low else (low, low + 1)


def _rank(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _where(one: Station) -> str:
    return one.module or one.value


def _power(exponent: int) -> str:
    if -2 <= exponent <= 4:
        return f"{10.0**exponent:g}"
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "10" + str(exponent).translate(raised)
