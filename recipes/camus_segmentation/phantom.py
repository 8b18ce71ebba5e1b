"""Echocardiograms that nobody recorded: apical four-chamber pictures drawn with numpy.

The heart (`anatomy.py`) is put on the grid that a probe measures, beams by depths, and becomes a
picture in the order in which a scanner works: every cell scatters with a random phase, the echoes
blur along the beam a little and across it more, and more still away from the focus, noise is added,
the magnitude (Rayleigh distributed: speckle) is brought to decibels, gain and its mistakes are
applied, and the sector is scan-converted. The blur across is an angle, so the speckle grows coarser
with depth as it does in life.

Source of the speckle model: C. B. Burckhardt, "Speckle in ultrasound B-mode scans", IEEE
Transactions on Sonics and Ultrasonics 25 (1978).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lading.errors import RequestError
from recipes.camus_segmentation.anatomy import Floats, Heart, draw_heart

#: cells of the measuring grid: along a beam, and beams
DEPTHS, BEAMS = 288, 144
#: the sector begins this far below the point where its edges would meet
FIRST_DEPTH = 0.012
#: pictures averaged into one, and the beams between the main lobe and a side lobe
LOOKS, LOBE = 2, 13

Field = TypeVar("Field", Floats, NDArray[np.complex64])


def draw(seed: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One phantom and its label map.

    The sector's bounding box is the whole picture: every pixel inside the sector is at least 1,
    every pixel outside it is 0, and the outermost rows and columns each hold some of it, so
    cropping to what is not zero changes nothing. `size` changes the sampling, never the heart.

    Args:
        seed: any integer from 0; the same seed gives the same phantom.
        size: height and width in pixels, 64 to 1024.

    Returns:
        ``(image, labels)``, both uint8 [size, size]; labels are 0 background, 1 left ventricle,
        2 myocardium.

    Raises:
        RequestError: the seed is negative or the size out of range.

    >>> image, labels = draw(seed=7, size=160)
    >>> image.shape, sorted(set(labels.ravel().tolist()))
    ((160, 160), [0, 1, 2])
    """
    if seed < 0:
        raise RequestError(
            f"phantom seed {seed}",
            found=str(seed),
            expected="an integer from 0",
            remedy="choose another seed",
        )
    if not 64 <= size <= 1024:
        raise RequestError(
            f"phantom size {size}",
            found=str(size),
            expected="64 to 1024 pixels",
            remedy="draw it at a size in that range and resample",
        )
    generator = np.random.default_rng(seed)
    half_angle = float(generator.uniform(0.52, 0.68))
    heart = draw_heart(generator, half_angle)
    brightness = _scan(generator, heart, half_angle)

    width = math.sin(half_angle)
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(
        width * (2.0 * centres - 1.0), FIRST_DEPTH + (1.0 - FIRST_DEPTH) * centres, indexing="xy"
    )
    depth, angle = np.hypot(x, y), np.arctan2(x, y)
    inside = (depth <= 1.0) & (np.abs(angle) <= half_angle)
    picture = _sample(
        brightness, depth * (DEPTHS - 1), (angle / half_angle + 1.0) * 0.5 * (BEAMS - 1)
    )
    image = np.where(inside, np.clip(np.rint(picture), 1, 255), 0).astype(np.uint8)
    labels = np.where(inside, heart.labels(x, y), 0).astype(np.uint8)
    return image, labels


def _scan(generator: np.random.Generator, heart: Heart, half_angle: float) -> Floats:
    """Grey values 0 to 255 on the measuring grid, float64 [DEPTHS, BEAMS]."""
    depth = np.linspace(0.0, 1.0, DEPTHS)[:, None]
    beam = np.linspace(-1.0, 1.0, BEAMS)[None, :]
    angle = beam * half_angle
    amplitude = heart.scattering(depth * np.sin(angle), depth * np.cos(angle))

    # Tissue is uneven: smooth log-normal fields, coarse and fine, over the speckle.
    uneven = generator.uniform(0.25, 0.5) * _clouds(generator, 8)
    uneven += generator.uniform(0.25, 0.5) * _clouds(generator, 26)
    amplitude = amplitude * np.exp(uneven)
    # Near the probe its own ringing covers the picture.
    ringing = generator.uniform(0.1, 0.3) * np.exp(-depth / generator.uniform(0.04, 0.1))
    amplitude = np.hypot(amplitude, ringing)
    loss = _shadows(generator, depth, beam) + _dropout(generator, depth, beam)
    amplitude = amplitude * 10.0 ** (-loss / 20.0)

    axial = generator.uniform(1.2, 2.0)
    sharp, wide = generator.uniform(0.9, 1.4), generator.uniform(2.2, 3.4)
    away = np.clip(np.abs(depth - generator.uniform(0.2, 0.5)) / 0.6, 0.0, 1.0)
    lobes = generator.uniform(0.02, 0.08)
    hiss = generator.uniform(0.002, 0.008) * (0.5 + 1.5 * depth**2)
    amplitude32 = amplitude.astype(np.float32)
    power = np.zeros((DEPTHS, BEAMS))
    # Pictures on the screen are averages of several looks with different speckle.
    for _ in range(LOOKS):
        echo = _blur(_noise(generator) * amplitude32, axial, axis=0)
        echo = (1.0 - away) * _blur(echo, sharp, axis=1) + away * _blur(echo, wide, axis=1)
        # Side lobes: a fainter and much broader beam fills the cavities with haze.
        echo += lobes * np.roll(echo, LOBE, axis=1) + lobes * np.roll(echo, -LOBE, axis=1)
        echo += hiss * _noise(generator)
        power += np.abs(echo) ** 2
    envelope = np.sqrt(power / LOOKS)
    envelope = 0.5 * envelope + 0.5 * _blur(envelope, 1.0, axis=1)
    decibels = 20.0 * np.log10(envelope + 1e-5) + _gain(generator, depth)
    # The sonographer sets the gain by eye: the brightest hundredth a little under white.
    decibels += generator.uniform(-13.0, -4.0) - np.percentile(decibels, 99.0)
    reach = generator.uniform(46.0, 60.0)
    grey: Floats = np.clip(1.0 + decibels / reach, 0.0, 1.0) ** generator.uniform(1.5, 2.3)
    return 255.0 * grey


def _gain(generator: np.random.Generator, depth: Floats) -> Floats:
    """What the compensation of gain with depth gets wrong, decibels [DEPTHS, 1]."""
    slope, curve = generator.uniform(-3.0, 6.0), generator.uniform(-4.0, 4.0)
    ripple = generator.uniform(0.0, 2.0) * np.sin(
        2.0 * np.pi * generator.uniform(1.0, 3.0) * depth + generator.uniform(0.0, 6.28)
    )
    gain: Floats = slope * (depth - 0.5) + curve * (depth - 0.5) ** 2 * 4.0 + ripple
    return gain


def _shadows(generator: np.random.Generator, depth: Floats, beam: Floats) -> Floats:
    """Loss behind ribs and lung, decibels [DEPTHS, BEAMS]; most often at the sector's edges."""
    loss = np.zeros((DEPTHS, BEAMS))
    for _ in range(int(generator.choice(4, p=[0.35, 0.35, 0.2, 0.1]))):
        centre = float(generator.choice([-1.0, 1.0])) * math.sqrt(generator.uniform(0.0, 1.0))
        width = generator.uniform(0.04, 0.14)
        start = generator.uniform(0.05, 0.6)
        onset = 1.0 / (1.0 + np.exp(-np.clip((depth - start) / 0.03, -40.0, 40.0)))
        loss += generator.uniform(4.0, 14.0) * np.exp(-(((beam - centre) / width) ** 2)) * onset
    return loss


def _dropout(generator: np.random.Generator, depth: Floats, beam: Floats) -> Floats:
    """Loss in patches where a wall lies along the beam, decibels [DEPTHS, BEAMS]."""
    loss = np.zeros((DEPTHS, BEAMS))
    for _ in range(int(generator.integers(1, 5))):
        v, u = generator.uniform(-0.8, 0.8), generator.uniform(0.2, 0.8)
        spread = ((depth - u) / generator.uniform(0.05, 0.12)) ** 2
        spread = spread + ((beam - v) / generator.uniform(0.1, 0.25)) ** 2
        loss += generator.uniform(2.0, 10.0) * np.exp(-spread)
    return loss


def _noise(generator: np.random.Generator) -> NDArray[np.complex64]:
    """Circular complex normal values of unit power, [DEPTHS, BEAMS]."""
    parts = generator.standard_normal((DEPTHS, BEAMS, 2), dtype=np.float32)
    noise: NDArray[np.complex64] = (parts * np.float32(math.sqrt(0.5))).view(np.complex64)[..., 0]
    return noise


def _clouds(generator: np.random.Generator, cells: int) -> Floats:
    """A smooth field, about standard normal, from `cells` x `cells` random values."""
    coarse = generator.standard_normal((cells, cells))
    rows = np.linspace(0.0, cells - 1.0, DEPTHS)[:, None] + np.zeros((1, BEAMS))
    columns = np.linspace(0.0, cells - 1.0, BEAMS)[None, :] + np.zeros((DEPTHS, 1))
    return _sample(coarse, rows, columns)


def _blur(field: Field, sigma: float, axis: int) -> Field:
    """Gaussian blur along `axis`, sigma in cells, the kernel of unit energy for independent cells.

    Unit energy keeps the power of speckle; a real field is blurred with unit sum instead.
    """
    radius = math.ceil(3.0 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= math.sqrt((kernel**2).sum()) if np.iscomplexobj(field) else kernel.sum()
    pad = [(0, 0), (0, 0)]
    pad[axis] = (radius, radius)
    padded = np.pad(field, pad, mode="edge")
    length = field.shape[axis]
    blurred = np.zeros_like(field)
    for i, weight in enumerate(kernel):
        cut = slice(i, i + length)
        blurred += field.real.dtype.type(weight) * (padded[cut] if axis == 0 else padded[:, cut])
    return blurred


def _sample(field: Floats, rows: Floats, columns: Floats) -> Floats:
    """Bilinear values of `field` at fractional `rows` and `columns`, clamped at its border."""
    height, width = field.shape
    rows, columns = np.clip(rows, 0.0, height - 1.0), np.clip(columns, 0.0, width - 1.0)
    top = np.minimum(rows.astype(np.intp), height - 2)
    left = np.minimum(columns.astype(np.intp), width - 2)
    down, right = rows - top, columns - left
    upper = field[top, left] * (1.0 - right) + field[top, left + 1] * right
    lower = field[top + 1, left] * (1.0 - right) + field[top + 1, left + 1] * right
    value: Floats = upper * (1.0 - down) + lower * down
    return value
