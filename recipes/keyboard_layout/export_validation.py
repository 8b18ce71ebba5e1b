"""Writes the validation set as a table that `lading verify --data` reads.

    python -m recipes.keyboard_layout.export_validation --count 20000 FILE.csv

Run from the repository's root. The phrases are those that `evaluate` measures: of held-out words,
without slips of the finger. The same count gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from recipes.keyboard_layout.evaluate import CLEAN, draw
from recipes.keyboard_layout.phrases import LABELS


def table(count: int) -> str:
    """`count` phrases as CSV with the columns ``text`` and ``label``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows((phrase, LABELS[label]) for phrase, label in draw(CLEAN, count))
    return text.getvalue()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, metavar="FILE.csv")
    parser.add_argument("--count", type=int, default=20_000)
    given = parser.parse_args(argv)
    if given.count < 1:
        parser.error(f"--count {given.count}: at least 1")
    try:
        given.file.write_text(table(given.count), encoding="utf-8", newline="")
    except OSError as error:
        parser.error(f"{given.file}: {error.strerror}")
    print(f"{given.count:,} phrases: {given.file}", file=sys.stderr)


if __name__ == "__main__":
    main()
