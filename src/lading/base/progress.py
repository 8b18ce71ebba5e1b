"""What is called when a stage begins."""

from __future__ import annotations

from collections.abc import Callable

#: Told when a stage begins: its name, and what it works on.
Progress = Callable[[str, str], None]


def silent(stage: str, detail: str) -> None:
    """A `Progress` that does nothing."""
