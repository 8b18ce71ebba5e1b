"""Shelves: what lies in the folder is there, and no second list names it.

A contract lies in a folder's `__init__`; the modules beside it each hold one object that keeps it,
under one agreed name. `read` collects them. Some shelves have room for what other packages bring: a
package names it in its entry points, under the shelf's own name (``lading.families``).
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lading.errors import RequestError


def read(
    package: str, attribute: str, group: str = "", needs: Iterable[str] = ()
) -> dict[str, Any]:
    """The object called `attribute` of every module in `package`, by module name, sorted; then
    what other packages bring.

    Args:
        package: dotted name of the folder, e.g. ``"lading.network.families"``.
        attribute: the agreed name, e.g. ``"FAMILY"``.
        group: of the entry points that bring more of them; empty where the shelf is closed.
        needs: attributes that what is brought must have, its ``name`` among them.

    Raises:
        AttributeError: a module on the shelf does not hold one.
        RequestError: an entry point cannot be loaded, or brings something else; names its package.
    """
    modules = {name: importlib.import_module(f"{package}.{name}") for name in _inside(package)}
    found = {name: getattr(module, attribute) for name, module in modules.items()}
    for point in _outside(group):
        found[point.name] = _brought(point, set(_inside(package)), attribute, needs)
    return found


def names(package: str, group: str = "") -> tuple[str, ...]:
    """What lies on a shelf, sorted; nothing of it is imported."""
    return tuple(dict.fromkeys((*_inside(package), *(point.name for point in _outside(group)))))


def _inside(package: str) -> tuple[str, ...]:
    found = importlib.util.find_spec(package)
    assert found is not None
    return tuple(sorted(one.name for one in pkgutil.iter_modules(found.submodule_search_locations)))


@cache
def _outside(group: str) -> tuple[EntryPoint, ...]:
    """Read once: every installed package is looked at."""
    return tuple(sorted(entry_points(group=group), key=lambda one: one.name)) if group else ()


def _brought(point: EntryPoint, house: set[str], attribute: str, needs: Iterable[str]) -> Any:
    whose = point.dist.name if point.dist else "a package"
    subject = f"plug-in {point.name!r} of {whose} ({point.value})"
    remedy = f"mend {whose}, or uninstall it"
    expected = f"an object {attribute} with " + ", ".join(needs)
    if point.name in house or sum(other.name == point.name for other in _outside(point.group)) > 1:
        taken = "a name that lading or another package has"
        raise RequestError(subject, found=taken, expected="a name of its own", remedy=remedy)
    try:
        brought = point.load()
    except Exception as error:  # a stranger's module: anything
        said = f"{type(error).__name__}: {error}"
        raise RequestError(subject, found=said, expected=expected, remedy=remedy) from error
    missing = [name for name in needs if not hasattr(brought, name)]
    if missing or getattr(brought, "name", point.name) != point.name:
        said = f"no {', '.join(missing)}" if missing else f"one that is called {brought.name!r}"
        raise RequestError(subject, found=said, expected=expected, remedy=remedy)
    return brought
