"""Volumes: what nibabel wrote is read as it was, and what is none is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from lading.errors import InputError
from lading.record import Port
from lading.task import prepare, volumes

PORT = Port("image", "tensor", "float32", (1, 1, 4, 6, 8), meaning="normalised values")


def saved(path: Path, values: Any) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 3, 4, 1])), path)  # type: ignore
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_axes_are_turned_as_nnunet_has_them(name: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 6, 4)).astype(np.float32)
    read, affine = volumes.read(saved(tmp_path / name, values))
    np.testing.assert_array_equal(read[0], values.transpose(2, 1, 0))
    assert affine.diagonal().tolist() == [2, 3, 4, 1]


def test_a_volume_is_fed_normalised_and_another_size_resampled(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(9, 3, (8, 6, 4)).astype(np.float32)
    fed = prepare.file(saved(tmp_path / "a.nii.gz", values), PORT)
    assert fed.value.shape == PORT.shape
    assert (abs(fed.value.mean()) < 1e-5, abs(fed.value.std() - 1) < 1e-5) == (True, True)
    assert fed.own is not None
    larger = prepare.file(saved(tmp_path / "b.nii.gz", np.tile(values, (2, 1, 1))), PORT)
    assert larger.value.shape == PORT.shape
    assert larger.own is not None
    assert larger.own.shape == (1, 4, 6, 16)
    assert larger.notes[0] == "resampled from 4x6x16 to 4x6x8, trilinear"


def test_resampled_volumes_keep_a_ramp() -> None:
    ramp = np.broadcast_to(np.arange(8.0), (1, 4, 4, 8))
    half = volumes.resample(ramp, (2, 4, 4))
    np.testing.assert_allclose(half[0, 0, 0], [0.5, 2.5, 4.5, 6.5])


def header_that_lies(path: Path) -> Path:
    """A header of 32767^3 voxels and nothing behind it."""
    head: Any = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    head.set_data_shape((32767, 32767, 32767))
    path.write_bytes(gzip.compress(head.binaryblock + bytes(4)))
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: header_that_lies(folder / "a.nii.gz"),
        lambda folder: (folder / "a.nii.gz", (folder / "a.nii.gz").write_bytes(b"nonsense"))[0],
        lambda folder: (folder / "a.nii", (folder / "a.nii").write_bytes(b""))[0],
        lambda folder: saved(folder / "a.nii", np.zeros((2, 2), np.float32)),
    ],
)
def test_what_is_no_volume(make: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        volumes.read(make(tmp_path))
    assert caught.value.expected.startswith("a NIfTI volume")


def test_half_a_file(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.nii.gz", np.random.default_rng(0).normal(size=(8, 8, 8)))
    data = whole.read_bytes()
    for cut in range(20, len(data) - 1, len(data) // 9):
        whole.write_bytes(data[:cut])
        with pytest.raises(InputError):
            volumes.read(whole)


def test_a_picture_is_no_volume(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 6)))
    with pytest.raises(InputError, match=r"a\.npy"):
        prepare.file(tmp_path / "a.npy", PORT)
