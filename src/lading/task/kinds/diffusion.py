"""From noise to a picture: a network that is called again and again.

Its probes are what it sees on its way, no other: pictures with as much noise as there is at the
first, the second, a middle and the last step. The share of noise follows cos², which is close
enough to any schedule: the network's own is not needed to compare two files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.record import Port
from lading.task import Kind, prepare
from lading.task.further import Price
from lading.task.probes import Probe, require_picture, values

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Point:
    """A point on the way: which kind of picture, at which step, how many samples of it."""

    kind: str
    step: int
    batch: int = 1


def probes(ports: Sequence[Port], dynamic: Sequence[str], data: Sequence[Path]) -> list[Probe]:
    """Those at `points`, and the user's pictures at the middle one.

    Args:
        ports: what the artifact takes; the first is x.
        dynamic: axes that are open besides.
        data: pictures or arrays; see `lading.task.prepare.file`.

    Raises:
        InputError: a file of `data` is no picture, or the network takes none.
    """
    taken = [p if p.dtype.startswith("int") else clean(p) for p in ports]
    made = []
    for seed, point in enumerate(points(ports, dynamic)):
        generator = np.random.Generator(np.random.Philox(key=seed))
        drawn = {
            p.name: values(point.kind, p, (point.batch, *p.shape[1:]), generator, {})
            for p in taken
            if p.name not in ("timesteps", "noise")
        }
        fed = inputs(ports, drawn, point, generator)
        name = f"{point.kind}-{seed} at {point.step}"
        made.append(Probe(name, point.kind, f"Philox key {seed}", fed))
    middle = points(ports, dynamic)[2]
    for number, path in enumerate(data):
        require_picture(path, ports[:1])
        generator = np.random.Generator(np.random.Philox(key=1000 + number))
        others = {p.name: values("noise", p, p.shape, generator, {}) for p in taken}
        drawn = {**others, ports[0].name: prepare.file(path, taken[0]).value}
        made.append(Probe(path.name, "data", path.name, inputs(ports, drawn, middle, generator)))
    return made


def points(ports: Sequence[Port], dynamic: Sequence[str]) -> list[Point]:
    """Where a diffusion network is probed; at the first step also with hard edges."""
    times = [port for port in ports if port.name == "timesteps"]
    last = int(times[0].value_range[1]) if times and times[0].value_range else 0
    plan = [
        Point("shapes", 0),
        Point("stripes", 1),
        Point("shapes", last // 2),
        Point("noise", last),
        Point("extremes", 0),
    ]
    if "batch" in dynamic:
        plan.append(Point("stripes", last // 3, batch=2))
    return plan


def clean(port: Port) -> Port:
    """The port as one of pictures between its bounds, without noise."""
    low, high = port.value_range or (-1.0, 1.0)
    return Port(port.name, "tensor", port.dtype, port.shape, meaning="normalised",
                value_range=(low, high))  # fmt: skip


def inputs(
    ports: Sequence[Port], drawn: Mapping[str, Array], point: Point, generator: np.random.Generator
) -> dict[str, Array]:
    """What the network is fed at a point.

    Args:
        ports: of the network.
        drawn: by name, pictures and whole numbers for the ports that take them.
        point: where.
        generator: of the noise.
    """
    last = max((p.value_range[1] for p in ports if p.name == "timesteps" and p.value_range),
               default=1.0)  # fmt: skip
    fed: dict[str, Array] = {}
    for port in ports:
        shape = (point.batch, *port.shape[1:])
        if port.name == "timesteps":
            fed[port.name] = np.full(shape, point.step, dtype=port.dtype)
        elif port.name == "noise":
            fed[port.name] = generator.standard_normal(shape).astype(port.dtype)
        elif port.name == "x":
            fed[port.name] = noised(drawn[port.name], point.step / max(last, 1.0), generator)
        else:
            fed[port.name] = drawn[port.name]
    return fed


def noised(picture: Array, way: float, generator: np.random.Generator) -> Array:
    """√a · picture + √(1 - a) · noise, with a = cos² of the way from 0 to 1."""
    angle = way * np.pi / 2
    noise = generator.standard_normal(picture.shape)
    mixed = np.cos(angle) * picture + np.sin(angle) * noise
    return np.asarray(mixed, dtype=np.float32)


def nothing_further(ports: Sequence[Port], price: Price) -> list[Probe]:
    """None: what it sees on its way is all that it ever sees."""
    return []


def own(ports: Sequence[Port], digest: str, price: Price) -> list[Probe]:
    """Somewhere on its way, as the digest of an artifact has it."""
    drawn = []
    times = [port for port in ports if port.name == "timesteps" and port.value_range]
    last = int(times[0].value_range[1]) if times else 0
    taken = [port if port.dtype.startswith("int") else clean(port) for port in ports]
    for number in range(price.own):
        key = int(digest[:16] or "0", 16) + number
        generator = np.random.Generator(np.random.Philox(key=key))
        point = Point("shapes", int(generator.integers(0, last + 1)))
        pictures = {
            p.name: values(point.kind, p, p.shape, generator, {})
            for p in taken
            if p.name not in ("timesteps", "noise")
        }
        fed = inputs(ports, pictures, point, generator)
        source = f"Philox key {key}, of the file's digest"
        drawn.append(Probe(f"own-{number} at {point.step}", "own", source, fed, only=digest))
    return drawn


KIND = Kind(probes, further=nothing_further, own=own, walks=True)
