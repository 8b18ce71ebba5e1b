"""Values of hyper-parameters as a user types them."""

from __future__ import annotations

import json
import re
from typing import Any


def parse(text: str) -> Any:
    """What the user typed as a plain value: JSON, ``3x3``, ``3x3,1x3``, ``32,64``, or a word.

    >>> parse("7"), parse("3x3"), parse("3x3,1x3"), parse("32,64"), parse("LeakyReLU")
    (7, [3, 3], [[3, 3], [1, 3]], [32, 64], 'LeakyReLU')
    """
    text = text.strip()
    try:
        return json.loads(text)
    except ValueError:
        pass
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    items = re.split(r"[,\s]+", text)
    if len(items) > 1 and all(items):
        return [parse(item) for item in items]
    if re.fullmatch(r"\d+(x\d+)+", text):
        return [int(part) for part in text.split("x")]
    return text


def show(value: Any) -> str:
    """A value as the user would type it; `parse` takes it back.

    >>> show([[3, 3], [1, 3]]), show([32, 64]), show(True), show("2d")
    ('3x3,1x3', '32,64', 'true', '2d')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(type(item) is int for item in value):
            return ",".join(map(str, value))
        if all(
            isinstance(i, list) and len(i) > 1 and all(type(n) is int for n in i) for i in value
        ):
            return ",".join("x".join(map(str, item)) for item in value)
    return json.dumps(value, separators=(",", ":"), default=str)
