"""Probes beyond the standing ones: other magnitudes, single spikes, every row of a table, a draw
that nobody knows beforehand.

A file may be right wherever the standing probes look and wrong elsewhere: cut off at a value, with
a row of a table exchanged, or with the answers to the very probes in it. So the values go from
small to large where nothing bounds them, every whole number that the network takes is fed once
where that fits, and some probes are drawn from the artifact's own digest: the same for the same
bytes, and unknown to who made them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.record import Port
from lading.task.probes import Probe, values

Array = npt.NDArray[Any]

#: Scales of standard normal noise, where nothing bounds the input.
MAGNITUDES = (1e-3, 30.0, 1e3)


@dataclass(frozen=True)
class Price:
    """How many probes of each kind are drawn: a choice of three, by what one call costs. Never by
    a clock: the same network is fed the same on every computer.

    Attributes:
        magnitudes: of `MAGNITUDES`.
        spikes: constant but for one value.
        blocks: of whole numbers, each at most once.
        own: drawn from the artifact's digest.
        sizes: that the artifact claims to take.
    """

    magnitudes: tuple[float, ...]
    spikes: int
    blocks: int
    own: int
    sizes: int

    @staticmethod
    def of(operations: float | None) -> Price:
        """What is bearable where one call takes so many floating-point operations; None where
        nobody knows.

        >>> Price.of(1e9).own, Price.of(1e12).own
        (2, 1)
        """
        if operations is not None and operations < 1e10:
            return Price(MAGNITUDES, 2, 16, 2, 8)
        if operations is None or operations < 2e11:
            return Price((MAGNITUDES[0], MAGNITUDES[-1]), 1, 4, 1, 4)
        return Price((), 0, 1, 1, 2)


def further(ports: Sequence[Port], price: Price) -> list[Probe]:
    """Probes of any artifact, at the default shapes.

    Args:
        ports: what it takes.
        price: how many.
    """
    drawn: list[Probe] = []
    bounded = all(_bounded(port) for port in ports)
    if not bounded:
        for number, scale in enumerate(price.magnitudes):
            noise = _mixed(ports, 200 + number, partial(_scaled, scale))
            drawn.append(Probe(f"noise times {scale:g}", "magnitude", noise[0], noise[1], far=True))
    if any(not _whole(port) for port in ports):
        for number in range(price.spikes):
            made = _mixed(ports, 210 + number, partial(_spike, number))
            drawn.append(Probe(f"spike-{number}", "spike", made[0], made[1]))
        if price.spikes:
            made = _mixed(ports, 214, _sparse)
            drawn.append(Probe("sparse-0", "spike", made[0], made[1]))
    return drawn + _rows(ports, price.blocks)


def own(ports: Sequence[Port], digest: str, price: Price) -> list[Probe]:
    """Probes of one artifact: noise, of which every second value is left at rest.

    Args:
        ports: what it takes.
        digest: of its bytes, in hexadecimal.
        price: how many.
    """
    drawn = []
    for number in range(price.own):
        key = int(digest[:16] or "0", 16) + number
        scale = 1.0 if number % 2 == 0 else 3.0

        def value(port: Port, generator: np.random.Generator, scale: float = scale) -> Array:
            made = _noise(port, generator)
            if _bounded(port):
                return made
            return made * scale * (generator.integers(0, 2, made.shape) if scale > 1.0 else 1.0)

        source, inputs = _mixed(ports, key, value)
        name = f"own-{number}"
        drawn.append(Probe(name, "own", f"{source}, of the file's digest", inputs, only=digest))
    return drawn


def sized(port: Port, shape: tuple[int, ...], digest: str) -> Probe:
    """A probe of another shape of the one input."""
    generator = np.random.Generator(np.random.Philox(key=300))
    raw: dict[str, Array] = {}
    inputs = {port.name: values("shapes", port, shape, generator, raw)}
    text = "x".join(map(str, shape))
    return Probe(f"size {text}", "size", "Philox key 300", inputs, raw, only=digest)


def _mixed(
    ports: Sequence[Port], key: int, value: Callable[[Port, np.random.Generator], Array]
) -> tuple[str, dict[str, Array]]:
    """Values for all ports from one generator, whole numbers as noise has them; and its name."""
    generator = np.random.Generator(np.random.Philox(key=key))
    inputs = {}
    for port in ports:
        made = _noise(port, generator) if _whole(port) else value(port, generator)
        if port.kind == "image":  # a picture has whole levels only
            made = np.rint(made)
        inputs[port.name] = np.ascontiguousarray(made, dtype=port.dtype)
    return f"Philox key {key}", inputs


def _noise(port: Port, generator: np.random.Generator) -> Array:
    return values("noise", port, port.shape, generator, {})


def _scaled(scale: float, port: Port, generator: np.random.Generator) -> Array:
    made = _noise(port, generator)
    return made if _bounded(port) else made * scale


def _spike(number: int, port: Port, generator: np.random.Generator) -> Array:
    """The lowest value, or a middle one, everywhere but in one place; of what is unbounded, 0 or
    5."""
    low, high = port.value_range or (0.0, 10.0)
    made = np.full(port.shape, low if number % 2 == 0 else (low + high) / 2.0)
    if made.size:
        made.reshape(-1)[generator.integers(made.size)] = high
    return made


def _sparse(port: Port, generator: np.random.Generator) -> Array:
    """Noise in one place of twenty, else the lowest value, or 0."""
    low = port.value_range[0] if port.value_range else 0.0
    return np.where(generator.random(port.shape) < 0.05, _noise(port, generator), low)


def _rows(ports: Sequence[Port], blocks: int) -> list[Probe]:
    """Every whole number that any port takes, in shuffled blocks: as many as fit."""
    tables = [port for port in ports if _whole(port) and port.value_range and port.shape]
    if not tables or not blocks:
        return []
    generator = np.random.Generator(np.random.Philox(key=220))
    streams = {}
    for port in tables:
        low, high = (int(bound) for bound in port.value_range)
        room = blocks * int(np.prod(port.shape))
        every = low + generator.permutation(min(high - low + 1, 2**24))[:room]
        streams[port.name] = every
    most = max(
        -(-len(every) // max(1, int(np.prod(port.shape))))
        for port, every in zip(tables, streams.values(), strict=True)
    )
    drawn = []
    for number in range(most):
        source, inputs = _mixed(ports, 221 + number, _noise)
        for port in tables:
            count = int(np.prod(port.shape))
            places = np.arange(number * count, (number + 1) * count) % len(streams[port.name])
            taken = streams[port.name][places].reshape(port.shape)
            inputs[port.name] = np.ascontiguousarray(taken, dtype=port.dtype)
        drawn.append(Probe(f"rows-{number}", "rows", source, inputs))
    return drawn


def claimed(port: Port, theirs: Port, most: int) -> list[tuple[int, ...]]:
    """Shapes that a file takes besides the default one: every listed one; of what is open, both
    ends, more than the default, inner ones that are no multiple of anything, and a larger batch.

    Args:
        port: what the network takes: its default shape, and what sizes must be multiples of.
        theirs: as the file says it.
        most: how many.
    """
    if theirs.enumerated:
        return [shape for shape in theirs.enumerated if shape != port.shape]
    bounds = theirs.ranges or tuple((n, n) if n > 0 else (1, -1) for n in theirs.shape)
    if len(bounds) != len(port.shape):
        return []
    steps = port.multiples or (1,) * len(port.shape)
    open_axes = [axis for axis, (low, high) in enumerate(bounds) if low != high]
    found: list[tuple[int, ...]] = []

    def at(part: Callable[[int, int], float]) -> tuple[int, ...]:
        """Every open axis somewhere between its ends; `part` of the axis and of its number."""
        shape = list(port.shape)
        for place, axis in enumerate(open_axes):
            low, high = bounds[axis]
            if axis == 0:
                low, high = max(1, low), high if high > 0 else 5
            else:
                low = max(low, steps[axis], 1 if theirs.ranges else -(-port.shape[axis] // 2))
                high = high if high > 0 else 3 * port.shape[axis]
            wanted = low + part(place, axis) * (high - low)
            whole = int(-(-wanted // steps[axis]) * steps[axis])
            shape[axis] = min(max(whole, low), high // steps[axis] * steps[axis])
        return tuple(shape)

    if open_axes == [0]:
        found = [(n, *port.shape[1:]) for n in (2, 5, 1) if bounds[0][1] < 0 or n <= bounds[0][1]]
    elif open_axes:
        thirds = (0.37, 0.61, 0.83, 0.29)
        found = [
            at(lambda place, axis: 1.0),
            at(lambda place, axis: thirds[place % 4]),
            at(lambda place, axis: 0.0),
            at(lambda place, axis: thirds[(place + 1) % 4]),
            at(lambda place, axis: float(place % 2)),
            at(lambda place, axis: float((place + 1) % 2)),
            at(lambda place, axis: 0.5),
        ]
    return [one for one in dict.fromkeys(found) if one != port.shape][:most]


def _whole(port: Port) -> bool:
    return port.dtype.startswith("int")


def _bounded(port: Port) -> bool:
    return _whole(port) or bool(port.value_range)
