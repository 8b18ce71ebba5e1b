"""What the options of several verbs take, each with how it is read and what is said of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lading.base import shelf
from lading.job.options import (  # fmt: skip
    PAIRS,
    PATH,
    TEXT,
    WORD,
    Kind,
    many,
    number,
    one_of,
    whole,
)
from lading.record.values import show
from lading.record.wording import RUNTIMES

OLDEST_OPSET = 18


def _shapes(value: Any) -> str:
    text: str = TEXT.read(value).replace(" ", "")
    if text:
        from lading.interface import Sizes

        Sizes.parse(text)
    return text


def _code(value: Any) -> Any:
    return value if callable(value) else WORD.read(value)


def _inputs(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    several = value if isinstance(value, (tuple, list)) else [value]
    if all(isinstance(one, str) for one in several):
        return many(TEXT, cut=False).read(value)
    return tuple(several)


def _from(value: Any) -> Any:
    """A path, or the network itself."""
    return value if is_module(value) else PATH.read(value)


def is_module(value: Any) -> bool:
    """Whether it is a module of torch; torch is not imported for the question."""
    return callable(value) and hasattr(value, "state_dict") and hasattr(value, "named_modules")


def _froms(value: Any) -> Any:
    return (value,) if is_module(value) else many(FROM, cut=False).read(value)


def _fed(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = [f"{TEXT.read(name)}={_typed(one)}" for name, one in value.items()]
    return many(Kind(_typed, ""), cut=False).read(value)


def _typed(value: Any) -> str:
    """A file or a number as it would be typed."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return str(TEXT.read(show(value) if isinstance(value, (int, float)) else value))


#: Short words for kinds of measurement.
SHORT = {"agreement": "label_agreement"}


def _gates(value: Any) -> dict[str, float]:
    """The user's own gates, by kind of measurement."""
    found = {}
    for name, text in PAIRS.read(value).items():
        kind = SHORT.get(name, name)
        if kind not in GATED:
            raise ValueError(name)
        found[kind] = number(0).read(text)
    return found


#: What of an output can be gated.
GATED = ("psnr", "label_agreement", "dice", "snr", "relative_l2", "max_abs")
GATES = Kind(
    _gates, "KIND=NUMBER: psnr, or snr of the worst channel, in dB, agreement or dice from 0 to 1, "
    "relative_l2 or max_abs",
    lambda gates: [f"{name}={value!r}" for name, value in gates.items()],
    metavar="KIND=NUMBER", repeats=True,
)  # fmt: skip
GATE: Any = {
    "kind": GATES, "metavar": "KIND=NUMBER",
    "help": "your own tolerance for the outputs: psnr=30, agreement=0.99",
}  # fmt: skip
SHAPES = Kind(_shapes, "sizes such as 256x256,512x512, or ranges", metavar="SIZES")
PORT_NAMES = replace(PAIRS, expected="ARTIFACT_NAME=NAME, the port's name in either")
CODE = Kind(
    _code, "FILE.py:FACTORY; in Python also a module, or what returns one",
    lambda value: value if isinstance(value, str) else None, "FILE.py:FACTORY",
)  # fmt: skip
INPUTS = Kind(
    _inputs, "NAME:DTYPE[SHAPE] for each input; in Python also examples, by name or by place",
    lambda value: list(value) if all(isinstance(one, str) for one in value) and
    not isinstance(value, Mapping) else None, repeats=True,
)  # fmt: skip
FROM = Kind(
    _from, "a path; in Python also a module", lambda v: None if is_module(v) else PATH.spell(v),
    "FILE",
)  # fmt: skip
FROMS = Kind(_froms, "paths; in Python also modules", lambda values: [
    FROM.spell(one) for one in values], "FILE", repeats=True)  # fmt: skip
FED = Kind(_fed, "FILE or NAME=FILE for each input; in Python also files by name", repeats=True)
RUNTIME = one_of(*RUNTIMES)
OWN = "a network of your own (its code is run: trust it)"
FILES = "the files"
DIFFUSION = "of a diffusion network"
PORTS = "what the artifact takes and gives"
FROZEN: Any = {
    "kind": many(TEXT),
    "metavar": "FILE.py:LINE",
    "help": "a branch on values that is meant so",
}
TRAJECTORY: Any = {
    "kind": replace(whole(0), expected="a number of moves such as 25, or 0 for no trajectory"),
    "help": "prove it over N moves; default 25, 0: none",
    "group": DIFFUSION,
}
#: What ``--to`` takes.
FORMATS = shelf.names("lading.formats", "lading.formats")
JUNIT: Any = {"help": "the result as JUnit XML, for a CI server", "metavar": "FILE", "same": False}
