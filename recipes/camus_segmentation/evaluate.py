"""Dice of a checkpoint of this recipe on phantoms that its training never saw.

python -m recipes.camus_segmentation.evaluate FILE [--count 200] [--size 160]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recipes.camus_segmentation.network import SIZE, build, dice, segment
from recipes.camus_segmentation.phantom import draw

#: the first seed of the held-out phantoms; validation begins at 5,000 and training at 10,000
HELD_OUT = 0
STRUCTURES = {"LeftVentricle": 1, "Myocardium": 2}


def load(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The genuine network with the file's weights, in eval mode, and the whole file.

    Unpickles: only for files of this recipe.
    """
    file = torch.load(path, map_location="cpu", weights_only=False)
    arguments = file["init_args"]
    network = build(arguments["plans"], arguments["dataset_json"], deep_supervision=False)
    network.load_state_dict(file["network_weights"])
    return network.eval(), file


def scores(network: nn.Module, seeds: Iterable[int], size: int = SIZE) -> NDArray[np.float64]:
    """Dice of each structure on each phantom, float64 [len(seeds), 2]."""
    rows = []
    for seed in seeds:
        image, labels = draw(seed, size)
        predicted = segment(network, image)
        rows.append([dice(predicted, labels, label) for label in STRUCTURES.values()])
    return np.array(rows)


def report(values: NDArray[np.float64]) -> str:
    """A table and a histogram per structure, as text, from Dice [N, 2]."""
    lines = [f"{len(values)} held-out phantoms", "", "structure       mean     min  median"]
    for name, column in zip(STRUCTURES, values.T, strict=True):
        lines.append(
            f"{name:<13} {column.mean():6.4f}  {column.min():6.4f}  {np.median(column):6.4f}"
        )
    edges = np.array([0.0, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 1.0])
    for name, column in zip(STRUCTURES, values.T, strict=True):
        counts, _ = np.histogram(column, edges)
        lines += ["", name]
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            bar = "#" * round(60 * count / len(values))
            lines.append(f"{low:.2f} to {high:.2f}  {count:4d}  {bar}".rstrip())
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=200, help="held-out phantoms (200)")
    parser.add_argument("--size", type=int, default=SIZE, help=f"of the pictures ({SIZE})")
    arguments = parser.parse_args()
    network, _ = load(arguments.file)
    seeds = range(HELD_OUT, HELD_OUT + arguments.count)
    print(report(scores(network, seeds, arguments.size)))


if __name__ == "__main__":
    main()
