"""Probes: the inputs that a comparison uses.

Seeded noise says most about arithmetic; structured pictures drive a network where it will be used;
zeros and extremes find overflow, division by nothing and missing clamps; the user's own files are
the real thing. All are made from one counter-based generator, so that they are the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError
from lading.interface import Interface
from lading.proof import noised
from lading.record import Port, ProbeRecord
from lading.task import pictures

Array = npt.NDArray[Any]

#: Standard deviations that z-scored pictures reach: speckle and saturated annotations.
NORMALISED_RANGE = (-4.0, 8.0)


@dataclass(frozen=True)
class Probe:
    """Inputs by port name, and where they come from.

    `raw` holds, for pictures, the grey levels or RGB values 0-255 [N, C, *] that they are made of.
    """

    name: str
    kind: str
    source: str
    inputs: Mapping[str, Array]
    raw: Mapping[str, Array] = field(default_factory=dict)

    def record(self) -> ProbeRecord:
        """Name, kind, source and the digest of the inputs' bytes."""
        state = hashlib.sha256()
        for name, array in self.inputs.items():
            state.update(f"{name}{array.dtype}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return ProbeRecord(self.name, self.kind, self.source, state.hexdigest())

    @property
    def varied(self) -> bool:
        """Whether some input is not constant: a constant one may rightly give a constant output."""
        return any(array.size > 1 and array.min() != array.max() for array in self.inputs.values())


def make(interface: Interface, data: Sequence[Path] = ()) -> list[Probe]:
    """All probes for an interface: the standing ones, other sizes where allowed, the user's files.

    Args:
        interface: what the artifact takes.
        data: pictures or arrays; see `lading.task.pictures.read`.

    Raises:
        InputError: a file of `data` is no picture or does not fit.
    """
    ports = interface.inputs
    if interface.task.kind == "diffusion":
        return _on_the_way(interface, data)
    probes = [
        _draw("noise", ports, 0),
        _draw("noise", ports, 1),
        _draw("shapes", ports, 2),
        _draw("stripes", ports, 3),
        _draw("extremes", ports, 4),
        _draw("zeros", ports, 5),
    ]
    for number, shape in enumerate(_other_shapes(interface)):
        probes.append(_draw("shapes", ports, 10 + number, shape if len(ports) == 1 else shape[:1]))
    if len(ports) == 1 and len(ports[0].shape) == 4:
        probes += [_from_file(path, ports[0]) for path in data]
    elif data:
        raise InputError(
            str(data[0]),
            found=f"{len(ports)} input(s) of shape {list(ports[0].shape)}",
            expected="one picture-like input [1, C, H, W]",
            remedy="leave --data out: this network takes no pictures",
        )
    return probes


def _on_the_way(interface: Interface, data: Sequence[Path]) -> list[Probe]:
    """Those of a diffusion network; see `noised`."""
    ports, picture = interface.inputs, interface.inputs[0]
    taken = [p if p.dtype.startswith("int") else noised.clean(p) for p in ports]
    probes = []
    for seed, point in enumerate(noised.points(interface)):
        generator = np.random.Generator(np.random.Philox(key=seed))
        drawn = {
            p.name: _values(point.kind, p, (point.batch, *p.shape[1:]), generator, {})
            for p in taken
            if p.name not in ("timesteps", "noise")
        }
        name = f"{point.kind}-{seed} at {point.step}"
        inputs = noised.inputs(ports, drawn, point, generator)
        probes.append(Probe(name, point.kind, f"Philox key {seed}", inputs))
    middle = noised.points(interface)[2]
    for number, path in enumerate(data):
        generator = np.random.Generator(np.random.Philox(key=1000 + number))
        others = {p.name: _values("noise", p, p.shape, generator, {}) for p in taken}
        drawn = {**others, picture.name: noised.of_file(path, picture)}
        inputs = noised.inputs(ports, drawn, middle, generator)
        probes.append(Probe(path.name, "data", path.name, inputs))
    return probes


def files_in(folder: Path) -> list[Path]:
    """The pictures and arrays in a folder, sorted; or the one file itself.

    Raises:
        InputError: it does not exist or holds none.
    """
    if folder.is_file():
        return [folder]
    found = sorted(
        p for p in folder.glob("*") if p.is_file() and p.suffix.lower() in pictures.SUFFIXES
    )
    if not found:
        raise InputError(
            str(folder),
            found="no such folder" if not folder.exists() else "no picture or array in it",
            expected=f"a folder with {', '.join(pictures.SUFFIXES)} files",
            remedy="check the path given to --data",
        )
    return found


def fits(probe: Probe, ports: Iterable[Port]) -> bool:
    """Whether an artifact with these input ports takes the probe's shapes."""
    return all(_allows(port, probe.inputs[port.name].shape) for port in ports)


def _allows(port: Port, shape: tuple[int, ...]) -> bool:
    if port.enumerated:
        return shape in port.enumerated
    if not port.ranges:
        return shape == port.shape
    steps = port.multiples or (1,) * len(shape)
    return len(shape) == len(port.ranges) and all(
        low <= n <= high and n % step == 0
        for n, (low, high), step in zip(shape, port.ranges, steps, strict=True)
    )


def _other_shapes(interface: Interface) -> list[tuple[int, ...]]:
    """Shapes beyond the default that the options allow: every listed one, the corners of the
    ranges, a batch of two, one step larger.
    """
    port, dynamic = interface.inputs[0], interface.options.dynamic
    shapes = list(port.enumerated)
    if port.ranges:
        shapes += [tuple(bounds[i] for bounds in port.ranges) for i in (0, 1)]
    if "batch" in dynamic:
        shapes.append((2, *port.shape[1:]))
    if "size" in dynamic:
        steps = port.multiples or (1,) * len(port.shape)
        grown = (n + step for n, step in zip(port.shape[2:], steps[2:], strict=True))
        shapes.append((*port.shape[:2], *grown))
    return [shape for shape in dict.fromkeys(shapes) if shape != port.shape]


def _draw(kind: str, ports: Sequence[Port], seed: int, shape: tuple[int, ...] = ()) -> Probe:
    generator = np.random.Generator(np.random.Philox(key=seed))
    raw: dict[str, Array] = {}
    inputs = {
        port.name: _values(kind, port, (*shape, *port.shape[len(shape) :]), generator, raw)
        for port in ports
    }
    name = f"{kind}-{seed}" + (f"-{'x'.join(map(str, shape))}" if shape else "")
    return Probe(name, kind, f"Philox key {seed}", inputs, raw)


def _values(
    kind: str,
    port: Port,
    shape: tuple[int, ...],
    generator: np.random.Generator,
    raw: dict[str, Array],
) -> Array:
    """The values of one port; `raw` takes the picture that they are made of, if they are."""
    if port.dtype.startswith("int"):
        return _ids(kind, port, shape, generator)
    normalised = port.meaning.startswith("normalised")
    if len(shape) < 3 and kind in ("shapes", "stripes"):
        kind = "noise"  # no picture
    low, high = port.value_range or NORMALISED_RANGE
    if kind == "zeros":
        values = np.zeros(shape)
    elif kind == "extremes":
        coarse = generator.integers(0, 2, size=[max(1, -(-n // 8)) for n in shape[2:]])
        for axis, size in enumerate(shape[2:]):
            coarse = coarse.repeat(8, axis=axis).take(range(size), axis=axis)
        values = np.broadcast_to(np.where(coarse, high, low), shape)
    elif kind == "noise":
        if not port.value_range:
            values = generator.standard_normal(shape)
        elif normalised:
            values = generator.uniform(low, high, shape)
        else:
            values = np.floor(generator.uniform(low, high + 1, shape)).clip(low, high)
    else:
        draw = _shapes if kind == "shapes" else _stripes
        # Each sample its own: in a batch of equal ones a mix-up of samples would not show.
        samples = [
            np.stack([draw(shape[2:], generator) for _ in range(shape[1])]) for _ in range(shape[0])
        ]
        raw[port.name] = np.rint(np.stack(samples) * 255.0)
        values = np.concatenate([pictures.for_port(one, port) for one in raw[port.name]])
    return np.ascontiguousarray(values, dtype=port.dtype)


def _ids(kind: str, port: Port, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Whole numbers of the port's range along the last axis, as token ids are.

    Noise is any of them; shapes are a run of any, then padding with the lowest, as a short text is;
    stripes walk through the range in even steps from somewhere; extremes take either end; zeros
    are the lowest everywhere, as any less would be out of range.
    """
    low, high = (int(bound) for bound in port.value_range or (0, 1))
    values: Array
    if kind == "zeros":
        values = np.full(shape, low)
    elif kind == "extremes":
        values = np.where(generator.integers(0, 2, shape), high, low)
    elif kind == "stripes":
        step = generator.integers(1, max(2, (high - low) // 8))
        walk = generator.integers(low, high + 1) - low + step * np.arange(shape[-1])
        values = np.broadcast_to(low + walk % (high - low + 1), shape)
    else:
        values = generator.integers(low, high + 1, shape)
        if kind == "shapes":
            values[..., generator.integers(1, shape[-1] + 1) :] = low
    return np.ascontiguousarray(values, dtype=port.dtype)


def _grid(size: Sequence[int]) -> list[Array]:
    """Coordinates -1 to 1 along each axis, broadcastable."""
    return list(np.meshgrid(*[np.linspace(-1.0, 1.0, n) for n in size], indexing="ij", sparse=True))


def _shapes(size: Sequence[int], generator: np.random.Generator) -> Array:
    """Ellipses of several grey levels on a gradient, with speckle. Values 0 to 1."""
    axes = _grid(size)
    tilt = generator.uniform(-0.2, 0.2, len(axes))
    plane = 0.3 + sum(slope * axis for slope, axis in zip(tilt, axes, strict=True))
    for _ in range(6):
        centre = generator.uniform(-0.7, 0.7, len(axes))
        radius = generator.uniform(0.15, 0.5, len(axes))
        level = generator.uniform(0.0, 1.0)
        inside = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radius, strict=True)) < 1
        plane = np.where(inside, level, plane)
    return _speckled(np.asarray(plane), generator)


def _stripes(size: Sequence[int], generator: np.random.Generator) -> Array:
    """Waves of growing frequency along a slanted axis, with speckle. Values 0 to 1."""
    axes = _grid(size)
    direction = generator.standard_normal(len(axes))
    direction /= np.linalg.norm(direction)
    along = sum(d * axis for d, axis in zip(direction, axes, strict=True))
    return _speckled(0.5 + 0.5 * np.sin(8.0 * (along + 1.5) ** 2), generator)


def _speckled(plane: Array, generator: np.random.Generator) -> Array:
    """Multiplicative Rayleigh noise of mean 1: no sensor makes a picture without texture."""
    speckle = generator.rayleigh(1.0, plane.shape) / np.sqrt(np.pi / 2)
    return np.asarray(np.clip(plane * speckle, 0.0, 1.0))


def _from_file(path: Path, port: Port) -> Probe:
    height, width = port.shape[2:]
    values = pictures.read(path, port.shape[1], (height, width))
    fed = {port.name: pictures.for_port(values, port)}
    return Probe(path.name, "data", path.name, fed, {port.name: values[None]})
