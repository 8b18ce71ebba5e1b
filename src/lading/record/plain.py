"""Records as plain JSON, and back.

Floats that JSON cannot say are written as the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

R = TypeVar("R")


def to_json(value: Any) -> Any:
    """`value` (records, mappings, sequences, scalars) as what `json.dumps` takes.

    Raises:
        TypeError: it holds something that is not a record or a plain value.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_json(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not (f.metadata.get("rare") and getattr(value, f.name) == f.default)
        }
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a record: {value!r}")


def from_json(kind: type[R], data: Any) -> R:
    """The record of class `kind` that `to_json` wrote as `data`.

    Raises:
        TypeError, KeyError, ValueError: `data` is not one.
    """
    record: R = _read(kind, data)
    return record


def _read(kind: Any, data: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        items = _of(dict, data, kind.__name__).items()
        values = {name: _read(hints[name], item) for name, item in items}
        # what follows from the other fields was written for people; it has to be what follows
        follows = {f.name: values.pop(f.name) for f in dataclasses.fields(kind)
                   if not f.init and f.name in values}  # fmt: skip
        record = kind(**values)
        for name, value in follows.items():
            if getattr(record, name) != value:
                raise ValueError(f"{name} is {value!r}, not {getattr(record, name)!r}")
        return record
    if origin is tuple:
        return tuple(_read(args[0], item) for item in _of(list, data, "a list"))
    if origin is Literal:
        if data not in args:
            raise ValueError(f"{reprlib.repr(data)} is none of {args}")
        return data
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return None if data is None else _read(inner[0], data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _read(args[1], item) for name, item in _of(dict, data, "a mapping").items()}
    if kind is float:
        if isinstance(data, str) and data not in ("inf", "-inf", "nan"):
            raise ValueError(f"{data!r} is no number")
        return float(data)
    return data if kind is Any else _of(kind, data, kind.__name__)


def _of(kind: type, data: Any, name: str) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise TypeError(f"{reprlib.repr(data)} is not {name}")
    return data
