"""Probes of a diffusion network: what it sees on its way, no other.

Pictures with as much noise as there is at the first, the second, a middle and the last step. The
share of noise follows cos², which is close enough to any schedule: the network's own is not needed
to compare two files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError
from lading.interface import Interface
from lading.record import Port
from lading.task import pictures

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Point:
    """A point on the way: which kind of picture, at which step, how many samples of it."""

    kind: str
    step: int
    batch: int = 1


def points(interface: Interface) -> list[Point]:
    """Where a diffusion network is probed; at the first step also with hard edges."""
    times = [port for port in interface.inputs if port.name == "timesteps"]
    last = int(times[0].value_range[1]) if times and times[0].value_range else 0
    plan = [
        Point("shapes", 0),
        Point("stripes", 1),
        Point("shapes", last // 2),
        Point("noise", last),
        Point("extremes", 0),
    ]
    if "batch" in interface.options.dynamic:
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


def of_file(path: Path, port: Port) -> Array:
    """A picture file as the port takes it without noise.

    Raises:
        InputError: it is no picture, or the network takes none.
    """
    if len(port.shape) != 4:
        raise InputError(
            str(path),
            found=f"an input of shape {list(port.shape)}",
            expected="one picture-like input [1, C, H, W]",
            remedy="leave --data out: this network takes no pictures",
        )
    height, width = port.shape[2:]
    values = pictures.read(path, port.shape[1], (height, width))
    return pictures.for_port(values, clean(port))
