"""The rooms of the house, drawn from the code's own imports.

``python -m tests.architecture --document docs/architecture.md`` writes the table of rooms between
the document's markers, and `pictures/architecture.svg` beside it.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lading.base.drawing.chart import LETTER, Drawing

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "lading"
BEGIN, END = "<!-- rooms: make architecture -->\n", "<!-- end -->"
#: Of the picture: where boxes begin and end, their height, and from one layer to the next.
LEFT, RIGHT, HIGH, GAP = 16, 616, 42, 14
WIDE = RIGHT - LEFT


@dataclass(frozen=True)
class Room:
    """A folder of the package, or a module beside the folders.

    Attributes:
        name: of the folder or module.
        purpose: the first sentence of its docstring.
        lines, files: of Python.
        imports: how often its files import from another room, by that room's name.
    """

    name: str
    purpose: str
    lines: int
    files: int
    imports: Counter[str]


def layers() -> list[list[str]]:
    """Rooms by layer, the highest first, as the import contract has them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^layers = (\[.*?\n\])", text, re.M | re.S)
    return [[room.strip() for room in layer.split("|")] for layer in ast.literal_eval(block)]


def room(name: str) -> Room:
    """What stands in a room."""
    folder = PACKAGE / name
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    imports = Counter(imported for text in texts for imported in _imported(ast.parse(text)))
    del imports[name]
    sentence = re.split(r"\.\s", ast.get_docstring(ast.parse(texts[0])) or "")[0]
    lines = sum(text.count("\n") for text in texts)
    return Room(name, " ".join(sentence.rstrip(".").split()), lines, len(files), imports)


def _imported(tree: ast.Module) -> list[str]:
    """The rooms that a module imports from, each as often as it does."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "lading":
            names += [f"lading.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    known = {name for layer in layers() for name in layer}
    parts = (name.split(".") for name in names if name.startswith("lading."))
    return [path[1] for path in parts if path[1] in known]


def table() -> str:
    """The rooms, the highest first, as Markdown."""
    rooms = [room(name) for layer in layers() for name in layer]
    rows = [f"| `{one.name}` | {one.lines:,} | {one.files} | {one.purpose} |" for one in rooms]
    total = f"| | {sum(one.lines for one in rooms):,} | {sum(one.files for one in rooms)} | |"
    return "\n".join(["| room | lines | files | |", "|---|---|---|---|", *rows, total, ""])


def picture() -> Drawing:
    """A box a room, layer on layer; an arrow from who imports down to what is imported. What
    more than half of all rooms import has their number in place of so many arrows."""
    floors = layers()
    rooms = [room(name) for floor in floors for name in floor]
    users = Counter(name for one in rooms for name in one.imports)
    drawing = Drawing(
        RIGHT + 170,
        HIGH * len(rooms) + GAP * len(floors) + 8,
        "lading: who imports whom",
        "The rooms of the package, from the command line at the top to the errors at the foot; "
        "every import runs downwards.",
        "architecture",
    )
    heights = {}
    for floor in floors:  # rooms that may not import one another touch
        for name in floor:
            heights[name] = 8 + HIGH * len(heights) + GAP * floors.index(floor)
    for one in rooms:
        y = heights[one.name]
        drawing.rect("stripe", LEFT, y, WIDE, HIGH)
        drawing.rect("frame", LEFT, y, WIDE, HIGH)
        count = f"{one.lines:,} lines, {one.files} file{'s' * (one.files > 1)}"
        drawing.text("legend", LEFT + 10, y + 17, f"{one.name}: {count}")
        fits = WIDE // LETTER
        short = one.purpose if len(one.purpose) <= fits else f"{one.purpose[: fits - 1]}…"
        drawing.text("tick", LEFT + 10, y + 34, short)
        if users[one.name] > len(rooms) / 2:
            drawing.text("tick", RIGHT - 10, y + 17, f"imported by {users.pop(one.name)}", "end")
    for one in rooms:
        for name, count in sorted(one.imports.items()):
            if name in users:
                hint = f"{one.name} imports {name}: {count}"
                _arrow(drawing, heights[one.name] + 0.7 * HIGH, heights[name] + 0.3 * HIGH, hint)
    return drawing


def _arrow(drawing: Drawing, start: float, end: float, hint: str) -> None:
    """Down the right side; the farther, the wider the curve."""
    bulge = RIGHT + 20 + 0.3 * (end - start)
    curve = f"M{RIGHT},{start:g} C{bulge:g},{start:g} {bulge:g},{end:g} {RIGHT + 8},{end:g}"
    drawing.add("path", "line", hint=hint, d=curve)
    head = f"{RIGHT},{end:g} {RIGHT + 9},{end - 4:g} {RIGHT + 9},{end + 4:g}"
    drawing.add("polygon", "bar", points=head)


def main(document: Path) -> None:
    """Writes both."""
    head, rest = document.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END, 1)[1]
    document.write_text(f"{head}{BEGIN}{table()}{END}{tail}", encoding="utf-8")
    (document.parent / "pictures" / "architecture.svg").write_bytes(picture().file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "architecture.md")
    main(parser.parse_args().document)
