"""What other scanners of pickles say. Run by the Python that has them; it needs nothing of lading.

PYTHON outside.py names          # the names that each calls dangerous
PYTHON outside.py scan FOLDER    # what each names in each file of the folder
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

#: What stands for all names of a module that is dangerous as a whole.
ANY = "anything"
Names = list[list[str]]


def _flat(table: dict) -> Names:
    found = []
    for module, names in table.items():
        given = [ANY] if names == "*" else [names] if isinstance(names, str) else sorted(names)
        found += [[module, name] for name in given]
    return sorted(found)


def _picklescan() -> tuple[Names, Callable[[Path], Names]]:
    from picklescan import scanner

    logging.disable(logging.CRITICAL)

    def scan(path: Path) -> Names:
        result = scanner.scan_file_path(str(path))
        return [
            [one.module, one.name]
            for one in result.globals
            if one.safety == scanner.SafetyLevel.Dangerous
        ]

    return _flat(scanner._unsafe_globals), scan


def _modelscan() -> tuple[Names, Callable[[Path], Names]]:
    from modelscan.modelscan import ModelScan
    from modelscan.settings import DEFAULT_SETTINGS

    table: dict = {}
    for names in DEFAULT_SETTINGS["unsafe_globals"].values():
        table.update(names)
    reader = ModelScan()

    def scan(path: Path) -> Names:
        with contextlib.redirect_stdout(io.StringIO()):
            issues = reader.scan(path)["issues"]
        return [[one["module"], one["operator"]] for one in issues if "operator" in one]

    return _flat(table), scan


def _fickling() -> tuple[Names, Callable[[Path], Names]]:
    from fickling import analysis, fickle

    whole = dict.fromkeys((*fickle.UNSAFE_IMPORTS, *analysis.UnsafeImportsML.UNSAFE_MODULES), "*")
    single = {name: list(held) for name, held in analysis.UnsafeImportsML.UNSAFE_IMPORTS.items()}

    def scan(path: Path) -> Names:
        """Bare pickles only: the names that it imports, where it finds one of them unsafe."""
        if path.suffix != ".pkl":
            return []
        found: Names = []
        with path.open("rb") as file:
            for pickled in fickle.StackedPickle.load(file):
                unsafe = [*pickled.unsafe_imports()]
                found += [[one.module, name.name] for one in unsafe for name in one.names
                          if getattr(one, "module", None)]  # fmt: skip
        return found

    return sorted(_flat(whole) + _flat(single)), scan


SCANNERS = {"picklescan": _picklescan, "modelscan": _modelscan, "fickling": _fickling}


def main(argv: list[str]) -> None:
    """Prints JSON: by scanner its version and its names, or by scanner and file the names."""
    said: dict = {}
    for name, opened in SCANNERS.items():
        try:
            names, scan = opened()
        except ImportError:
            continue
        if argv[0] == "names":
            said[name] = {"version": importlib.metadata.version(name), "names": names}
            continue
        said[name] = {}
        for path in sorted(Path(argv[1]).iterdir()):
            try:
                said[name][path.name] = scan(path)
            except Exception as problem:
                said[name][path.name] = []
                print(name, path.name, type(problem).__name__, problem, file=sys.stderr)
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
