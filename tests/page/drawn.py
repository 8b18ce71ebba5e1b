"""What stands in an SVG, by the classes of its marks."""

from __future__ import annotations

from xml.etree import ElementTree

from lading.base.drawing.chart import Drawing

NAMESPACE = "{http://www.w3.org/2000/svg}"


class Seen:
    """The marks of a drawing, lowest first."""

    def __init__(self, drawing: Drawing | None) -> None:
        assert drawing is not None
        self.root = ElementTree.fromstring(drawing.file())

    def __call__(self, tag: str, *kinds: str) -> list[ElementTree.Element]:
        """Elements of a tag that have all these classes."""
        return [
            mark
            for mark in self.root.iter(NAMESPACE + tag)
            if set(kinds) <= set(mark.get("class", "").split())
        ]

    def words(self, *kinds: str) -> list[str]:
        """Texts of these classes."""
        return [mark.text or "" for mark in self("text", *kinds)]

    def points(self, *kinds: str) -> list[tuple[float, float]]:
        """Of the one line of these classes."""
        (line,) = self("polyline", *kinds)
        return [
            (float(x), float(y)) for x, y in (p.split(",") for p in line.get("points", "").split())
        ]

    def heights(self, *kinds: str) -> list[float]:
        """Of the dots of these classes."""
        return [float(dot.get("cy", "")) for dot in self("circle", "dot", *kinds)]
