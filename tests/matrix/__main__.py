"""``python -m tests.matrix``: torch's releases and Pythons, each in an environment of its own.

A corner is one Python with one torch. Its environment is made with everything else at the versions
of ``constraints.txt``; in it run the demonstration, ten networks of the breadth table and the tests
of capture; then it is thrown away. What came out goes at once into the file that ``lading doctor``
reads, so that a run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from lading.base.environment import numbers
from lading.job import tried
from tests.matrix import corner, document

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
#: From here on: older ones have exporters of their own making.
OLDEST = (2, 10)


def releases(python: str = sys.executable) -> list[str]:
    """torch's releases on the package index that an interpreter can have, from `OLDEST` to the
    newest, oldest first."""
    command = [python, "-m", "pip", "index", "versions", "torch"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Available versions: (.*)$", said, re.M)
    assert found is not None, said
    known = {one for one in found[1].split(", ") if "+" not in one and numbers(one) >= OLDEST}
    return sorted(known, key=numbers)


def edges(known: list[str]) -> list[str]:
    """Of releases the oldest, the one that is pinned, and the newest."""
    pinned = re.search(r"^torch==(\S+)", (corner.ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    return sorted({known[0], pinned[1], known[-1]}, key=numbers)


def main(arguments: list[str] | None = None) -> int:
    """Runs what was not tried yet; 1 where anything missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "--torch", nargs="*", help="releases; the oldest, the pinned and the newest without it"
    )
    parser.add_argument("--every", action="store_true", help="every release on the package index")
    parser.add_argument("--pythons", nargs="*", default=PYTHONS, help="3.10 to 3.13")
    parser.add_argument("--again", action="store_true", help="do again what was tried")
    parser.add_argument("--known", action="store_true", help="try nothing: what is known already")
    parser.add_argument("--document", type=Path, help="write the table there")
    asked = parser.parse_args(arguments)
    known = {row.versions: row for row in tried.read()}
    wanted: dict[str, list[str]] = {}
    absent: dict[str, str] = {}
    for python in asked.pythons:
        found = corner.interpreter(python)
        if found is None:
            absent[python] = f"not tried: no python{python} here"
            print(absent[python])
            continue
        there = asked.torch or releases(found)
        wanted[python] = there if asked.torch or asked.every else edges(there)
        for torch in wanted[python]:
            versions = (python, torch, corner.COREMLTOOLS)
            if asked.known or (versions in known and not asked.again):
                continue
            row = corner.run(found, *versions)
            known = {**{one.versions: one for one in tried.read()}, versions: row}
            tried.write(list(known.values()))
            print(f"{row.name}: {row.passed}", *row.misses, sep="\n  ", flush=True)
    if asked.document:
        asked.document.write_text(document.text(list(known.values()), wanted, absent))
    return int(any(row.misses for row in known.values()))


if __name__ == "__main__":
    raise SystemExit(main())
