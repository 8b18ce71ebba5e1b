"""The page about the rooms names those that exist, each where the import contract has it."""

from __future__ import annotations

import re

from tests import architecture

DOCUMENT = architecture.ROOT / "docs" / "architecture.md"


def rooms() -> set[str]:
    """Folders with code in them, and modules beside them."""
    found = {
        path.stem
        for path in architecture.PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    return found - {"__init__", "__main__"}


def test_the_contract_has_every_room_once() -> None:
    named = [name for layer in architecture.layers() for name in layer]
    assert sorted(named) == sorted(rooms())


def test_the_table_has_every_room() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    written = text.split(architecture.BEGIN)[1].split(architecture.END)[0]
    for text in (written, architecture.table()):
        rows = re.findall(r"^\| `(\w+)` \| [\d,]+ \| \d+ \| .+ \|$", text, re.M)
        assert rows == [name for layer in architecture.layers() for name in layer]


def test_the_picture_has_every_room_and_runs_downwards() -> None:
    drawn = (DOCUMENT.parent / "pictures" / "architecture.svg").read_text(encoding="utf-8")
    assert set(re.findall(r">(\w+): [\d,]+ lines", drawn)) == rooms()
    order = [name for layer in architecture.layers() for name in layer]
    for importer, imported in re.findall(r"<title>(\w+) imports (\w+): \d+</title>", drawn):
        assert order.index(importer) < order.index(imported)


def test_imports_are_read_from_the_code() -> None:
    page = architecture.room("page")
    assert page.imports["base"] > 0
    assert not set(page.imports) - {"record", "base", "errors"}
    assert architecture.room("errors").imports == {}
