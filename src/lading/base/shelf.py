"""Shelves: what lies in the folder is there, and no second list names it.

A contract (`family.py`, `target.py`, `runtime.py`) has a folder beside it (`families/`, ...) whose
modules each hold one object that keeps it, under one agreed name. `read` collects them.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def read(package: str, attribute: str) -> dict[str, Any]:
    """The object called `attribute` of every module in `package`, by module name, sorted.

    Args:
        package: dotted name of the folder, e.g. ``"lading.network.families"``.
        attribute: the agreed name, e.g. ``"FAMILY"``.

    Raises:
        AttributeError: a module on the shelf does not hold one.
    """
    folder = importlib.import_module(package)
    names = sorted(m.name for m in pkgutil.iter_modules(folder.__path__))
    return {n: getattr(importlib.import_module(f"{package}.{n}"), attribute) for n in names}
