"""What a user has, as an input takes it: pictures, arrays and texts are prepared here alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError
from lading.record import Port, Task
from lading.task import pictures, volumes
from lading.task.text import Vocabulary, vocabulary

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Prepared:
    """An input's value.

    Attributes:
        value: in the port's units and dtype.
        notes: what was done to it on the way, in words.
        levels: of a picture, the grey levels or RGB values [1, C, H, W] that it was made of.
        own: of a picture or volume, its values at its own size [C, H, W] or [C, Z, Y, X].
        affine: of a volume, from voxels to millimetres [4, 4], where its file says so.
    """

    value: Array
    notes: tuple[str, ...] = ()
    levels: Array | None = None
    own: Array | None = None
    affine: Array | None = None


def file(path: Path, port: Port) -> Prepared:
    """A user's file.

    An array in a shape that the port takes is fed as it is; a port that is no picture takes one
    without the axis of samples too. Anything else is a picture: see `pictures.read` and `levels`.
    It is resampled to the size that the port takes; where that is free it keeps its own, as far as
    the network can halve it and the file allows it.

    Raises:
        InputError: no such file, or it does not fit.
    """
    if not path.exists():
        raise pictures.missing(path)
    found = "a picture"
    if path.suffix.lower() == ".npy":
        exact = pictures.read_array(path)
        found = f"an array of shape {list(exact.shape)}"
        if len(port.shape) != 4 and exact.ndim == len(port.shape) - 1:
            exact = exact[None]
        if port.kind != "image" and port.allows(exact.shape):
            return Prepared(cast(exact, port, str(path)), ("fed as it is",))
    if len(port.shape) not in (4, 5):
        raise InputError(
            f"{path} for input {port.name!r}",
            found=found,
            expected=f"an array of shape {list(port.shape)}",
            remedy="save one with numpy.save",
        )
    return _picture(path, port)


def _picture(path: Path, port: Port) -> Prepared:
    """A picture [C, H, W], or for a port of five axes a volume [C, Z, Y, X]."""
    channels, affine = abs(port.shape[1]), None
    if len(port.shape) == 4:
        plain = pictures.read(path, channels)
    elif volumes.is_volume(path):
        plain, affine = volumes.read(path)
    else:
        plain = pictures.read_volume(path)
    if plain.shape[0] != channels:
        raise InputError(
            str(path),
            found=f"{plain.shape[0]} channel(s)",
            expected=f"{channels}",
            remedy="give a file with as many channels as the model takes",
        )
    own, notes = plain, []
    wanted = size_for(port, plain.shape[1:])
    if plain.shape[1:] != wanted:
        how = "bilinear" if plain.ndim == 3 else "trilinear"
        was, becomes = ("x".join(map(str, size)) for size in (plain.shape[1:], wanted))
        notes.append(f"resampled from {was} to {becomes}, {how}")
        plain = pictures.resample(plain, wanted)
    if port.meaning.startswith("normalised"):
        notes.append(f"normalised: {'rescaled' if port.value_range else 'zscore'}")
    return Prepared(levels(plain[None], port), tuple(notes), plain[None], own, affine)


def size_for(port: Port, own: Sequence[int]) -> tuple[int, ...]:
    """The spatial size that a port takes nearest to a picture's own: of a list the one least
    stretched; of a range, or of an open axis, as much of its own as the port's multiples allow.

    >>> free = Port("x", "tensor", "float32", (1, 1, 64, 64),
    ...             ranges=((1, 1), (1, 1), (32, 128), (32, 128)), multiples=(1, 1, 16, 16))
    >>> size_for(free, (100, 300))
    (96, 128)
    """
    if port.enumerated:
        listed = [shape[2:] for shape in port.enumerated]

        def stretch(size: tuple[int, ...]) -> float:
            return sum(abs(math.log(a / b)) for a, b in zip(size, own, strict=True))

        return min(listed, key=stretch)
    bounds = port.ranges[2:] or tuple((n, n) if n > 0 else (1, -1) for n in port.shape[2:])
    steps = port.multiples[2:] or (1,) * len(bounds)
    made = []
    for n, (low, high), step in zip(own, bounds, steps, strict=True):
        if low == high:
            made.append(low)
            continue
        most = n if high < 0 else min(n, high)
        made.append(max(most - most % step, -(-max(low, 1) // step) * step))
    return tuple(made)


def levels(values: Array, port: Port) -> Array:
    """Grey levels or RGB values 0-255 [N, C, *] in the port's units and dtype.

    A port of normalised values with a known range takes them rescaled to it; one without takes each
    picture z-scored. One of pictures takes whole numbers, as a pixel holds.
    """
    fed = values.astype(np.float64)
    if port.kind == "image":
        fed = np.rint(fed).clip(0, 255)
    elif port.meaning.startswith("normalised") and port.value_range:
        low, high = port.value_range
        fed = low + fed / 255.0 * (high - low)
    elif port.meaning.startswith("normalised"):
        fed = np.stack([pictures.normalise(one) for one in fed])
    return np.asarray(fed, port.dtype, order="C")


def texts(given: Sequence[str], port: Port, words: Vocabulary) -> Array:
    """The ids of texts [N, L] in the port's dtype.

    >>> port = Port("ids", "tensor", "int32", (1, 4))
    >>> texts(["b?"], port, Vocabulary("ab", 4))
    array([[2, 0, 0, 0]], dtype=int32)
    """
    return np.array([words.encode(text) for text in given], dtype=port.dtype)


def cast(values: Array, port: Port, subject: str) -> Array:
    """Values in the port's dtype.

    Raises:
        InputError: one of them has no place in it.
    """
    with np.errstate(all="ignore"):
        exact = np.asarray(values, port.dtype, order="C")
    if exact.dtype.kind in "iub" and not np.array_equal(exact, values):
        raise InputError(
            f"{subject} for input {port.name!r}",
            found="numbers that are not whole, or too large",
            expected=f"{port.dtype}",
            remedy="round them",
        )
    return exact


def in_words(ports: Sequence[Port], task: Task) -> str:
    """What is done to a user's picture or text, for who writes it again."""
    lines = []
    for port in ports:
        if port.dtype.startswith("int") and vocabulary(task):
            how = task.notes.get("encoding", "the id of a character is its place from 1")
            lines.append(f"{port.name}: {how}")
        elif port.kind == "image":
            lines.append(f"{port.name}: whole numbers 0-255 as they are")
        elif port.meaning.startswith("normalised") and port.value_range:
            low, high = port.value_range
            lines.append(f"{port.name}: {low:g} + raw / 255 * {high - low:g}")
        elif port.meaning.startswith("normalised"):
            lines.append(
                f"{port.name}: (raw - mean) / max(standard deviation, 1e-8) per channel, in "
                "float64, population standard deviation"
            )
        else:
            lines.append(f"{port.name}: as it is")
    return "; ".join(lines)
