"""Writes the demo's four probes and the contact sheet of phantoms.

python -m recipes.camus_segmentation.pictures [--probes FOLDER] [--sheet FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipes.camus_segmentation.network import SIZE
from recipes.camus_segmentation.phantom import draw

#: held-out seeds of the demo's probes
PROBES = (2, 5, 101, 107)
#: held-out seeds of the contact sheet
SHEET = (0, 3, 6, 104)
#: colours of the overlay, red green blue
COLOURS = {1: (230, 90, 60), 2: (70, 160, 230)}


def overlay(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its labels tinted in, uint8 [H, W, 3]."""
    tinted = np.repeat(image[..., None], 3, axis=2).astype(np.float64)
    for label, colour in COLOURS.items():
        tinted[labels == label] = 0.65 * tinted[labels == label] + 0.35 * np.array(colour)
    return np.rint(tinted).astype(np.uint8)


def write_probes(folder: Path) -> None:
    """Four held-out phantoms, ``phantom_SEED.png``, and their maps, ``phantom_SEED_labels.png``.

    Both are 8-bit grey; a map's values are the labels themselves, 0, 1 and 2.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed in PROBES:
        image, labels = draw(seed, SIZE)
        Image.fromarray(image).save(folder / f"phantom_{seed:03d}.png", optimize=True)
        Image.fromarray(labels).save(folder / f"phantom_{seed:03d}_labels.png", optimize=True)


def write_sheet(path: Path, size: int = 256) -> None:
    """Phantoms in the upper row, the same with their labels in the lower."""
    columns = []
    for seed in SHEET:
        image, labels = draw(seed, size)
        columns.append(np.concatenate([overlay(image, 0 * labels), overlay(image, labels)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    # A palette of 128 colours holds greys and two tints, in a third of the bytes.
    sheet = Image.fromarray(np.concatenate(columns, axis=1))
    sheet.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--probes", type=Path, default=Path("src/lading/data/camus_segmentation"), metavar="FOLDER"
    )
    parser.add_argument(
        "--sheet", type=Path, default=Path("docs/pictures/phantoms.png"), metavar="FILE"
    )
    arguments = parser.parse_args()
    write_probes(arguments.probes)
    write_sheet(arguments.sheet)


if __name__ == "__main__":
    main()
