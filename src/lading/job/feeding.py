"""What a user gives to an artifact's inputs on the command line, as arrays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lading.errors import InputError
from lading.interface import Options
from lading.record import Port, Task
from lading.runtimes import Array
from lading.task import pictures

_NUMBERS = re.compile(r"[-+0-9.eE]+(,[-+0-9.eE]+)*")


@dataclass(frozen=True)
class Fed:
    """An input's value, and what was done to it on the way in."""

    value: Array
    notes: tuple[str, ...]


def feed(
    ports: Sequence[Port], given: Sequence[str], task: Task | None, options: Options
) -> dict[str, Fed]:
    """Values by input's name.

    Args:
        ports: the artifact's inputs.
        given: ``NAME=FILE`` or ``NAME=NUMBER,NUMBER...`` each, or of an artifact with one input a
            bare file. A file is a picture or a `.npy`; one number fills the whole input. What is
            not given is left to the runtime, which knows the inputs that may be left out.
        task: as lading noted it in the artifact; its normalisation is applied to pictures.
        options: the same.

    Raises:
        InputError: no such input, one that is given twice, or a value that does not fit.
    """
    values: dict[str, Fed] = {}
    for text in given:
        port, value = _named(ports, text)
        if port.name in values:
            raise InputError(
                f"--input {text}",
                found=f"a second value for {port.name!r}",
                expected="one value for each input",
                remedy="leave one of them out",
            )
        values[port.name] = _value(port, value, task, options)
    return values


def _named(ports: Sequence[Port], text: str) -> tuple[Port, str]:
    """The input that is meant, and what is given to it."""
    name, sign, value = text.partition("=")
    port = next((one for one in ports if one.name == name), None) if sign else None
    if port:
        return port, value
    if len(ports) == 1 and (not sign or Path(text).exists()):
        return ports[0], text
    names = ", ".join(one.name for one in ports)
    near = difflib.get_close_matches(name, [one.name for one in ports], n=1, cutoff=0.4)
    meant = near[0] if near else ports[0].name
    raise InputError(
        f"--input {text}",
        found=f"no input {name!r}" if sign else f"{len(ports)} inputs, and none is named",
        expected=f"one of {names}",
        remedy=f"write --input {meant}={value or text}",
    )


def _value(port: Port, text: str, task: Task | None, options: Options) -> Fed:
    path = Path(text)
    if not path.exists() and _NUMBERS.fullmatch(text):
        return Fed(_numbers(port, text), ())
    if path.suffix.lower() == ".npy":
        exact = pictures.read_array(path)
        if _allows(port, exact.shape):
            return Fed(_cast(port, exact, text), ("fed as it is",))
    shape = tuple(abs(n) for n in port.shape)
    if len(shape) != 4:
        raise InputError(
            f"{text} for input {port.name!r}",
            found=_what(path),
            expected=f"an array of shape {list(port.shape)}",
            remedy=f"save one with numpy.save and give the .npy, or --input {port.name}=0.5",
        )
    return _picture(port, path, task, options)


def _numbers(port: Port, text: str) -> Array:
    shape = tuple(abs(n) for n in port.shape)
    try:
        values = np.array([float(one) for one in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if values.size not in (1, int(np.prod(shape))):
        raise InputError(
            f"--input {port.name}={text}",
            found=f"{values.size} numbers" if values.size else "no numbers",
            expected=f"1, for all alike, or {int(np.prod(shape))}, for shape {list(shape)}",
            remedy="give a .npy for more than a few",
        )
    return _cast(
        port, np.broadcast_to(values, shape) if values.size == 1 else values.reshape(shape), text
    )


def _cast(port: Port, values: Array, text: str) -> Array:
    """In the port's dtype, where every value has a place in it."""
    with np.errstate(all="ignore"):
        cast = np.ascontiguousarray(values, dtype=port.dtype)
    whole = np.dtype(port.dtype).kind in "iub"
    if whole and not np.array_equal(cast, values):
        raise InputError(
            f"{text} for input {port.name!r}",
            found="numbers that are not whole, or too large",
            expected=f"{port.dtype}",
            remedy="round them",
        )
    return cast


def _allows(port: Port, shape: tuple[int, ...]) -> bool:
    """Whether the input takes this shape."""
    if port.enumerated:
        return shape in port.enumerated
    if len(shape) != len(port.shape):
        return False
    if port.ranges:
        pairs = zip(shape, port.ranges, strict=True)
        return all(low <= n and (high < 0 or n <= high) for n, (low, high) in pairs)
    return all(m < 0 or n == m for n, m in zip(shape, port.shape, strict=True))


def _picture(port: Port, path: Path, task: Task | None, options: Options) -> Fed:
    shape = tuple(abs(n) for n in port.shape)
    height, width = shape[2:]
    plain = pictures.read(path, shape[1])
    notes = []
    if plain.shape[1:] != (height, width):
        was = "x".join(map(str, plain.shape[1:]))
        notes.append(f"resampled from {was} to {height}x{width}, bilinear")
        plain = pictures.resample(plain, (height, width))
    meant = port
    if task and not options.bake and port.kind == "tensor" and not options.image:
        known = next((one for one in task.inputs if one.name == port.name), task.inputs[0])
        meant = replace(port, meaning=known.meaning, value_range=known.value_range)
        notes.append(f"normalised: {task.normalisation or 'rescaled'}")
    return Fed(pictures.for_port(plain, meant), tuple(notes))


def _what(path: Path) -> str:
    if not path.exists():
        return "no file, and no numbers"
    if path.suffix.lower() == ".npy":
        return f"an array of shape {list(pictures.read_array(path).shape)}"
    return "a picture"
