"""Probes along a diffusion's way: the steps, the share of noise, a batch, the user's pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from lading.errors import InputError
from lading.interface import Interface, Options, wrap
from lading.proof import probes
from lading.record import Port, Task
from lading.task.kinds import diffusion

X = Port("x", "tensor", "float32", (1, 1, 16, 16), value_range=(-1.0, 1.0))
T = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 999.0))
Y = Port("y", "tensor", "int32", (1,), value_range=(0.0, 9.0))
LOW = Port("low_res", "tensor", "float32", (1, 1, 8, 8), value_range=(-1.0, 1.0))
OUT = Port("prediction", "tensor", "float32", (1, 1, 16, 16))


class Net(nn.Module):
    def forward(self, x: Any, timesteps: Any, y: Any = None, low_res: Any = None) -> Any:
        return x


def interface(*further: Port, options: Options | None = None, x: Port = X) -> Interface:
    task = Task("diffusion", (x, T, *further), (OUT,))
    return wrap(Net().eval(), task, options or Options())


def test_the_first_second_middle_and_last_step() -> None:
    drawn = probes.make(interface())
    assert [int(one.inputs["timesteps"][0]) for one in drawn] == [0, 1, 499, 999, 0]
    assert all(one.inputs["timesteps"].dtype == np.int32 for one in drawn)


def test_noise_grows_along_the_way() -> None:
    first, _, middle, last, edges = (one.inputs["x"] for one in probes.make(interface()))
    assert np.abs(first).max() <= 1.0
    assert np.abs(np.unique(edges)).tolist() == [1.0, 1.0]
    assert float(last.std()) == pytest.approx(1.0, abs=0.1)  # 256 values of standard noise
    assert float(np.abs(middle).max()) > 1.0


@pytest.mark.parametrize("way", [0.0, 0.25, 0.5, 1.0])
def test_picture_and_noise_share_one_variance(way: float) -> None:
    picture = np.ones((1, 1, 64, 64))
    values = diffusion.noised(picture, way, np.random.default_rng(0))
    share = np.cos(way * np.pi / 2)
    assert float(values.mean()) == pytest.approx(share, abs=0.05)  # three of 1/64
    assert float(values.var()) == pytest.approx(1 - share**2, abs=0.07)


def test_the_times_dtype_is_the_ports() -> None:
    drawn = probes.make(interface(options=Options(timesteps="float32")))
    assert {one.inputs["timesteps"].dtype for one in drawn} == {np.dtype(np.float32)}


def test_further_inputs_are_within_their_range() -> None:
    for one in probes.make(interface(Y, LOW)):
        assert one.inputs["y"].dtype == np.int32
        assert 0 <= int(one.inputs["y"][0]) <= 9
        assert one.inputs["low_res"].shape == (1, 1, 8, 8)
        assert np.abs(one.inputs["low_res"]).max() <= 1.0


def test_a_batch_where_it_is_open() -> None:
    *_, last = probes.make(interface(Y, options=Options(dynamic=("batch",))))
    assert last.inputs["x"].shape == (2, 1, 16, 16)
    assert last.inputs["timesteps"].tolist() == [333, 333]
    assert last.inputs["y"].shape == (2,)
    assert not np.array_equal(last.inputs["x"][0], last.inputs["x"][1])


def test_the_noise_of_a_step_is_noise() -> None:
    ports = (X, T, replace(X, name="noise", value_range=()))
    fed = diffusion.inputs(
        ports, {"x": np.zeros(X.shape)}, diffusion.Point("zeros", 0), np.random.default_rng(0)
    )
    assert float(fed["noise"].std()) == pytest.approx(1.0, abs=0.15)
    assert not fed["x"].any()


def test_the_users_pictures_at_the_middle(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 255, np.uint8)).save(tmp_path / "white.png")
    *_, mine = probes.make(interface(), [tmp_path / "white.png"])
    assert (mine.kind, int(mine.inputs["timesteps"][0])) == ("data", 499)
    assert float(mine.inputs["x"].mean()) == pytest.approx(np.cos(np.pi / 4), abs=0.15)


def test_no_pictures_for_a_signal(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "a.png")
    line = interface(x=replace(X, shape=(1, 1, 32)))
    with pytest.raises(InputError) as caught:
        probes.make(line, [tmp_path / "a.png"])
    assert caught.value.found == "a network that takes x [1, 1, 32]"
