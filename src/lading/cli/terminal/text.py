"""Text as it is, and what all that is drawn here has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from lading.errors import clipped
from lading.record import ArtifactRecord, Verdict
from lading.record.text import visible
from lading.record.wording import port, summary

STYLE = {"pass": "bold green", "fail": "bold red", "not run": "yellow"}


class Plain(Console):
    """A console that shows every string as `words` does, wherever in a table or a tree it stands:
    names and values come from strangers' files."""

    def render_str(self, text: str, *, style: Any = "", **how: Any) -> Text:
        return words(text, style)


def words(text: Any, style: Any = "") -> Text:
    """`text` on one line, to be shown as it is: neither markup nor control characters act.

    >>> str(words("[bold]a\\x1b[31mb\\nPASS"))
    '[bold]a⟨U+001B⟩[31mb⟨U+000A⟩PASS'
    """
    return Text(visible(clipped(str(text))).replace("\n", "⟨U+000A⟩"), style=style)


def lines(text: str, style: Any = "") -> Text:
    """The same of a text of several lines that lading itself put together."""
    return Text("\n").join(words(line, style) for line in text.split("\n"))


def first_line(console: Console, verdict: Verdict, *measured: Sequence[Any]) -> None:
    """The verdict and what it says; see `lading.record.wording.summary`."""
    text = words(verdict.upper(), STYLE[verdict]) + words(f"  {summary(verdict, *measured)}")
    console.print(text, soft_wrap=True)


def interface(record: ArtifactRecord) -> str:
    """``image float32 1×1×256×256 → logits float32 1×3×256×256``"""
    sides = (record.inputs, record.outputs)
    return " → ".join(", ".join(port(one) for one in side) for side in sides)
