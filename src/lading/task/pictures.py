"""Pictures in and out: a user's image or array as an artifact's input, a label map as a picture."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from lading.base.drawing.palette import PALETTE, place
from lading.errors import InputError, in_short
from lading.task import volumes
from lading.task.processing import ZSCORE_FLOOR

Array = npt.NDArray[Any]

#: What `--data DIR` and `lading run` take.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy")
FILES = (*SUFFIXES, *volumes.SUFFIXES)


def read(path: Path, channels: int, size: tuple[int, int] | None = None) -> Array:
    """A picture or array file as grey levels or RGB values, float32 [C, H, W].

    Args:
        path: an image file, or `.npy` with [H, W], [C, H, W] or [1, C, H, W].
        channels: 1 turns colours to grey; 3 repeats grey.
        size: (H, W) to resample to, bilinear, where the picture has another size.

    Raises:
        InputError: no such file, not a picture, or another number of channels.
    """
    is_array = path.suffix.lower() == ".npy"
    values = _planes(path) if is_array else _read_image(path, channels)
    if values.shape[0] != channels:
        raise InputError(
            str(path),
            found=f"{values.shape[0]} channel(s)",
            expected=f"{channels}",
            remedy="give an array of shape [C, H, W] with as many channels as the model takes",
        )
    if size and values.shape[1:] != size:
        values = resample(values, size)
    return np.ascontiguousarray(values, dtype=np.float32)


def normalise(values: Array) -> Array:
    """(x - mean) / max(std, 1e-8) per channel, in float64, returned as float32. [C, *] -> [C, *].

    Source: nnU-Net v2's ZScoreNormalization without a mask.

    >>> normalise(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]], dtype=float32)
    """
    axes = tuple(range(1, values.ndim))
    wide = values.astype(np.float64)
    mean = wide.mean(axis=axes, keepdims=True)
    spread = np.maximum(wide.std(axis=axes, keepdims=True), ZSCORE_FLOOR)
    return np.asarray((wide - mean) / spread, dtype=np.float32)


def colour(labels: Array) -> Image.Image:
    """A label map [H, W] as an indexed picture in `PALETTE`, white where there is no class."""
    white = len(PALETTE)
    places = [white if label < 0 else place(int(label)) for label in np.unique(labels)]
    index = np.searchsorted(np.unique(labels), labels)
    plane = Image.fromarray(np.array(places, dtype=np.uint8)[index])
    plane.putpalette([value for one in (*PALETTE, (255, 255, 255)) for value in one])
    return plane


def grey(values: Array) -> Image.Image:
    """A plane [H, W] as an 8-bit picture, its smallest value black and its largest white."""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low if high > low else 1.0) * 255.0
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def signed(values: Array) -> Image.Image:
    """Values -1 to 1, [C, H, W], as grey levels or RGB; of [C, D, H, W] the middle slice."""
    plane = values[:, values.shape[1] // 2] if values.ndim == 4 else values
    pixels = np.rint((drawable(plane) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels.transpose(1, 2, 0) if pixels.shape[0] == 3 else pixels[0])


def drawable(values: Array) -> Array:
    """What is not a number is black, and what is infinite is as far as a picture goes."""
    return np.nan_to_num(values, nan=-1.0, posinf=1.0, neginf=-1.0)


def resample(values: Array, size: tuple[int, ...]) -> Array:
    """Planes [C, H, W] resampled to another (H, W), bilinear with anti-aliasing, float32; volumes
    [C, Z, Y, X] as `volumes.resample` does."""
    if values.ndim == 4:
        return volumes.resample(values, size)
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in values]
    resized = [p.resize((size[1], size[0]), Image.Resampling.BILINEAR) for p in planes]
    return np.stack([np.asarray(p) for p in resized])


def read_volume(path: Path) -> Array:
    """The volume in a `.npy` file, float32 [C, Z, Y, X]; one of three axes has one channel.

    Raises:
        InputError: no such file, or no volume.
    """
    values = read_array(path) if path.suffix.lower() == ".npy" or not path.exists() else None
    if values is not None and values.ndim == 5 and values.shape[0] == 1:
        values = values[0]
    if values is None or values.ndim not in (3, 4):
        raise InputError(
            str(path),
            found="a picture" if values is None else f"{values.dtype} {list(values.shape)}",
            expected="a volume: a NIfTI file, or .npy of shape [Z, Y, X] or [C, Z, Y, X]",
            remedy="give a .nii.gz",
        )
    return (values[None] if values.ndim == 3 else values).astype(np.float32)


def read_array(path: Path) -> Array:
    """The array in a `.npy` file, as it is.

    Raises:
        InputError: no such file, or no array of numbers.
    """
    try:
        with path.open("rb") as file:
            _require_whole(file)
            values: Any = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise missing(path) from error
    except Exception as error:  # of many kinds, for a header that is not sound
        raise InputError(
            str(path),
            found=in_short(error)[:160],
            expected="an array written by numpy.save, without objects",
            remedy="save it again with numpy.save",
        ) from error
    if not isinstance(values, np.ndarray):
        raise InputError(
            str(path),
            found="several arrays in one file",
            expected="an array written by numpy.save, without objects",
            remedy="save it again with numpy.save",
        )
    if values.dtype.kind not in "fiub":
        raise InputError(
            str(path),
            found=f"values of type {values.dtype}",
            expected="numbers",
            remedy="save an array of floats or integers",
        )
    array: Array = values
    return array


def _require_whole(file: BinaryIO) -> None:
    """Passes only an array whose file is as long as its header says, before memory is asked for.

    Raises:
        ValueError: it is not.
    """
    if file.read(6) == b"\x93NUMPY":
        file.seek(0)
        layout: Any = np.lib.format
        old = layout.read_magic(file) == (1, 0)
        header = layout.read_array_header_1_0 if old else layout.read_array_header_2_0
        shape, _, dtype = header(file)
        size, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size
        if not dtype.hasobject and not 0 <= size <= there - file.tell():
            raise ValueError(f"{size:,} bytes for its shape, in a file of {there:,}")
    file.seek(0)


def _planes(path: Path) -> Array:
    """An array file as float32 [C, *]."""
    values = read_array(path)
    if values.ndim == 2:
        values = values[None]
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim not in (3, 4):
        raise InputError(
            str(path),
            found=f"{values.dtype} {list(values.shape)}",
            expected="shape [H, W], [C, H, W] or [1, C, H, W]",
            remedy="reshape the array",
        )
    return values.astype(np.float32)


def _read_image(path: Path, channels: int) -> Array:
    try:
        with Image.open(path) as image:
            wide = image.mode in ("I", "F", "I;16") and channels == 1
            plain = image if wide else image.convert("L" if channels == 1 else "RGB")
            pixels = np.asarray(plain, dtype=np.float32)
    except FileNotFoundError as error:
        raise missing(path) from error
    except Exception as error:  # of many kinds, for a file that is not sound
        raise InputError(
            str(path),
            found=in_short(error)[:160],
            expected=f"a picture ({', '.join(SUFFIXES)})",
            remedy="check the file, or convert it to PNG",
        ) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def missing(path: Path) -> InputError:
    """The error that says so."""
    return InputError(
        str(path),
        found="no such file",
        expected=f"a picture, array or volume ({', '.join(FILES)})",
        remedy="check the path",
    )
