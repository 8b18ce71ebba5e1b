"""What a user gives to an artifact's inputs on the command line, as arrays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lading.errors import InputError
from lading.record import Port
from lading.task import pictures, prepare
from lading.task.prepare import Prepared
from lading.task.probes import files_in
from lading.task.text import Vocabulary

_NUMBERS = re.compile(r"[-+0-9.eE]+(,[-+0-9.eE]+)*")


@dataclass(frozen=True)
class Feeding:
    """What an artifact is fed once.

    Attributes:
        name: of what is the user's, e.g. ``"echo.png"``; empty where there is nothing to name.
        values: by input's name.
    """

    name: str
    values: Mapping[str, Prepared]


def feedings(
    ports: Sequence[Port],
    given: Sequence[str],
    words: Vocabulary | None = None,
    *,
    several: bool = False,
) -> Iterator[Feeding]:
    """One for each sample, each prepared when its turn comes.

    An input that is given several values, or a folder, has a sample of each; one that is given one
    value has that in every sample. What is not given is left to the runtime, which knows the
    inputs that may be left out.

    Args:
        ports: the artifact's inputs, with their meanings.
        given: ``NAME=VALUE`` each, or of an artifact with one input the value alone: a file, see
            `lading.task.prepare.file`; a folder of such; numbers, one for the whole input or as
            many as it has; a text, where the network takes text.
        words: of a network that takes text.
        several: whether an array may have an axis more, the first: calls in turn, of an artifact
            with a memory.

    Raises:
        InputError: no such input, as many values as fit nothing, or a value that does not fit.
    """
    texts: dict[str, list[str]] = {}
    for text in given:
        port, value = _named(ports, text)
        folder = _exists(value) and Path(value).is_dir()
        every = [str(one) for one in files_in(Path(value))] if folder else [value]
        texts.setdefault(port.name, []).extend(every)
    counts = {name: len(many) for name, many in texts.items()}
    count = max(counts.values(), default=1)
    odd = next((name for name, one in counts.items() if one not in (1, count)), None)
    if odd:
        raise InputError(
            f"--input {odd}",
            found=f"{counts[odd]} values",
            expected=f"1, for all samples, or {count}, one for each",
            remedy="give as many to each input, or one",
        )
    for index in range(count):
        row = {name: many[index % len(many)] for name, many in texts.items()}
        title = next((row[name] for name in row if counts[name] == count), "")
        known = {port.name: port for port in ports}
        values = {
            name: _value(known[name], text, words, several=several) for name, text in row.items()
        }
        yield Feeding(title, values)


def _named(ports: Sequence[Port], text: str) -> tuple[Port, str]:
    """The input that is meant, and what is given to it."""
    name, sign, value = text.partition("=")
    port = next((one for one in ports if one.name == name), None) if sign else None
    if port:
        return port, value
    if len(ports) == 1 and (not sign or _exists(text)):
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


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than a file's name can be
        return False


def _value(
    port: Port, text: str, words: Vocabulary | None = None, *, several: bool = False
) -> Prepared:
    path, there = Path(text), _exists(text)
    if several and there and path.suffix.lower() == ".npy":
        array = pictures.read_array(path)
        if array.ndim == len(port.shape) + 1 and port.allows(array.shape[1:]):
            told = f"{len(array)} calls in turn"
            return Prepared(prepare.cast(array, port, str(path)), (told,))
    if words and not there and path.suffix.lower() != ".npy":
        words.require_known(text)
        return Prepared(prepare.texts([text], port, words))
    if not there and _NUMBERS.fullmatch(text):
        return _numbers(port, text)
    if there or path.suffix:
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
