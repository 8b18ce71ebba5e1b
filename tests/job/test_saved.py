"""What `run` writes: numbers that are read back as they were, drawings, and nothing half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from lading.errors import LadingError, NoAnswerError, RequestError, StorageError
from lading.job.request import Run
from lading.job.run import Applied
from lading.job.saved import require, save
from lading.task.pictures import PALETTE
from tests.toys import LABELS, interface

MAP = np.array([[0, 1], [2, 1]])
AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])


def applied(label_map: Any = MAP, **more: Any) -> Applied:
    output = np.arange(4.0)
    outputs = {"logits": output}
    given = {"outputs": outputs, "name": "echo.png", **more}
    return Applied(output, interface().outputs[0], LABELS, label_map, (), "some", **given)


def written(made: Applied, folder: Path, name: str, **more: Any) -> Path:
    request = Run("net.onnx", out=folder / name, **more)
    require(request)
    save(made, request)
    return folder / name


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_a_picture_holds_class_numbers(name: str, tmp_path: Path) -> None:
    read = Image.open(written(applied(), tmp_path, name))
    np.testing.assert_array_equal(np.asarray(read), MAP)


def test_more_than_255_classes_take_16_bits(tmp_path: Path) -> None:
    many = np.array([[0, 300]])
    np.testing.assert_array_equal(
        np.asarray(Image.open(written(applied(many), tmp_path, "a.png"))), many
    )


def test_arrays_hold_what_is_named(tmp_path: Path) -> None:
    np.testing.assert_array_equal(np.load(written(applied(), tmp_path, "a.npy")), np.arange(4.0))
    labels = np.load(written(applied(), tmp_path, "b.npy", output="labels"))
    assert (labels.tolist(), labels.dtype) == (MAP.tolist(), np.uint8)
    with np.load(written(applied(), tmp_path, "c.npz")) as kept:
        assert kept["logits"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_a_volume_lies_where_the_users_lies(name: str, tmp_path: Path) -> None:
    labels = np.arange(24).reshape(2, 3, 4)
    path = written(applied(labels, affine=AFFINE), tmp_path, name)
    first = path.read_bytes()
    read: Any = nibabel.load(path)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.asarray(read.dataobj), labels.transpose(2, 1, 0))
    np.testing.assert_array_equal(read.affine, AFFINE)
    assert written(applied(labels, affine=AFFINE), tmp_path, name).read_bytes() == first


def test_samples_in_a_folder_have_their_own_names(tmp_path: Path) -> None:
    own = np.zeros((1, 2, 2))
    others = tuple(applied(own=own, name=name) for name in ("b.png", "c.png", "c.jpg"))
    folder = written(applied(own=own, name="a.png", rest=others), tmp_path, "labels")
    assert sorted(p.name for p in folder.iterdir()) == ["0003.png", "0004.png", "a.png", "b.png"]
    joined = np.load(written(applied(rest=others), tmp_path, "a.npy", output="labels"))
    assert joined.shape == (4, 2, 2)


def test_a_drawing_shows_the_picture_the_labels_and_a_legend(tmp_path: Path) -> None:
    labels = np.zeros((32, 48), int)
    labels[8:, 8:] = 1
    made = applied(labels, own=np.full((1, 32, 48), 255.0))
    save(made, Run("net.onnx", overlay=tmp_path / "a.png"))
    drawn = np.asarray(Image.open(tmp_path / "a.png"))
    assert drawn.shape[1] == 480
    mixed = drawn[300, 400]
    assert abs(int(mixed[0]) - PALETTE[1][0]) + abs(int(mixed[2]) - PALETTE[1][2]) < 255
    assert len(np.unique(drawn[322:], axis=0)) > 1  # the legend


@pytest.mark.parametrize(
    ("name", "made", "kind", "found"),
    [
        ("a.gif", applied(), RequestError, "suffix '.gif'"),
        ("a.jpg", applied(), RequestError, "JPEG"),
        ("a.png", applied(None), RequestError, "output logits"),
        ("a.png", applied(np.zeros((2, 2, 2), int)), RequestError, "3 axes"),
        ("a.nii.gz", applied(), RequestError, "2 axes"),
        ("a.png", applied(np.array([[-1, 0]])), NoAnswerError, "1 of 2 pixels"),
        ("a.png", applied(rest=(applied(),)), RequestError, "2 samples"),
        ("full", applied(), StorageError, "not empty"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    name: str, made: Applied, kind: type[LadingError], found: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(kind) as caught:
        written(made, tmp_path, name)
    assert found in caught.value.found
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


def test_a_drawing_without_a_picture(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--overlay"):
        save(applied(), Run("net.onnx", out=tmp_path / "l.png", overlay=tmp_path / "a.png"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(RequestError) as caught:
        written(applied(), tmp_path, "a.npy", output="scores")
    assert caught.value.expected == "labels or logits"
