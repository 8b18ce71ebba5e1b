"""How far the work is: what is called when a stage begins, and what shows it to a person."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lading.record.text import visible

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

#: Told when a stage begins: its name, and what it works on.
Progress = Callable[[str, str], None]

#: What the stage that runs tells its steps to: how many are done, of how many, and of what.
_listeners: list[Callable[[int, int, str], None]] = []


def silent(stage: str, detail: str) -> None:
    """A `Progress` that does nothing."""


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """The items; whoever shows the stage learns before each how many are done.

    >>> list(counted("ab", "letters"))
    ['a', 'b']
    """
    for done, item in enumerate(items):
        for listener in _listeners[-1:]:
            listener(done, len(items), what)
        yield item


class Stages:
    """Prints each stage as it ends and how long it took; in a terminal the one that runs moves: a
    spinner, how many of its steps are done, and the time that is left.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = time.monotonic()
        self.current = ""
        self._status: Any = None
        _listeners.append(self.step)

    def __call__(self, stage: str, detail: str) -> None:
        self._end()
        self.current = f"{stage:<10} {detail}"
        self.last = time.monotonic()
        self._show(self.current)

    def step(self, done: int, of: int, what: str) -> None:
        """As many steps of the stage are done."""
        left = _left(time.monotonic() - self.last, done, of)
        self._show(f"{self.current}  {done} of {of} {what}{left}")

    def finish(self) -> None:
        """Ends the line of the stage that runs, and with it the work."""
        self._end()
        if self.step in _listeners:
            _listeners.remove(self.step)

    def _end(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None
        if self.current:
            self._line(f"{time.monotonic() - self.last:6.1f} s  {self.current}")
        self.current = ""

    def _line(self, text: str) -> None:
        line = self._text(text)
        line.truncate(self.console.width, overflow="ellipsis")
        self.console.print(line, highlight=False)

    def _show(self, text: str) -> None:
        if not self.console.is_terminal:
            return
        line = self._text(text)
        line.truncate(self.console.width - 3, overflow="ellipsis")
        if self._status is None:
            self._status = self.console.status(line)
            self._status.start()
        else:
            self._status.update(line)

    @staticmethod
    def _text(text: str) -> Any:
        from rich.text import Text

        return Text(visible(text), style="dim", no_wrap=True)


class Cell(Stages):
    """The same below a notebook's cell: one display that is written again as the work goes on."""

    def __init__(self) -> None:
        from rich.console import Console

        self._lines: list[str] = []
        self._handle: Any = None
        super().__init__(Console(width=100))

    def _line(self, text: str) -> None:
        self._lines.append(text)
        self._draw(self._lines)

    def _show(self, text: str) -> None:
        self._draw([*self._lines, f"     …    {text}"])

    def _draw(self, lines: list[str]) -> None:
        from html import escape

        from IPython.display import display

        show: Any = display
        text = visible("\n".join(lines))
        shown = {"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"}
        if self._handle is None:
            self._handle = show(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def here() -> Stages | None:
    """What shows the work of a call from Python: in a notebook, or on a terminal's standard error;
    elsewhere nothing does."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and hasattr(shell, "kernel"):
        return Cell()
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Stages(Console(stderr=True))


def _left(took: float, done: int, of: int) -> str:
    """The time that is left, where enough is done to say it.

    >>> _left(20.0, 4, 12), _left(0.5, 1, 2)
    (', 0:40 left', '')
    """
    if done < 1 or took < 2.0:
        return ""
    seconds = round(took * (of - done) / done)
    return f", {seconds // 60}:{seconds % 60:02d} left"
