"""What a network of the user's own takes: texts such as ``x:float32[1,3,64,64]``, or examples.

An input has two faces. Inside it is what the network wants: int64 as torch's whole numbers are,
bool, float16, a number without axes. At the artifact's edge it is what every format and runtime
has: float32, float16 or int32, of at least one axis. `Taken.port` is the edge, `Taken.inner` leads
from there to the network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import torch

from lading.errors import RequestError
from lading.record import Port

#: What an input may be declared as, each with what an artifact takes for it.
DTYPES = {
    "float32": "float32", "float16": "float16", "int32": "int32", "int64": "int32", "bool": "int32",
}  # fmt: skip
#: What the probes read as: any real numbers, or those of a range evenly.
VALUES = "normalised values"
#: Core ML's whole numbers end here.
INT32 = (-(2**31), 2**31 - 1)
#: A size, a letter with its bounds, or a letter that another axis has bounds for.
_AXIS = r"(?:\d+|[A-Za-z_]\w*(?:=\d+\.\.\d+)?)"
#: Of an open axis, where its bounds allow it.
_DEFAULT = 16
_NUMBER = r"-?\d+(?:\.\d+)?"
_INPUT = re.compile(
    rf"(?P<name>[A-Za-z_]\w*(\.\w+)*):(?P<dtype>\w+)\[(?P<shape>({_AXIS}(,{_AXIS})*)?)\]"
    rf"(@(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER}))?"
)
#: Examples by name, by place, or texts.
Inputs = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class Taken:
    """One tensor that a network takes.

    Attributes:
        path: the parameter's name, and where in what it takes, e.g. ``("pair", "0")``.
        dtype: as declared.
        shape: as declared; empty for a number.
        bounds: lowest and highest value; empty where any may come.
        axes: by axis that is open, its letter and its least and largest size.
    """

    path: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...]
    bounds: tuple[float, ...] = ()
    axes: Mapping[int, tuple[str, int, int]] = dataclasses.field(default_factory=dict)

    @property
    def port(self) -> Port:
        """As the artifact takes it."""
        bounds = (0.0, 1.0) if self.dtype == "bool" else self.bounds
        return Port(
            "_".join(self.path), "tensor", DTYPES[self.dtype], self.shape or (1,),
            meaning=VALUES, value_range=bounds, **self._open(),
        )  # fmt: skip

    def _open(self) -> dict[str, Any]:
        if not self.axes:
            return {}
        closed = [("", size, size) for size in self.shape]
        every = [self.axes.get(axis, one) for axis, one in enumerate(closed)]
        return {
            "ranges": tuple((low, high) for _, low, high in every),
            "letters": tuple(letter for letter, _, _ in every),
        }

    def inner(self, value: torch.Tensor) -> torch.Tensor:
        """A value of the port as the network takes it: whole numbers are int64, as torch's are."""
        if self.dtype == "bool":
            value = value != 0
        elif self.dtype in ("int32", "int64"):
            value = value.to(torch.int64)
        # not reshaped: coremltools 9.0 keeps an axis there, see `lading.conversion.spelling.shapes`
        return value if self.shape else value[0]

    def __str__(self) -> str:
        """As `taken` reads it.

        >>> str(taken("t:int32[1]@-0.00001..12345678"))
        't:int32[1]@-0.00001..12345678'
        """
        # Digits alone: `taken` knows no exponent.
        ends = [f"{Decimal(repr(bound)):f}".removesuffix(".0") for bound in self.bounds]
        bounds = "@" + "..".join(ends) if ends else ""
        sizes = list(map(str, self.shape))
        for axis, (letter, low, high) in self.axes.items():
            sizes[axis] = f"{letter}={low}..{high}"
        return f"{'.'.join(self.path)}:{self.dtype}[{','.join(sizes)}]{bounds}"


def taken(text: str, letters: Mapping[str, tuple[int, int]] | None = None) -> Taken:
    """The input that a text names.

    Args:
        text: ``NAME:DTYPE[SHAPE]@LOW..HIGH``.
        letters: bounds of open axes that another input states.

    Raises:
        RequestError: the text names none.

    >>> taken("timesteps:int32[1]@0..999").port.value_range
    (0.0, 999.0)
    >>> taken("pair.0:float32[1,3,64,64]").path
    ('pair', '0')
    >>> taken("keep:bool[1,8]").port.dtype
    'int32'
    >>> taken("ids:int32[B=1..8,T=1..128]@0..99").shape
    (1, 16)
    """
    match = _INPUT.fullmatch(text.replace(" ", ""))
    wrong = ""
    if match is None:
        wrong = repr(text)
    elif match["dtype"] not in DTYPES:
        wrong = f"dtype {match['dtype']}"
    elif match["dtype"].startswith("int") and match["low"] is None:
        wrong = "whole numbers without their range"
    elif match["low"] is not None and float(match["low"]) > float(match["high"]):
        wrong = f"a range from {match['low']} to {match['high']}"
    elif match["dtype"].startswith("int") and not (
        INT32[0] <= float(match["low"]) and float(match["high"]) <= INT32[1]
    ):
        wrong = "whole numbers beyond 32 bits, which Core ML has not"
    sizes = [] if match is None else list(filter(None, match["shape"].split(",")))
    known = {**(letters or {}), **_letters(sizes)}
    for size in sizes:
        letter = size.partition("=")[0]
        low, high = known.get(letter, (1, 1))
        if not size.isdigit() and letter not in known:
            wrong = wrong or f"the axis {letter} without its sizes"
        elif not 0 < low <= high:
            wrong = wrong or f"the axis {letter} of {low} to {high}"
    if match is None or wrong:
        raise RequestError(
            f"--input {text}",
            found=wrong,
            expected=f"NAME:DTYPE[SHAPE], DTYPE {', '.join(DTYPES)}; @LOW..HIGH behind it, which "
            "whole numbers need; an open axis as T=1..512",
            remedy="write e.g. x:float32[1,3,256,256], timesteps:int32[1]@0..999 or "
            "ids:int32[B=1..8,T=1..128]@0..999",
        )
    axes = {
        axis: (size.partition("=")[0], *known[size.partition("=")[0]])
        for axis, size in enumerate(sizes)
        if not size.isdigit()
    }
    shape = tuple(
        _default(axis, *axes[axis][1:]) if axis in axes else int(size)
        for axis, size in enumerate(sizes)
    )
    axes = {axis: one for axis, one in axes.items() if one[1] < one[2]}
    bounds = (float(match["low"]), float(match["high"])) if match["low"] is not None else ()
    return Taken(tuple(match["name"].split(".")), match["dtype"], shape, bounds, axes)


def _letters(sizes: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The bounds that open axes state."""
    found = {}
    for size in sizes:
        letter, sign, ends = size.partition("=")
        if sign:
            low, high = map(int, ends.split(".."))
            found[letter] = (low, high)
    return found


def _default(axis: int, low: int, high: int) -> int:
    """Of an open axis: one sample, and a handful of anything else."""
    return low if axis == 0 else min(high, max(low, _DEFAULT))


def all_taken(inputs: Inputs, parameters: Sequence[str]) -> tuple[Taken, ...]:
    """What a network takes, from texts or from examples.

    Args:
        inputs: texts; or tensors, arrays and numbers, by name or by place, in lists, tuples and
            mappings as the network takes them. None stands for what is not given.
        parameters: names of those of the network's ``forward``, for examples by place.

    Raises:
        RequestError: an input is none that an artifact can take, or two have one name.
    """
    texts = isinstance(inputs, Sequence) and all(isinstance(one, str) for one in inputs)
    if texts:
        stated: dict[str, tuple[int, int]] = {}
        for text in inputs:
            inside = re.search(r"\[(.*?)\]", text.replace(" ", ""))
            with contextlib.suppress(ValueError):
                stated |= _letters(inside[1].split(",") if inside else ())
        found = tuple(taken(text, stated) for text in inputs)
    else:
        if not isinstance(inputs, Mapping):
            places = [*parameters, *(f"input_{n}" for n in range(len(parameters), len(inputs)))]
            inputs = dict(zip(places, inputs, strict=False))
        found = tuple(one for name, value in inputs.items() for one in _of((str(name),), value))
    names = [one.port.name for one in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RequestError(
            f"--input {twice[0]}",
            found=f"{names.count(twice[0])} inputs of that name",
            expected="a name for each input",
            remedy="rename one of them",
        )
    return found


def _of(path: tuple[str, ...], value: Any) -> Iterator[Taken]:
    """The tensors in an example."""
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of((*path, str(key)), inner)
        return
    if isinstance(value, (list, tuple)):
        for place, inner in enumerate(value):
            yield from _of((*path, str(place)), inner)
        return
    if isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        value = torch.as_tensor(value)
    if not isinstance(value, torch.Tensor):
        raise RequestError(
            f"--input {'.'.join(path)}",
            found=f"a {type(value).__name__}",
            expected="a tensor, an array or a number; or texts such as x:float32[1,3,256,256]",
            remedy="give an example of the input as a torch.Tensor",
        )
    dtype = str(value.dtype).removeprefix("torch.")
    dtype = {"float64": "float32", "uint8": "int32", "int8": "int32", "int16": "int32"}.get(
        dtype, dtype
    )
    whole = dtype in ("int32", "int64") and value.numel()
    bounds = f"@{int(value.min())}..{int(value.max())}" if whole else ""
    yield taken(f"{'.'.join(path)}:{dtype}[{','.join(map(str, value.shape))}]{bounds}")


def example(port: Port, generator: torch.Generator, shape: tuple[int, ...] = ()) -> torch.Tensor:
    """A value of a port, of its default shape or of another: of whole numbers any in their range,
    else of the range that is stated, or from the standard normal distribution."""
    shape, dtype = shape or port.shape, getattr(torch, port.dtype)
    if port.dtype.startswith("int"):
        low, high = port.value_range or (0, 1)
        return torch.randint(int(low), int(high) + 1, shape, generator=generator).to(dtype)
    if not port.value_range:
        return torch.randn(shape, generator=generator).to(dtype)
    low, high = port.value_range
    shares = torch.rand(shape, generator=generator).double()  # as wide as float32 it may be
    return (low + (high - low) * shares).to(dtype)


def nested(values: Sequence[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """Values by path as the network takes them: numbered parts are a tuple, named ones a mapping.

    >>> nested([(("x",), 1), (("pair", "0"), 2), (("pair", "1"), 3), (("more", "mask"), 4)])
    {'x': 1, 'pair': (2, 3), 'more': {'mask': 4}}
    """
    tree: dict[str, Any] = {}
    for path, value in values:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    return {name: _shaped(inner) for name, inner in tree.items()}


def _shaped(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    parts = {key: _shaped(inner) for key, inner in node.items()}
    numbered = all(key.isdigit() for key in parts)
    return tuple(parts[key] for key in sorted(parts, key=int)) if numbered else parts


def leaves(answer: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What lies in an answer of any nesting, each with its path; None is nothing.

    >>> list(leaves({"a": [1, 2], "b": None, "c": 3}))
    [(('a', '0'), 1), (('a', '1'), 2), (('c',), 3)]
    """
    if answer is None:
        return
    inner: Any = None
    if isinstance(answer, Mapping):
        inner = answer.items()
    elif isinstance(answer, tuple) and hasattr(answer, "_fields"):
        inner = zip(answer._fields, answer, strict=True)
    elif isinstance(answer, (list, tuple)):
        inner = enumerate(answer)
    elif dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        inner = ((one.name, getattr(answer, one.name)) for one in dataclasses.fields(answer))
    if inner is None:
        yield path, answer
        return
    for key, value in inner:
        yield from leaves(value, (*path, str(key)))
