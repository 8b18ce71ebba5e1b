"""Golden vectors of a diffusion network keep the original's walk, where there is room for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lading.errors import InputError
from lading.job.convert import convert
from lading.job.request import Convert
from lading.proof import golden
from lading.proof.golden import index as index_module
from lading.proof.golden import make
from lading.proof.trajectory import Course
from lading.proof.trajectory.ways import Way
from lading.record import Port
from lading.task.diffusion.noise import normal
from tests.job.test_convert_diffusion import small

torch = pytest.importorskip("torch")
KNOWN = {"image_size": "16x16", "num_heads": "2"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.pt"
    torch.save(small().state_dict(), path)
    return path


def made(checkpoint: Path, out: Path, **more: object) -> golden.Index:
    convert(Convert(checkpoint, out, to="onnx", set=KNOWN, trajectory=3, **more))  # type: ignore[arg-type]
    return golden.load(out / golden.FOLDER)


def test_every_move_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    walk = made(checkpoint, out).walk
    assert walk is not None
    assert (walk.sampler, walk.respacing, walk.seed) == ("ddim", "3", 0)
    assert len(walk.x) == len(walk.answers) == len(walk.timesteps) == 3
    start = index_module.read(out / golden.FOLDER, walk.start)
    np.testing.assert_array_equal(start, normal(0, 0, 0, start.shape))
    made(checkpoint, out, force=True)  # its files are lading's own
    path = out / golden.FOLDER / walk.answers[1].file
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match=r"walk-2\.answer"):
        golden.load(out / golden.FOLDER)


def test_a_step_keeps_where_it_started(checkpoint: Path, tmp_path: Path) -> None:
    walk = made(checkpoint, tmp_path / "out", part="step").walk
    assert walk is not None
    assert (walk.sampler, walk.respacing, walk.timesteps) == ("ddpm step", "", (2.0, 1.0, 0.0))
    last = [index_module.read(tmp_path / "out" / golden.FOLDER, one[-1])
            for one in (walk.x, walk.answers)]  # fmt: skip
    np.testing.assert_array_equal(*last)


def test_answers_that_nothing_has_room_for_are_not_kept() -> None:
    x = np.zeros((1, 1, 1000, 1000), dtype=np.float32)
    way = Way("ddim", 0, (1.0, 0.0), lambda run, ports: (run({"x": x})["out"] for _ in "ab"))
    course = Course(way, lambda fed: {"out": x}, [Port("x", "tensor", "float32", x.shape)])
    assert (len(course.answers), len(course.trail)) == (1, 2)


@pytest.mark.parametrize(("taken", "kept"), [(0, True), (make.LIMIT, False)])
def test_it_is_kept_where_there_is_room(taken: int, kept: bool) -> None:
    x = np.zeros((1, 1, 2, 2), dtype=np.float32)
    way = Way("ddim", 0, (1.0, 0.0), lambda run, ports: iter([x, x]))
    port = Port("x", "tensor", "float32", x.shape)
    course = Course(way, lambda fed: {"out": x}, [port])
    course.start, course.answers = x, [x, x]
    walk, files = make._walked(course, "network", taken)
    assert (walk is not None, len(files)) == (kept, 5 * kept)
    assert make._walked(None, "network", 0) == (None, {})
