"""The JSON Schema of the bill, made from the records themselves: one place says what a bill is."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from lading.record import SCHEMA, Bill

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: JSON has no infinities and no NaN; `evidence.to_json` writes these.
_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: _NUMBER,
    Any: {},
}


def of_bill() -> dict[str, Any]:
    """The schema of `lading.json`.

    >>> of_bill()["properties"]["verdict"]
    {'enum': ['pass', 'fail', 'not run']}
    """
    schema = _of(Bill)
    schema["properties"]["schema"] = {"const": SCHEMA}
    return {"$schema": DIALECT, "title": "Bill of lading", **schema}


def dumps() -> str:
    """The schema as the text of `lading.record.schema.json`."""
    return json.dumps(of_bill(), indent=1) + "\n"


def _of(kind: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        return {
            "type": "object",
            "properties": {
                f.name: {"enum": list(f.metadata["enum"])}
                if "enum" in f.metadata
                else _of(hints[f.name])
                for f in fields
            },
            "required": [f.name for f in fields if not f.metadata.get("rare")],
            "additionalProperties": False,
        }
    if origin is tuple:
        return {"type": "array", "items": _of(args[0])}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_of(arg) for arg in args if arg is not type(None)] + [{"type": "null"}]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(args[1])}
    raise TypeError(f"{kind} has no JSON form")
