"""The command that makes a bill again, spelled for a shell from what the bill says was asked.

The bill holds the words already, option by option; here they are spelled. A path or a text is one
word whatever is in it, and one that begins with a dash is not taken for an option.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lading.record import Bill
from lading.record.text import obeyed

#: Packages of the environment that decide the result.
_PACKAGES = (
    "torch", "coremltools", "numpy", "onnx", "onnxscript", "onnxruntime", "safetensors"
)  # fmt: skip

UNSAID = "The bill does not say what was asked."


@dataclass(frozen=True)
class Repeat:
    """How to do it again.

    Attributes:
        command: lading's own; empty where no command does it.
        versions: lading's and those of what it stood on, e.g. ``"torch 2.13.0"``. No command to
            install them: what an index has under a name need not be what made the bill.
        why: why there is no command; empty where there is one.
    """

    command: str = ""
    versions: tuple[str, ...] = ()
    why: str = ""


def repeat(bill: Bill) -> Repeat:
    """The command that makes the bill again, and the versions that it takes."""
    try:
        done = _words(bill.request)
        python = bill.request.get("python", {})
        made = ", ".join(f"{name} ({what})" for name, what in python.items())
    except (TypeError, ValueError, KeyError, AttributeError):  # a stranger's bill says anything
        return Repeat(why=UNSAID)
    if made:
        return Repeat(
            why=f"It was asked in Python, with {made}: the same call of "
            f"lading.{done[1]} repeats it, and no command does."
        )
    versions = [
        f"{name} {bill.environment[name]}"
        for name in _PACKAGES
        if bill.environment.get(name, "not installed") != "not installed"
    ]
    return Repeat(" ".join(map(word, done)), (f"lading {bill.lading}", *versions))


def word(text: str) -> str:
    """`text` as one word of bash or zsh, and nothing that a page could not show.

    >>> word("a b"), word("it's"), word("a\\n")
    ("'a b'", '\\'it\\'"\\'"\\'s\\'', "$'a\\\\x0a'")
    """
    if not any(obeyed(one) or one in "\n\t" for one in text):
        return shlex.quote(text)
    spelled = []
    for one in text:
        if one in "\\'":
            spelled.append(f"\\{one}")
        elif obeyed(one) or one in "\n\t":
            spelled += [f"\\x{byte:02x}" for byte in _bytes(one)]
        else:
            spelled.append(one)
    return f"$'{''.join(spelled)}'"


def _bytes(character: str) -> bytes:
    """As a path has it: Python stands for a byte that is no UTF-8 by a surrogate."""
    try:
        return os.fsencode(character)
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


def _words(request: Mapping[str, Any]) -> list[str]:
    """The words of lading's own command.

    Raises:
        TypeError, KeyError, ValueError: the bill does not say them.
    """
    words = ["lading", _named(request["command"]), *map(_text, request["arguments"])]
    for name, value in request["options"].items():
        for text in value if isinstance(value, list) else [value]:
            words += _option(_named(name), text)
    return words


def _option(name: str, value: Any) -> list[str]:
    """``--name``, ``--name value``, or ``--name=-value``."""
    if value is True:
        return [f"--{name}"]
    text = _text(value)
    return [f"--{name}={text}"] if text.startswith("-") or not text else [f"--{name}", text]


def _named(name: Any) -> str:
    """A name as lading gives them.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[a-z][a-z-]*", name):
        raise ValueError(name)
    return str(name)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
