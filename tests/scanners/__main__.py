"""What other scanners name, lading names: ``python -m tests.scanners --python PYTHON``.

PYTHON is one that has `picklescan`, `modelscan` and `fickling`, any of them. Every name that one
of them calls dangerous is put into files in every way (`tests.scanners.exhibits`); each scanner
says what it finds there, and lading has to name the same. And of two hundred honest files lading
may flag none. ``--document`` writes the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lading.checkpoint import read
from lading.errors import LadingError
from tests.scanners.benign import benign
from tests.scanners.exhibits import WAYS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BEGIN, END = "<!-- scanners: make scanners -->\n", "<!-- end of scanners -->"


def outside(python: str, *args: str) -> dict[str, Any]:
    """What the scanners say."""
    command = [python, str(HERE / "outside.py"), *args]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def said(path: Path) -> str:
    """All of what lading tells of names in the file at `path`; empty where it reads it silently."""
    try:
        record = read(path).record
    except LadingError as error:
        return error.found
    return ", ".join(one.name for one in record.mentions)


def compare(python: str, folder: Path, most: int | None = None) -> list[tuple[str, int, int, int]]:
    """Of each scanner: its title, its names, what it names in all files, and what lading misses."""
    lists = outside(python, "names")
    names = sorted({(module, name) for one in lists.values() for module, name in one["names"]})
    for index, (module, name) in enumerate(names[:most]):
        for way, suffix in WAYS.items():
            way(module, name, folder / f"{index:04}-{way.__name__}{suffix}")
    ours = {path.name: said(path) for path in folder.iterdir()}
    rows = []
    for scanner, files in outside(python, "scan", str(folder)).items():
        theirs = [(file, f"{m}.{n}") for file, found in files.items() for m, n in found]
        missed = [one for one in theirs if one[1] not in ours[one[0]]]
        for file, name in missed[:10]:
            print(f"{scanner} names {name} in {file}, lading says {ours[file][:200]!r}")
        title = f"{scanner} {lists[scanner]['version']}"
        rows.append((title, len(lists[scanner]["names"]), len(theirs), len(missed)))
    # Beside the scanners' words: whatever is on their lists is named, however it is carried.
    every = [
        (path, f"{module}.{name}")
        for index, (module, name) in enumerate(names[:most])
        for path in folder.glob(f"{index:04}-*")
    ]
    silent = [(path.name, name) for path, name in every if name not in ours[path.name]]
    for file, name in silent[:10]:
        print(f"lading does not name {name} in {file}: {ours[file][:200]!r}")
    rows.append(("all their names, every way", len(names[:most]), len(every), len(silent)))
    return rows


def flagged(folder: Path) -> tuple[int, int]:
    """How many honest files there are, and of how many lading says anything."""
    count = wrong = 0
    for path in benign(folder):
        count += 1
        try:
            mentions = read(path).record.mentions
        except LadingError as error:
            # A file without a network in it is no checkpoint; that alone is no alarm.
            alarm = any(word in error.found for word in ("it names", "could act"))
            mentions = (error.found,) if alarm else ()
        if mentions:
            wrong += 1
            print(f"{path.name} is flagged: {mentions}")
    return count, wrong


def main() -> int:
    """The command."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m tests.scanners", None, __doc__, formatter_class=plain
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--document", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(asked.python, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        count, wrong = flagged(Path(folder))
    text = "| scanner | names on its list | names it reports in our files | lading misses |\n"
    text += "|---|---|---|---|\n"
    text += "".join(
        f"| {title} | {own:,} | {found:,} | {missed} |\n" for title, own, found, missed in rows
    )
    text += f"\nOf {count} honest files lading flags {wrong}.\n"
    print(text)
    if asked.document:
        head, rest = asked.document.read_text(encoding="utf-8").split(BEGIN)
        tail = rest.split(END, 1)[1]
        asked.document.write_text(f"{head}{BEGIN}{text}{END}{tail}", encoding="utf-8")
    return 1 if wrong or any(missed for *_, missed in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
