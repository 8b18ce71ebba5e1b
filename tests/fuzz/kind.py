"""What a kind of file answers, and the shelf of those that are there: one file a kind in `kinds/`.

A module in `kinds/` holds one `Kind`, or several in a tuple, under the name `KIND`. Being there is
being registered.
"""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

#: A file as bytes, or a folder as the bytes of its files by their relative paths.
Case = bytes | Mapping[str, bytes]
#: One change: ``mutate(random, case, seeds) -> case``. It never changes what it is given.
Mutator = Callable[[Random, Case, Sequence[Case]], Case]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: what ``python -m tests.fuzz NAME`` and the tables call it.
        file: the name of the file (or folder) that each case is written to, suffix and all.
        seeds: makes the small valid files that the mutators begin with. Called once, before any
            limit; the same bytes every time.
        mutators: the changes; some five of each case are drawn, one after the other.
        read: everything that a user's command would do with the file. It returns, or raises
            `lading.errors.LadingError`; whatever else comes out of it is a fault.
        writes: whether `read` may write files (a runtime's compiled copy). Where it may not,
            opening a file for writing is a fault too.
    """

    name: str
    file: str
    seeds: Callable[[], Sequence[Case]]
    mutators: Sequence[Mutator]
    read: Callable[[Path], Any]
    writes: bool = False


def all_kinds() -> dict[str, Kind]:
    """Every kind on the shelf, by name."""
    from tests.fuzz import kinds

    found: dict[str, Kind] = {}
    for info in sorted(pkgutil.iter_modules(kinds.__path__), key=lambda one: one.name):
        held = importlib.import_module(f"{kinds.__name__}.{info.name}").KIND
        for kind in held if isinstance(held, tuple) else (held,):
            assert kind.name not in found, kind.name
            found[kind.name] = kind
    return found


def lay(case: Case, path: Path) -> None:
    """Writes `case` to `path`, in place of what is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)  # what was read before may still be mapped
    if isinstance(case, bytes):
        path.write_bytes(case)
        return
    for name, data in case.items():
        inner = path / name
        inner.parent.mkdir(parents=True, exist_ok=True)
        inner.write_bytes(data)
