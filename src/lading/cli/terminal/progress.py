"""A bar for long files."""

from __future__ import annotations

import time

from rich.console import Console

from lading.cli.terminal.text import words


class Bar:
    """How far a walk through a file is, and the time that is left, on one line; where the console
    is no terminal, a line every half minute."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, whole: int, samples: int) -> None:
        """Shows it.

        Args:
            done: bytes read.
            whole: bytes in all.
            samples: as many are through.
        """
        now = time.monotonic()
        if self.first is None:  # an earlier run's share took no time of this one
            self.began, self.first, self.last = now, done, now - 60.0
        pause = 0.2 if self.console.is_terminal else 30.0
        if now - self.last < pause and done < whole:
            return
        self.last = now
        line = words(f"  {bar(done / whole, 30)} {samples:,} samples{self._left(now, done, whole)}")
        end = "\r" if self.console.is_terminal and done < whole else "\n"
        self.console.print(line, end=end, highlight=False, style="dim")

    def _left(self, now: float, done: int, whole: int) -> str:
        fresh = done - (self.first or 0)
        if fresh <= 0 or done >= whole:
            return "        "
        seconds = round((now - self.began) * (whole - done) / fresh)
        return f", {seconds // 60}:{seconds % 60:02d} left "


def bar(share: float, width: int) -> str:
    """A bar and its per cent.

    >>> bar(0.5, 8)
    '████░░░░  50 %'
    """
    full = int(share * width)
    return "█" * full + "░" * (width - full) + f" {int(100 * share):3d} %"
