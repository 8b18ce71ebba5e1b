"""Shelves: what lies in the folder is there, and no second list names it.

A contract (`family.py`, `target.py`, `runtime.py`) has a folder beside it (`families/`, ...) whose
modules each hold one object that keeps it, under one agreed name. `read` collects them.
"""

from __future__ import annotations

import importlib
import importlib.util
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
    modules = {name: importlib.import_module(f"{package}.{name}") for name in names(package)}
    return {name: getattr(module, attribute) for name, module in modules.items()}


def names(package: str) -> tuple[str, ...]:
    """What lies on a shelf, sorted; nothing of it is imported."""
    found = importlib.util.find_spec(package)
    assert found is not None
    return tuple(sorted(one.name for one in pkgutil.iter_modules(found.submodule_search_locations)))
