"""A user's table of labelled samples: CSV, read row by row, from any row on.

The first line names the columns. ``label`` holds the class by name; ``text`` holds the sample, or
``path`` names a picture or ``.npy`` file, relative to the table. Other columns are not read. UTF-8,
commas, and double quotes around what holds a comma, a quote or a line's end; empty lines are
passed over.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lading.errors import InputError

#: A line longer than this is no line of a table; the whole of it would have to be held in memory.
LONGEST = 1 << 20
_SAMPLES = ("text", "path")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where a reading stands: everything before it is read.

    Attributes:
        offset: bytes.
        line: lines.
        rows: samples.
        sha256: of those bytes.
    """

    offset: int = 0
    line: int = 0
    rows: int = 0
    sha256: str = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Row:
    """One sample: its line in the file, the text or path, the index of its class."""

    line: int
    sample: str
    label: int


class Table:
    """An open table; iterating gives its rows. Use as a context manager.

    Args:
        path: of the file.
        labels: class names in the order of the network's outputs.
        samples: the column of samples that the network can take: ``"text"`` or ``"path"``.
        start: go on from there.

    Raises:
        InputError: the file cannot be opened, or its first line does not name the columns.
    """

    def __init__(
        self, path: Path, labels: Sequence[str], samples: str, start: Place | None = None
    ) -> None:
        self.path = path
        self._index = {name: place for place, name in enumerate(labels)}
        self._digest = hashlib.sha256()
        self._offset = self._line = self._rows = 0
        try:
            self._file: BinaryIO = path.open("rb")
            self.bytes = path.stat().st_size
        except OSError as error:
            raise InputError(
                str(path),
                found=str(error.strerror or error),
                expected=f"a CSV file with the columns {samples},label",
                remedy="check the path of --data",
            ) from error
        try:
            self._reader = csv.reader(self._lines(), strict=True)
            self._columns(samples)
            if start and start.offset > self._offset:
                self._skip(start)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def place(self) -> Place:
        """What is read by now."""
        return Place(self._offset, self._line, self._rows, self._digest.hexdigest())

    def __iter__(self) -> Iterator[Row]:
        while (row := self._next()) is not None:
            line, cells = row
            if len(cells) != self._width:
                raise self._wrong(
                    line,
                    f"{len(cells)} column(s): {','.join(cells)[:60]!r}",
                    f"{self._width}, as in the first line",
                    "put double quotes around a text with a comma in it, and write a double quote "
                    "within them twice",
                )
            label = cells[self._label].strip()
            if label not in self._index:
                raise self._wrong(
                    line,
                    f"label {label[:80]!r}",
                    "one of " + ", ".join(self._index),
                    "spell the label as the network's class is called, or leave the row out",
                )
            self._rows += 1
            yield Row(line, cells[self._sample], self._index[label])

    def _columns(self, samples: str) -> None:
        """Reads the first line."""
        first = self._next()
        names = [name.strip().lower() for name in first[1]] if first else []
        wanted = f"the names of the columns, among them {samples} and label, with commas between"
        if names.count(samples) != 1 or names.count("label") != 1:
            other = next((name for name in _SAMPLES if name != samples and name in names), "")
            raise self._wrong(
                1,
                ", ".join(names)[:100] or "nothing",
                wanted,
                f"this network takes {samples}, not {other}"
                if other
                else f"write {samples},label as the first line",
            )
        self._sample, self._label = names.index(samples), names.index("label")
        self._width = len(names)

    def _skip(self, start: Place) -> None:
        """Reads, without looking, what was read before.

        Raises:
            InputError: it is not what it was.
        """
        while self._offset < start.offset:
            part = self._file.read(min(_CHUNK, start.offset - self._offset))
            if not part:
                break
            self._digest.update(part)
            self._offset += len(part)
        self._line, self._rows = start.line, start.rows
        if self._digest.hexdigest() != start.sha256:
            raise InputError(
                str(self.path),
                found="other rows than when the comparison was interrupted",
                expected="the same beginning",
                remedy="start again",
            )

    def _next(self) -> tuple[int, list[str]] | None:
        """Line number and cells of the next row that is not empty."""
        while True:
            line = self._line + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                raise self._wrong(
                    line,
                    str(error),
                    "cells with commas between; quoted ones closed",
                    "put double quotes around such a cell, and write a quote within them twice",
                ) from error
            if cells is None:
                return None
            if cells:
                return line, cells

    def _lines(self) -> Iterator[str]:
        while raw := self._file.readline(LONGEST):
            if len(raw) == LONGEST and not raw.endswith(b"\n"):
                raise self._wrong(
                    self._line + 1,
                    f"a line of more than {LONGEST:,} bytes",
                    "one row a line",
                    "check that this is a CSV file",
                )
            self._line += 1
            self._offset += len(raw)
            self._digest.update(raw)
            try:
                text = raw.decode("utf-8-sig" if self._line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._wrong(
                    self._line,
                    f"byte 0x{raw[error.start]:02x}, which is not UTF-8",
                    "a file in UTF-8",
                    "save the table as UTF-8 (in a spreadsheet: CSV UTF-8)",
                ) from error
            yield text

    def _wrong(self, line: int, found: str, expected: str, remedy: str) -> InputError:
        return InputError(
            f"{self.path}, line {line}", found=found, expected=expected, remedy=remedy
        )
