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
from lading.record import Port, ProbeRecord
from lading.task import letters, pictures, prepare

Array = npt.NDArray[Any]

#: Standard deviations that z-scored pictures reach: speckle and saturated annotations.
NORMALISED_RANGE = (-4.0, 8.0)


@dataclass(frozen=True)
class Probe:
    """Inputs by port name, and where they come from.

    Attributes:
        raw: for pictures, the grey levels or RGB values 0-255 [N, C, *] that they are made of.
        far: whether its values are beyond what a user feeds: what an fp16 artifact makes of them as
            it rounds is not judged, its graph is.
        only: digest of the artifact that it was drawn for; empty where it is for any.
        calls: how many calls, the first axis of every input; 0 for one without that axis.
    """

    name: str
    kind: str
    source: str
    inputs: Mapping[str, Array]
    raw: Mapping[str, Array] = field(default_factory=dict)
    far: bool = False
    only: str = ""
    calls: int = 0

    def record(self) -> ProbeRecord:
        """Name, kind, source and the digest of the inputs' bytes."""
        state = hashlib.sha256()
        for name, array in self.inputs.items():
            state.update(f"{name}{array.dtype}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return ProbeRecord(self.name, self.kind, self.source, state.hexdigest())

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an input in one call."""
        shape = self.inputs[name].shape
        return shape[1:] if self.calls else shape

    @property
    def varied(self) -> bool:
        """Whether some input is not constant: a constant one may rightly give a constant output."""
        return any(array.size > 1 and array.min() != array.max() for array in self.inputs.values())


def standing(ports: Sequence[Port], dynamic: Sequence[str], data: Sequence[Path]) -> list[Probe]:
    """The standing ones, other sizes where these are allowed, and the user's files.

    Args:
        ports: what the artifact takes.
        dynamic: axes that are open besides: any of ``"batch"``, ``"size"``.
        data: pictures or arrays; see `lading.task.prepare.file`.

    Raises:
        InputError: a file of `data` is no picture or does not fit.
    """
    probes = [
        _draw("noise", ports, 0),
        _draw("noise", ports, 1),
        _draw("shapes", ports, 2),
        _draw("stripes", ports, 3),
        _draw("extremes", ports, 4),
        _draw("zeros", ports, 5),
    ]
    if any(port.letters for port in ports):
        for number, sizes in enumerate(letters.assignments(ports, 3)):
            probes.append(at_sizes(ports, sizes, 10 + number))
    else:
        for number, shape in enumerate(_other_shapes(ports[0], dynamic)):
            head = shape if len(ports) == 1 else shape[:1]
            probes.append(_draw("shapes", ports, 10 + number, head))
    for path in data:
        require_picture(path, ports)
        made = prepare.file(path, ports[0])
        raw = {} if made.levels is None else {ports[0].name: made.levels}
        probes.append(Probe(path.name, "data", path.name, {ports[0].name: made.value}, raw))
    return probes


def require_picture(path: Path, ports: Sequence[Port]) -> None:
    """Passes only where `ports` are one picture.

    Raises:
        InputError: they are not, and there is no use for the file.
    """
    if len(ports) == 1 and len(ports[0].shape) == 4:
        return
    raise InputError(
        str(path),
        found="a network that takes " + ", ".join(f"{p.name} {list(p.shape)}" for p in ports),
        expected="one picture-like input [1, C, H, W]",
        remedy="leave --data out: this network takes no pictures",
    )


def files_in(folder: Path, more: Sequence[str] = ()) -> list[Path]:
    """The pictures and arrays in a folder, sorted; or the one file itself.

    Args:
        folder: or file.
        more: suffixes of what else is looked for.

    Raises:
        InputError: it does not exist or holds none.
    """
    if folder.is_file():
        return [folder]
    known = (*pictures.FILES, *more)
    found = sorted(p for p in folder.glob("*") if p.is_file() and p.name.lower().endswith(known))
    if not found:
        raise InputError(
            str(folder),
            found="no such folder" if not folder.exists() else "no picture or array in it",
            expected=f"a folder with {', '.join(known)} files",
            remedy="check the path given to --data",
        )
    return found


def fits(probe: Probe, ports: Iterable[Port]) -> bool:
    """Whether an artifact with these input ports takes the probe's shapes."""
    return all(port.allows(probe.shape(port.name)) for port in ports)


def _other_shapes(port: Port, dynamic: Sequence[str]) -> list[tuple[int, ...]]:
    """Shapes beyond the default that are allowed: every listed one, the corners of the ranges, a
    batch of two, one step larger.
    """
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


def at_sizes(ports: Sequence[Port], sizes: Mapping[str, int], seed: int, only: str = "") -> Probe:
    """Noise where the open axes have these sizes."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    inputs = {
        port.name: values("noise", port, letters.shape(port, sizes), generator, {})
        for port in ports
    }
    name = f"size {letters.spelled(sizes)}"
    return Probe(name, "size", f"Philox key {seed}", inputs, only=only)


def _draw(kind: str, ports: Sequence[Port], seed: int, shape: tuple[int, ...] = ()) -> Probe:
    generator = np.random.Generator(np.random.Philox(key=seed))
    raw: dict[str, Array] = {}
    inputs = {
        port.name: values(kind, port, (*shape, *port.shape[len(shape) :]), generator, raw)
        for port in ports
    }
    name = f"{kind}-{seed}" + (f"-{'x'.join(map(str, shape))}" if shape else "")
    return Probe(name, kind, f"Philox key {seed}", inputs, raw)


def values(
    kind: str,
    port: Port,
    shape: tuple[int, ...],
    generator: np.random.Generator,
    raw: dict[str, Array],
) -> Array:
    """Values of one kind for a port.

    Args:
        kind: ``"noise"``, ``"shapes"``, ``"stripes"``, ``"extremes"`` or ``"zeros"``.
        port: that takes them.
        shape: of the values.
        generator: they are drawn from it.
        raw: takes the picture that they are made of, if they are.
    """
    if port.dtype.startswith("int"):
        return _ids(kind, port, shape, generator)
    normalised = port.meaning.startswith("normalised")
    if len(shape) < 3 and kind in ("shapes", "stripes"):
        kind = "noise"  # no picture
    low, high = port.value_range or NORMALISED_RANGE
    if kind == "zeros":
        drawn = np.zeros(shape)
    elif kind == "extremes":
        coarse = generator.integers(0, 2, size=[max(1, -(-n // 8)) for n in shape[2:]])
        for axis, size in enumerate(shape[2:]):
            coarse = coarse.repeat(8, axis=axis).take(range(size), axis=axis)
        drawn = np.broadcast_to(np.where(coarse, high, low), shape)
    elif kind == "noise":
        if not port.value_range:
            drawn = generator.standard_normal(shape)
        elif normalised:
            drawn = generator.uniform(low, high, shape)
        else:
            drawn = np.floor(generator.uniform(low, high + 1, shape)).clip(low, high)
    else:
        draw = _shapes if kind == "shapes" else _stripes
        # Each sample its own: in a batch of equal ones a mix-up of samples would not show.
        samples = [
            np.stack([draw(shape[2:], generator) for _ in range(shape[1])]) for _ in range(shape[0])
        ]
        raw[port.name] = np.rint(np.stack(samples) * 255.0)
        drawn = prepare.levels(raw[port.name], port)
    return np.asarray(drawn, port.dtype, order="C")


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
    elif not shape:
        values = generator.integers(low, high + 1, shape)
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
    return np.asarray(values, port.dtype, order="C")


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
