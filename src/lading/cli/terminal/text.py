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
    text = " → ".join(", ".join(port(one) for one in side) for side in sides)
    names = ", ".join(state.port.name for state in record.states)
    return f"{text}; remembers {names}" if names else text


# ----------------------------------------------------------------------------------------- tables
def middle(text: str, width: int) -> str:
    """A text of at most `width` characters, what is too long left out in its middle.

    >>> middle("decoder.stages.0.convs.1.norm.weight", 21)
    'decoder.st…orm.weight'
    """
    if len(text) <= width:
        return text
    left = max(0, width) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}" if width > 1 else "…"[:width]


class Table:
    """Rows in columns that fit the console. No word is broken: one that is longer than its column
    is shortened in its middle, where paths differ least.

    Args:
        headings: of the columns; one that begins with ``>`` is set to the right, one with ``!``
            is never shortened.
    """

    #: A column is never made narrower, unless all it holds is.
    LEAST = 10

    def __init__(self, *headings: str) -> None:
        self.right = [one.startswith(">") for one in headings]
        self.whole = [one.startswith("!") for one in headings]
        self.headings = [one.lstrip(">!") for one in headings]
        self.rows: list[list[Text] | Text] = []

    def row(self, *cells: str | Text) -> None:
        """One row; a cell is a text, or one with a style."""
        self.rows.append([one if isinstance(one, Text) else words(one) for one in cells])

    def line(self, text: Text) -> None:
        """A line across all columns."""
        self.rows.append(text)

    def show(self, console: Console) -> None:
        """Prints it."""
        cells = [row for row in self.rows if isinstance(row, list)]
        widths = self._widths(console.width, cells)
        if any(self.headings):
            self._print(console, [words(one, "dim") for one in self.headings], widths)
        for row in self.rows:
            if isinstance(row, Text):
                console.print(row, soft_wrap=True)
            else:
                self._print(console, row, widths)

    def _widths(self, whole: int, cells: Sequence[Sequence[Text]]) -> list[int]:
        columns = [
            [len(heading), *(row[at].cell_len for row in cells)]
            for at, heading in enumerate(self.headings)
        ]
        widths = [max(column) for column in columns]
        free = [at for at, kept in enumerate(self.whole) if not kept]
        while free and sum(widths) + 2 * len(widths) - 1 > whole:
            widest = max(free, key=lambda at: widths[at])
            if widths[widest] <= self.LEAST:
                break
            widths[widest] -= 1
        return widths

    def _print(self, console: Console, cells: Sequence[Text], widths: Sequence[int]) -> None:
        columns = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        for index in range(max(map(len, columns))):
            line = Text(" ")
            for lines, width, right in zip(columns, widths, self.right, strict=True):
                part = lines[index] if index < len(lines) else Text("")
                space = " " * (width - part.cell_len)
                line += Text(space) + part if right else part + Text(space)
                line += Text("  ")
            line.rstrip()
            console.print(line, soft_wrap=True)


def _wrapped(cell: Text, width: int) -> list[Text]:
    """The cell in lines of at most `width`, broken between words alone."""
    if cell.cell_len <= width and "\n" not in cell.plain:
        return [cell]
    lines: list[str] = []
    for word in (middle(one, width) for one in cell.plain.split()):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [Text(line, style=cell.style) for line in lines or [""]]
