"""What a user gives to an artifact's inputs on the command line, as arrays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lading.errors import InputError
from lading.record import Port
from lading.task import prepare
from lading.task.prepare import Prepared

_NUMBERS = re.compile(r"[-+0-9.eE]+(,[-+0-9.eE]+)*")


def feed(ports: Sequence[Port], given: Sequence[str]) -> dict[str, Prepared]:
    """Values by input's name.

    Args:
        ports: the artifact's inputs, with their meanings.
        given: ``NAME=FILE`` or ``NAME=NUMBER,NUMBER...`` each, or of an artifact with one input a
            bare file, see `lading.task.prepare.file`; one number fills the whole input. What is
            not given is left to the runtime, which knows the inputs that may be left out.

    Raises:
        InputError: no such input, one that is given twice, or a value that does not fit.
    """
    values: dict[str, Prepared] = {}
    for text in given:
        port, value = _named(ports, text)
        if port.name in values:
            raise InputError(
                f"--input {text}",
                found=f"a second value for {port.name!r}",
                expected="one value for each input",
                remedy="leave one of them out",
            )
        values[port.name] = _value(port, value)
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


def _value(port: Port, text: str) -> Prepared:
    path = Path(text)
    if not path.exists() and _NUMBERS.fullmatch(text):
        return _numbers(port, text)
    if path.exists() or path.suffix:
        return prepare.file(path, port)
    raise InputError(
        f"{text} for input {port.name!r}",
        found="no file, and no numbers",
        expected=f"a file, or numbers for shape {list(port.shape)}",
        remedy=f"save an array with numpy.save and give the .npy, or --input {port.name}=0.5",
    )


def _numbers(port: Port, text: str) -> Prepared:
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
    whole = np.full(shape, values[0]) if values.size == 1 else values.reshape(shape)
    return Prepared(prepare.cast(whole, port, text))
