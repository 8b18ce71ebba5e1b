"""Colours of class labels: the same in pictures, drawings and pages."""

from __future__ import annotations

#: Background black, then hues that stay apart for colour-blind readers (Okabe and Ito, "Color
#: universal design", 2008).
PALETTE = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
#: The same, for who cannot see them.
NAMES = ("black", "orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple")


def place(label: int) -> int:
    """A label's colour in `PALETTE`; labels past its end begin again at 1."""
    return label if label < len(PALETTE) else (label - 1) % (len(PALETTE) - 1) + 1


def colour_of(label: int) -> tuple[int, int, int]:
    """A label's colour, red, green and blue 0-255; white where there is no class."""
    return (255, 255, 255) if label < 0 else PALETTE[place(label)]


def spelled(label: int) -> str:
    """A label's colour as HTML and SVG have it.

    >>> spelled(1), spelled(-1)
    ('#e69f00', '#ffffff')
    """
    return "#" + "".join(f"{one:02x}" for one in colour_of(label))
