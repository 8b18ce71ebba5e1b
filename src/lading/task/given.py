"""A user's own values for every input of a network: one `.npz` file, or what code of his yields."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError, in_short
from lading.record import Port
from lading.task import pictures, prepare
from lading.task.probes import Probe

Array = npt.NDArray[Any]

ARCHIVE = ".npz"


@dataclass(frozen=True)
class Given:
    """Values that code yielded.

    Attributes:
        name: of the probe.
        source: the code.
        values: by input's name, or by place.
    """

    name: str
    source: str
    values: Mapping[str, Array] | Sequence[Array]


def is_archive(path: Path) -> bool:
    """Whether it is a file of several arrays."""
    return path.suffix.lower() == ARCHIVE


def probe(given: Given | Path, ports: Sequence[Port]) -> Probe:
    """The probe of a user's values.

    Raises:
        InputError: an input is missing or does not fit, or it is no such file.
    """
    if isinstance(given, Path):
        arrays = _archive(given, ports)
        return Probe(given.name, "data", given.name, arrays)
    values = given.values
    if not isinstance(values, Mapping):
        values = dict(zip((port.name for port in ports), values, strict=False))
    _require_names(given.source, values, ports)
    inputs = {port.name: _fitted(values[port.name], port, given.source) for port in ports}
    return Probe(given.name, "data", given.source, inputs)


def several(given: Given | Path, ports: Sequence[Port]) -> Probe:
    """The probe of a user's values for a network with a memory: those of one call, or with an axis
    more, the first, those of several in turn.

    Raises:
        InputError: as `probe`; or some inputs have that axis and some do not.
    """
    grown = {p.name: replace(p, shape=(-1, *p.shape), ranges=(), enumerated=()) for p in ports}
    try:
        return probe(given, ports)
    except InputError:
        made = probe(given, tuple(grown.values()))
    counts = {len(value) for value in made.inputs.values()}
    if len(counts) > 1:
        raise InputError(
            str(given.source if isinstance(given, Given) else given),
            found=f"values for {' and '.join(map(str, sorted(counts)))} calls",
            expected="every input as often as there are calls",
            remedy="give every input as many values, the calls on the first axis",
        )
    return replace(made, calls=counts.pop())


def _require_names(subject: str, names: Sequence[str] | Mapping[str, Any],
                   ports: Sequence[Port]) -> None:  # fmt: skip
    wanted = [port.name for port in ports]
    if set(names) != set(wanted):
        raise InputError(
            subject,
            found=f"values for {', '.join(map(repr, names)) or 'nothing'}",
            expected=f"an array for each input: {', '.join(wanted)}",
            remedy="name the arrays as the inputs are called",
        )


def _fitted(values: Any, port: Port, subject: str) -> Array:
    """In the port's shape and dtype; the axis of samples may be left out.

    Raises:
        InputError: it does not fit.
    """
    array = np.asarray(values)
    _require_shape(array.shape, port, subject)
    if not port.allows(array.shape):
        array = array[None]
    return prepare.cast(array, port, subject)


def _require_shape(shape: Sequence[int], port: Port, subject: str) -> None:
    if not port.allows(tuple(shape)) and not port.allows((1, *shape)):
        raise InputError(
            f"{subject} for input {port.name!r}",
            found=f"an array of shape {list(shape)}",
            expected=f"shape {list(port.shape)}",
            remedy="give an array of that shape",
        )


def _archive(path: Path, ports: Sequence[Port]) -> dict[str, Array]:
    """The arrays in a file. No more memory is asked for than the inputs take: the shape that each
    array says stands at its beginning, and is looked at first.

    Raises:
        InputError: it is no such file, or they do not fit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).stem: name for name in archive.namelist()}
            _require_names(str(path), names, ports)
            return {
                port.name: _fitted(_array(archive.open, names[port.name], port, path), port,
                                   str(path))
                for port in ports
            }  # fmt: skip
    except FileNotFoundError as error:
        raise pictures.missing(path) from error
    except InputError:
        raise
    except Exception as error:  # of many kinds, for a file that is not sound
        raise InputError(
            str(path),
            found=in_short(error)[:160],
            expected="arrays written by numpy.savez, without objects",
            remedy="save them again with numpy.savez",
        ) from error


def _array(opened: Callable[[str], IO[bytes]], name: str, port: Port, path: Path) -> Array:
    layout: Any = np.lib.format
    with opened(name) as file:
        old = layout.read_magic(file) == (1, 0)
        header = layout.read_array_header_1_0 if old else layout.read_array_header_2_0
        shape, _, dtype = header(file)
    _require_shape(shape, port, str(path))
    if dtype.kind not in "fiub":
        raise ValueError(f"values of type {dtype}")
    with opened(name) as file:
        values: Array = layout.read_array(file, allow_pickle=False)
    return values
