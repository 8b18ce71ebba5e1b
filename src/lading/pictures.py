"""Pictures in and out: a user's image or array as an artifact's input, a label map as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lading.errors import InputError
from lading.evidence import Port
from lading.interface import ZSCORE_FLOOR

Array = npt.NDArray[Any]

#: What `--data DIR` and `lading run` take.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy")

#: Colours of label maps: background black, then hues that stay apart for colour-blind readers
#: (Okabe and Ito, "Color universal design", 2008).
PALETTE = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip


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
    values = _read_array(path) if is_array else _read_image(path, channels)
    if values.shape[0] != channels:
        raise InputError(
            str(path),
            found=f"{values.shape[0]} channel(s)",
            expected=f"{channels}",
            remedy="give an array of shape [C, H, W] with as many channels as the model takes",
        )
    if size and values.shape[1:] != size:
        values = np.stack([_resample(plane, size) for plane in values])
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


def for_port(values: Array, port: Port) -> Array:
    """Grey levels or RGB values [C, *] as a batch of one in the port's units and dtype."""
    fed = normalise(values) if port.meaning.startswith("normalised") else values
    return np.ascontiguousarray(fed[None], dtype=port.dtype)


def colour(labels: Array) -> Image.Image:
    """A label map [H, W] as an RGB picture in `PALETTE`; labels past its end begin again at 1."""
    index = np.where(labels < len(PALETTE), labels, (labels - 1) % (len(PALETTE) - 1) + 1)
    return Image.fromarray(np.array(PALETTE, dtype=np.uint8)[index.astype(np.int64)])


def grey(values: Array) -> Image.Image:
    """A plane [H, W] as an 8-bit picture, its smallest value black and its largest white."""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low if high > low else 1.0) * 255.0
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _resample(plane: Array, size: tuple[int, int]) -> Array:
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _read_array(path: Path) -> Array:
    try:
        values: Array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            str(path),
            found=str(error).splitlines()[0][:120],
            expected="an array written by numpy.save, without objects",
            remedy="save it again with numpy.save",
        ) from error
    if values.ndim == 2:
        values = values[None]
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim not in (3, 4) or values.dtype.kind not in "fiub":
        raise InputError(
            str(path),
            found=f"{values.dtype} {list(values.shape)}",
            expected="numbers of shape [H, W], [C, H, W] or [1, C, H, W]",
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
        raise _missing(path) from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(
            str(path),
            found=str(error).splitlines()[0][:120],
            expected=f"a picture ({', '.join(SUFFIXES)})",
            remedy="check the file, or convert it to PNG",
        ) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _missing(path: Path) -> InputError:
    return InputError(
        str(path),
        found="no such file",
        expected=f"a picture or array ({', '.join(SUFFIXES)})",
        remedy="check the path",
    )
