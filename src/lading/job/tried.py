"""Which versions were tried together: what `make matrix` wrote, and what it says of others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lading.base.environment import numbers

FILE = Path(__file__).parent.parent / "data" / "tried.json"


@dataclass(frozen=True)
class Tried:
    """One corner of the matrix.

    Attributes:
        python: e.g. ``"3.11"``.
        torch: e.g. ``"2.13.0"``.
        coremltools: e.g. ``"9.0"``.
        demo: how many demonstrations passed, of how many.
        networks: how many networks came out right in both formats, of how many.
        tests: how many of the tests of capture passed, of how many.
        misses: what did not, in words.
    """

    python: str
    torch: str
    coremltools: str
    demo: tuple[int, int] = (0, 0)
    networks: tuple[int, int] = (0, 0)
    tests: tuple[int, int] = (0, 0)
    misses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The versions, in words."""
        return f"torch {self.torch}, Python {self.python}, coremltools {self.coremltools}"

    @property
    def versions(self) -> tuple[str, str, str]:
        """What makes it a corner of its own."""
        return self.python, self.torch, self.coremltools

    @property
    def passed(self) -> str:
        """What passed, in words."""
        counted = ((self.demo, "demo"), (self.networks, "networks"), (self.tests, "tests"))
        return ", ".join(f"{good} of {all_} {what}" for (good, all_), what in counted)


def read(file: Path = FILE) -> list[Tried]:
    """Every corner that was tried, by versions."""
    rows = []
    for row in json.loads(file.read_text()):
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        rows.append(Tried(**fields))
    return sorted(rows, key=_order)


def write(rows: list[Tried], file: Path = FILE) -> None:
    """Replaces the file; one row a line."""
    lines = [json.dumps(asdict(row)) for row in sorted(rows, key=_order)]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def _order(row: Tried) -> tuple[tuple[int, ...], ...]:
    return numbers(row.python), numbers(row.torch), numbers(row.coremltools)


def verdict(python: str, torch: str, coremltools: str) -> tuple[bool, str]:
    """Whether these versions were tried together and all passed; and that in words.

    Args:
        python: as `platform.python_version` says it.
        torch: as installed; what stands behind a ``+`` is not looked at.
        coremltools: as installed.
    """
    here = tuple(numbers(python)[:2]), numbers(torch), numbers(coremltools)
    rows = read()
    for row in rows:
        if _order(row) == here:
            said = f"; {row.misses[0]}" if row.misses else ""
            return not row.misses, f"tried: {row.passed}{said}"
    if not rows:
        return False, "not tried"
    nearest = min(rows, key=lambda row: [_far(*two) for two in zip(_order(row), here, strict=True)])
    return False, f"not tried; the nearest that was: {nearest.name} ({nearest.passed})"


def _far(one: tuple[int, ...], other: tuple[int, ...]) -> list[int]:
    width = max(len(one), len(other))
    padded = ((*version, *(0,) * (width - len(version))) for version in (one, other))
    return [abs(a - b) for a, b in zip(*padded, strict=True)]
