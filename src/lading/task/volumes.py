"""Volumes in and out: NIfTI files, which nnU-Net's 3-D networks are trained on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError, in_short

Array = npt.NDArray[Any]

SUFFIXES = (".nii", ".nii.gz")
#: Voxels that are read at most: 2 GiB of float32. A few compressed bytes may claim any number.
LARGEST = 2**29


def is_volume(path: Path) -> bool:
    """Whether a path is called as a volume is.

    >>> is_volume(Path("heart.nii.gz")), is_volume(Path("heart.png"))
    (True, False)
    """
    return path.name.lower().endswith(SUFFIXES)


def read(path: Path) -> tuple[Array, Array]:
    """The values of a NIfTI file, float32 [C, Z, Y, X] as nnU-Net orders them, and its affine
    [4, 4] from voxels to millimetres.

    Raises:
        InputError: it cannot be read, or is no volume.
    """
    import nibabel

    def refused(found: str) -> InputError:
        return InputError(
            str(path), found=found[:160], expected="a NIfTI volume of 3 axes, or 4 with channels",
            remedy="save it again, with nibabel or SimpleITK",
        )  # fmt: skip

    try:
        image: Any = nibabel.load(path)
        shape = tuple(map(int, image.shape))
        if len(shape) not in (3, 4) or min(shape) < 1 or np.prod(shape, dtype=float) > LARGEST:
            raise refused(f"shape {list(shape)}")
        values = np.asarray(image.get_fdata(dtype=np.float32))
        affine = np.asarray(image.affine, dtype=np.float64)
    except InputError:
        raise
    except Exception as error:  # of many kinds, for a file that is not sound
        raise refused(in_short(error)) from error
    planes = values[..., None] if values.ndim == 3 else values
    return np.ascontiguousarray(planes.transpose(3, 2, 1, 0)), affine


def labels_file(labels: Array, affine: Array | None, *, packed: bool) -> bytes:
    """A label map [Z, Y, X] as a NIfTI file; the same for the same map.

    Args:
        labels: whole numbers from 0 to 65535.
        affine: of the volume it was made of; None where that has none.
        packed: by gzip.
    """
    import nibabel

    kind = np.uint8 if int(labels.max(initial=0)) < 256 else np.uint16
    placed = np.eye(4) if affine is None else affine
    image: Any = nibabel.Nifti1Image(labels.transpose(2, 1, 0).astype(kind), placed)  # type: ignore[no-untyped-call]
    data: bytes = image.to_bytes()
    return gzip.compress(data, mtime=0) if packed else data


def resample(values: Array, size: tuple[int, ...]) -> Array:
    """Volumes [C, Z, Y, X] resampled to another (Z, Y, X), trilinear, float32."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None]
    made = torch.nn.functional.interpolate(tensor, size, mode="trilinear", align_corners=False)
    return np.asarray(made[0].numpy())
