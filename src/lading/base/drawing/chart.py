"""Charts as SVG, one writer for pages and files. A mark's class says what it is, `STYLE` how that
looks, with the colours of the page that holds it or, in a file, with `COLOURS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from lading.record.text import visible

STYLE = Path(__file__).with_name("chart.css").read_text(encoding="utf-8")
#: What `STYLE` asks for, on white paper.
COLOURS = {
    "card": "#fff", "sunk": "#f3f1ec", "ink": "#1b2430", "soft": "#525c6b", "rule": "#dcd8cf",
    "strong": "#8b8371", "accent": "#1c4c7c", "good": "#12603c", "bad": "#a11b2b",
    "mark": "#c2571a",
}  # fmt: skip
WIDTH, HEIGHT = 960, 380
LEFT, RIGHT, TOP, BOTTOM = 76, WIDTH - 16, 24, HEIGHT - 84
#: A letter is about so wide, and a line of a legend so high.
LETTER, LINE = 7, 18
#: More points than these are drawn as a line alone.
DOTS = 400


@dataclass(frozen=True)
class Scale:
    """Values upwards: `low` lies at the frame's foot and `high` at its top; what is beyond is drawn
    there. What is not a number lies at `lost`. Decades are equally high where `decades`.

    >>> Scale(0, 10).at(5), Scale(1e-4, 1, decades=True).at(1e-2), Scale(0, 1).at(7)
    (160.0, 160.0, 24.0)
    """

    low: float
    high: float
    lost: float = math.inf
    decades: bool = False

    def at(self, value: float) -> float:
        """The height in pixels, from the top."""
        value = self.lost if math.isnan(value) else value
        ends = self.low, min(max(value, self.low), self.high), self.high
        low, inside, high = map(math.log10, ends) if self.decades else ends
        return round(BOTTOM - (BOTTOM - TOP) * (inside - low) / (high - low), 1)

    def ticks(self, step: float = 1.0) -> list[tuple[float, str]]:
        """Values with their labels: every `step`, or about eight decades."""
        if not self.decades:
            count = round((self.high - self.low) / step)
            return [(self.low + step * n, f"{self.low + step * n:g}") for n in range(count + 1)]
        low, high = round(math.log10(self.low)), round(math.log10(self.high))
        return [(10.0**e, power(e)) for e in range(low, high + 1, max(1, (high - low) // 8))]


def decades(values: Iterable[float], floor: float, ceiling: float) -> Scale:
    """Whole decades that hold every value between `floor` and `ceiling`; at least one.

    >>> decades([0.002, 0.5, float("inf")], 1e-9, 1e3)
    Scale(low=0.001, high=1000.0, lost=inf, decades=True)
    """
    inside = [min(max(value, floor), ceiling) for value in values if value > 0] or [floor, 1.0]
    low, high = math.floor(math.log10(min(inside))), math.ceil(math.log10(max(inside)))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), decades=True)


def power(exponent: int) -> str:
    """Ten to the `exponent` for people.

    >>> power(-4), power(-2), power(4), power(12)
    ('10⁻⁴', '0.01', '10000', '10¹²')
    """
    if -2 <= exponent <= 4:
        return f"{10.0**exponent:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def few(count: int) -> list[int]:
    """Five places of so many at most, from 0, first and last among them.

    >>> few(25), few(1)
    ([0, 6, 12, 18, 24], [0])
    """
    shown = min(count, 5)
    return sorted({round(place * (count - 1) / max(shown - 1, 1)) for place in range(shown)})


class Drawing:
    """An SVG picture; what is added first lies lowest.

    Args:
        width, height: in pixels.
        title: what it is.
        alt: what it shows, in a sentence with its numbers, for who cannot see it.
        name: of its file, without a suffix.
    """

    def __init__(self, width: float, height: float, title: str, alt: str, name: str = "") -> None:
        self.width, self.height = width, height
        self.title, self.alt, self.name = title, alt, name
        self.marks: list[str] = []

    def add(self, tag: str, kind: str, text: str = "", hint: str = "", **where: object) -> None:
        """A mark of the class `kind`, with its text and with a `hint` for who points at it."""
        placed = "".join(
            f' {name.replace("_", "-")}="{_said(value)}"' for name, value in where.items()
        )
        inside = f"{_text('title', hint)}{escape(visible(text))}"
        self.marks.append(f'<{tag} class="{kind}"{placed}>{inside}</{tag}>')

    def text(self, kind: str, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Words that begin at, end at or lie around (x, y)."""
        self.add("text", kind, text, x=x, y=y, text_anchor=anchor)

    def line(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """A straight line."""
        self.add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def rect(
        self, kind: str, x: float, y: float, width: float, height: float, **more: object
    ) -> None:
        """A rectangle."""
        self.add("rect", kind, "", "", x=x, y=y, width=width, height=height, **more)

    def inline(self, label: str) -> Markup:
        """The picture within a page; `label` is an id that no other element of it has."""
        title = _text("title", self.alt, label)
        return Markup(self._svg(f'aria-labelledby="{label}"', title, self.width))

    def file(self) -> bytes:
        """The picture as a file of its own, its title above it."""
        top = 34
        paper = f'<rect y="{-top}" width="100%" height="100%" fill="#fff"/>'
        words = escape(visible(self.title))
        # Written out: not every viewer of files knows variables.
        style = re.sub(r"var\(--(\w+)\)", lambda found: COLOURS[found[1]], STYLE)
        head = f'<text class="legend" x="16" y="-12" font-size="15">{words}</text>'
        inside = f"{_text('title', self.alt)}<style>{style}</style>{paper}{head}"
        wide = max(self.width, 32 + 1.3 * LETTER * len(self.title))
        return self._svg('xmlns="http://www.w3.org/2000/svg"', inside, wide, top).encode()

    def _svg(self, attributes: str, inside: str, width: float, top: int = 0) -> str:
        wide, high = f"{width:g}", f"{self.height + top:g}"
        size = f'width="{wide}" height="{high}" viewBox="0 {-top} {wide} {high}"'
        marks = "\n".join(self.marks)
        return f'<svg class="chart" {size} role="img" {attributes}>\n{inside}\n{marks}\n</svg>\n'


class Chart(Drawing):
    """A frame with a scale upwards, and `count` equally wide places along.

    Args:
        unit: of the scale.
        ticks: values upwards with their labels.
        legend: lines of text below it.
    """

    def __init__(
        self, title: str, alt: str, unit: str, up: Scale, count: int,
        ticks: Sequence[tuple[float, str]], legend: int = 0, name: str = "",
    ) -> None:  # fmt: skip
        height = BOTTOM + 36 + LINE * legend if legend else HEIGHT
        super().__init__(WIDTH, height, title, alt, name)
        self.up, self.count = up, count
        self._labels: list[float] = []
        for value, label in ticks:
            y = up.at(value)
            self.line("grid", LEFT, y, RIGHT, y)
            self.text("tick", LEFT - 8, y + 4, label, "end")
        self.rect("frame", LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP)
        self.text("tick", LEFT, TOP - 9, unit)

    def along(self, place: float) -> float:
        """The middle of a place, from 0, in pixels from the left."""
        return round(LEFT + (RIGHT - LEFT) * (place + 0.5) / self.count, 1)

    def stripe(self, first: int, last: int) -> None:
        """Places `first` to `last` on a darker ground, below everything."""
        left, right = self.along(first - 0.5), self.along(last + 0.5)
        self.rect("stripe", left, TOP, right - left, BOTTOM - TOP)
        self.marks.insert(0, self.marks.pop())

    def limit(self, value: float, label: str) -> None:
        """A line across that means something."""
        y = self.up.at(value)
        self.line("limit", LEFT, y, RIGHT, y)
        self.text("limit-label", RIGHT - 8, self._free(y - 6), label, "end")

    def _free(self, y: float) -> float:
        """The place nearest to `y`, above or below, where no label of a limit lies yet."""
        steps = sorted((LINE * n for n in range(-8, 9)), key=lambda step: (abs(step), step > 0))
        places = (round(y + step, 1) for step in steps if TOP + 10 <= y + step <= BOTTOM - 4)
        free = (at for at in places if all(abs(at - one) >= LINE - 4 for one in self._labels))
        self._labels.append(next(free, y))
        return self._labels[-1]

    def mark(self, place: int, label: str) -> None:
        """A line upwards at a place, with its label below."""
        x, last = self.along(place), self.count - 1
        anchor = "middle" if 0 < place < last or not last else "end" if place else "start"
        self.line("grid", x, TOP, x, BOTTOM + 5)
        self.text("tick", x, BOTTOM + 20, label, anchor)

    def curve(
        self, values: Sequence[float], hints: Sequence[str], states: Sequence[str],
        series: str = "", dots: int = DOTS,
    ) -> None:  # fmt: skip
        """A line through values, one to a place, and a dot at each with its hint; where there are
        more than `dots`, only at those with a state (``"first"``, ``"beyond"``)."""
        points = [(self.along(place), self.up.at(value)) for place, value in enumerate(values)]
        self.add("polyline", f"line {series}", points=" ".join(f"{x:g},{y:g}" for x, y in points))
        for (x, y), hint, state in zip(points, hints, states, strict=True):
            if state or len(values) <= dots:
                kind = " ".join(filter(None, ("dot", series, state)))
                self.add("circle", kind, hint=hint, cx=x, cy=y, r=6 if state else 3)

    def legend(self, row: int, label: str, series: str) -> None:
        """What a line stands for, below the frame."""
        y = BOTTOM + 42 + LINE * row
        self.line(f"line {series}", LEFT + 12, y - 4, LEFT + 44, y - 4)
        self.text("legend", LEFT + 52, y, label)


def _text(tag: str, text: str, label: str = "") -> str:
    id_ = f' id="{label}"' if label else ""
    return f"<{tag}{id_}>{escape(visible(text))}</{tag}>" if text else ""


def _said(value: object) -> str:
    return f"{round(value, 1):g}" if isinstance(value, float) else str(value)
