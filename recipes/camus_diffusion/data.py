"""Phantoms as training pictures: 64 x 64, one channel, from -1 to 1, kept on disk once drawn."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.camus_diffusion.network import SIZE
from recipes.camus_segmentation.phantom import draw

#: the first training seed: a range that the segmentation network never saw either
TRAINING = 100_000
PHANTOMS = 2_000


def _image(seed: int) -> NDArray[np.uint8]:
    return draw(seed, SIZE)[0]


def phantoms(first: int, count: int, processes: int = 1) -> NDArray[np.uint8]:
    """`count` phantoms from seed `first` on, in order, uint8 [count, 64, 64]."""
    if processes == 1:
        return np.stack([_image(seed) for seed in range(first, first + count)])
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return np.stack(pool.map(_image, range(first, first + count), chunksize=25))


def training_set(
    folder: Path, count: int = PHANTOMS, processes: int = 2
) -> tuple[NDArray[np.uint8], bool]:
    """The training phantoms, uint8 [count, 64, 64], and whether they had to be drawn."""
    kept = folder / f"phantoms_{count}.npy"
    if kept.exists():
        images: NDArray[np.uint8] = np.load(kept, allow_pickle=False)
        return images, False
    images = phantoms(TRAINING, count, processes)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(kept, images)
    return images, True


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels 0 to 255 as values -1 to 1, guided-diffusion's scaling; float32, same shape.

    >>> scaled(np.array([0, 255], np.uint8))
    array([-1.,  1.], dtype=float32)
    """
    values: NDArray[np.float32] = images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return values
