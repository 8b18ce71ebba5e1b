"""Text as it is, and what all that is drawn here has in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from lading.record import ArtifactRecord, Verdict
from lading.record.wording import port, summary

STYLE = {"pass": "bold green", "fail": "bold red", "not run": "yellow"}
#: Control characters, which a terminal would obey: names and values come from strangers' files.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def words(text: str, style: str = "") -> Text:
    """`text` to be shown as it is: neither markup nor control characters act.

    >>> str(words("[bold]a\\x1b[31mb"))
    '[bold]a\N{REPLACEMENT CHARACTER}[31mb'
    """
    return Text(_CONTROL.sub("\ufffd", text), style=style)


def first_line(console: Console, verdict: Verdict, *measured: Sequence[Any]) -> None:
    """The verdict and what it says; see `lading.record.wording.summary`."""
    text = words(verdict.upper(), STYLE[verdict]) + words(f"  {summary(verdict, *measured)}")
    console.print(text, soft_wrap=True)


def interface(record: ArtifactRecord) -> str:
    """``image float32 1×1×256×256 → logits float32 1×3×256×256``"""
    sides = (record.inputs, record.outputs)
    return " → ".join(", ".join(port(one) for one in side) for side in sides)
