"""The operations, found by their files: a public function in `ops/*.py` is the operation it names.

- A function's name is the operation's name; a trailing underscore keeps it from hiding a Python
  built-in (`abs_`), and a suffix ``_ios17`` says that the meaning changed with that opset.
- Its parameters are the operation's own, by name, with the defaults of the published signature.
- An annotation says how a parameter arrives: ``Tensor`` as a tensor, ``Sequence[...]`` as all the
  values bound to it, ``list[...]`` and ``State`` as they are, ``Callable`` as a nested block, and
  everything else as plain Python numbers, strings and lists.

>>> find("relu", "CoreML5").name
'relu'
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar

from lading.errors import ProgramError

#: The opset of what was a neural network in its file (iOS 14 and before), see
#: `lading.coreml.neuralnetwork`; it has some operations more.
OLDER = "NeuralNetwork"
_PACKAGES = {OLDER: ("lading.coreml.mil.ops", "lading.coreml.neuralnetwork.ops")}

#: Operations that cannot be run here, with the reason that a user reads.
UNSUPPORTED: dict[str, str] = {}

_F = TypeVar("_F", bound=Callable[..., Any])
Arrival = Literal["tensor", "all", "as is", "block", "plain"]


def exact(function: _F) -> _F:
    """Mark an operation whose results are elements of its inputs: there is nothing to round.

    Only such an operation may return an input or a view of one: other results are rounded in place.
    """
    function.__dict__["exact"] = True
    return function


def fresh(function: _F) -> _F:
    """Mark an operation whose result has memory of its own, which no other value shares."""
    function.__dict__["fresh"] = True
    return function


def over(variant: Callable[..., Any]) -> Callable[[_F], _F]:
    """Mark an operation that can write its result where its first input lies, bit for bit: so does
    `variant`, of the same parameters."""

    def mark(function: _F) -> _F:
        function.__dict__["over"] = variant
        return function

    return mark


def in_half(variant: Callable[..., Any]) -> Callable[[_F], _F]:
    """Mark an operation whose `variant`, of the same parameters, is faster and as exact, but gives
    other last bits of float32 than PyTorch's layer of that name: it runs where the result is
    rounded to float16."""

    def mark(function: _F) -> _F:
        function.__dict__["in_half"] = variant
        return function

    return mark


def converting(function: _F) -> _F:
    """Mark an operation whose result may be declared an integer where it is computed in floats."""
    function.__dict__["converting"] = True
    return function


@dataclass(frozen=True)
class Parameter:
    """One input of an operation. Where it is required, `default` means nothing."""

    name: str
    arrival: Arrival
    required: bool
    default: Any


@dataclass(frozen=True)
class Operation:
    """An operation from opset `since` (the number in ``iOS17``) on."""

    name: str
    since: int
    function: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    exact: bool = False
    converting: bool = False
    fresh: bool = False
    over: Callable[..., Any] | None = None
    in_half: Callable[..., Any] | None = None

    def variant(self, *, over: bool, in_half: bool) -> Callable[..., Any]:
        """The function as it runs where it may write `over` its first input, or where its results
        are rounded to float16."""
        return (over and self.over) or (in_half and self.in_half) or self.function


def _arrival(annotation: str) -> Arrival:
    if annotation.startswith("Callable"):
        return "block"
    if annotation.startswith(("Sequence[Tensor", "Sequence[Any")):
        return "all"
    if annotation.startswith(("list[", "State", "Any")):
        return "as is"
    return "tensor" if "Tensor" in annotation else "plain"


def _operation(function: Callable[..., Any]) -> Operation:
    match = re.fullmatch(r"(.+?)_?(?:_ios(\d+))?", function.__name__)
    assert match is not None
    name, since = match[1], int(match[2] or 0)
    parameters = {
        p.name: Parameter(p.name, _arrival(str(p.annotation)), p.default is p.empty, p.default)
        for p in inspect.signature(function).parameters.values()
    }
    marks = ("exact", "converting", "fresh", "over", "in_half")
    known = {mark: function.__dict__[mark] for mark in marks if mark in function.__dict__}
    return Operation(name, since, function, parameters, **known)


def operations(opset: str = "") -> Mapping[str, tuple[Operation, ...]]:
    """Every operation by name, each with its versions, the newest first."""
    return _collected(_PACKAGES.get(opset, ("lading.coreml.mil.ops",)))


@lru_cache(maxsize=2)
def _collected(packages: tuple[str, ...]) -> Mapping[str, tuple[Operation, ...]]:
    found: dict[str, list[Operation]] = {}
    for package in packages:
        for entry in pkgutil.iter_modules(importlib.import_module(package).__path__):
            module = importlib.import_module(f"{package}.{entry.name}")
            for name, function in vars(module).items():
                own = inspect.isfunction(function) and function.__module__ == module.__name__
                if own and not name.startswith("_"):
                    operation = _operation(function)
                    found.setdefault(operation.name, []).append(operation)
    return {
        name: tuple(sorted(versions, key=lambda one: -one.since))
        for name, versions in sorted(found.items())
    }


def ios(opset: str) -> int:
    """The number in ``iOS17`` for an opset as programs spell it: ``"CoreML7"``.

    >>> ios("CoreML7")
    17
    """
    if opset == OLDER:
        return 14
    match = re.fullmatch(r"CoreML(\d+)", opset)
    if match is None:
        raise ProgramError(
            f"opset {opset!r}",
            found=opset,
            expected="CoreML5, CoreML6, CoreML7 or CoreML8",
            remedy="convert to an ML Program for iOS 15 or later",
        )
    return int(match[1]) + 10


def find(name: str, opset: str, place: str = "") -> Operation:
    """The operation `name` as `opset` means it.

    Raises:
        ProgramError: there is none, with the reason and the nearest name.
    """
    level = ios(opset)
    known = operations(opset)
    for operation in known.get(name, ()):
        if operation.since <= level:
            return operation
    near = difflib.get_close_matches(name, known, n=1)
    raise ProgramError(
        place or f"operation {name}",
        found=f"{name}: {UNSUPPORTED.get(name, 'no such operation here')}",
        expected=f"a known operation{f', such as {near[0]}' if near else ''}",
        remedy="convert without it, or run the model with Core ML on a Mac",
    )
