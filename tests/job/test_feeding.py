"""What is given on the command line reaches the inputs as it was meant, or is refused in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lading.errors import InputError
from lading.job.feeding import feedings
from lading.record import Port
from lading.task.text import Vocabulary

X = Port("x", "tensor", "float32", (1, 1, 4, 6))
T = Port("timesteps", "tensor", "int32", (1,))
FREE = Port("tokens", "tensor", "float32", (1, 8), ranges=((1, 1), (2, -1)))
LISTED = Port("y", "tensor", "float32", (1, 2), enumerated=((1, 2), (1, 5)))


def feed(ports: list[Port], texts: Sequence[str]) -> dict[str, Any]:
    (only,) = feedings(ports, texts)
    return dict(only.values)


def test_several_values_are_several_samples(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("b.png", "a.png"):
        Image.fromarray(np.full((4, 6), ord(name[0]), np.uint8)).save(pictures / name)
    for texts in (["x=1", "x=2", "timesteps=7"], [f"x={pictures}", "timesteps=7"]):
        first, second = feedings([X, T], texts)
        assert first.values["timesteps"].value == second.values["timesteps"].value == 7
        assert not np.array_equal(first.values["x"].value, second.values["x"].value)
    assert [Path(one.name).name for one in (first, second)] == ["a.png", "b.png"]
    paired = feedings([X, T], ["x=1", "x=2", "timesteps=3", "timesteps=4"])
    assert [int(one.values["timesteps"].value[0]) for one in paired] == [3, 4]


def test_a_text_is_encoded_where_the_network_takes_text() -> None:
    words = Vocabulary("abc", 5)
    ids = Port("ids", "tensor", "int32", (1, 5))
    (one,) = feedings([ids], ["cab"], words)
    assert one.values["ids"].value.tolist() == [[3, 1, 2, 0, 0]]
    with pytest.raises(InputError, match="text '!'"):
        list(feedings([ids], ["!"], words))
    assert len(list(feedings([ids], ["a" * 5000], words))) == 1  # longer than a file's name can be


def values(ports: list[Port], *texts: str) -> dict[str, Any]:
    return {name: one.value for name, one in feed(ports, texts).items()}


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def test_each_input_gets_its_own(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((1, 1, 4, 6))
    fed = values([X, T], f"x={saved(tmp_path / 'x.npy', x)}", "timesteps=500")
    np.testing.assert_array_equal(fed["x"], x.astype(np.float32))
    assert fed["x"].dtype == np.float32
    assert (fed["timesteps"].tolist(), fed["timesteps"].dtype) == ([500], np.int32)


def test_what_is_not_given_is_left_to_the_runtime() -> None:
    assert list(values([X, T], "timesteps=1")) == ["timesteps"]


def test_one_number_fills_an_input_and_as_many_as_it_has_are_its_own() -> None:
    assert values([X], "x=-1.5e0")["x"].tolist() == np.full((1, 1, 4, 6), -1.5).tolist()
    assert values([LISTED], "y=1,2")["y"].tolist() == [[1.0, 2.0]]


@given(hnp.arrays(np.float32, (1, 2), elements=st.floats(-1e6, 1e6, width=32)))
def test_numbers_are_read_as_they_are_written(array: Any) -> None:
    text = ",".join(map(repr, array.ravel().tolist()))
    np.testing.assert_array_equal(values([LISTED], f"y={text}")["y"], array)


def test_a_bare_file_is_for_the_only_input(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(pixels).save(tmp_path / "a=b.png")
    fed = feed([X], [str(tmp_path / "a=b.png")])["x"]
    assert fed.value.shape == (1, 1, 4, 6)
    assert fed.notes == ()


@pytest.mark.parametrize("length", [2, 8, 31])
def test_a_range_takes_every_size_within(tmp_path: Path, length: int) -> None:
    text = saved(tmp_path / "a.npy", np.zeros((1, length)))
    assert values([FREE], text)["tokens"].shape == (1, length)


@pytest.mark.parametrize("length", [2, 5])
def test_a_list_takes_its_own(tmp_path: Path, length: int) -> None:
    text = saved(tmp_path / "a.npy", np.zeros((1, length)))
    assert values([LISTED], text)["y"].shape == (1, length)


@pytest.mark.parametrize(
    ("ports", "texts", "found", "remedy"),
    [
        ([X, T], ["a.png"], "2 inputs, and none is named", "write --input x=a.png"),
        ([X, T], ["timestep=3"], "no input 'timestep'", "write --input timesteps=3"),
        ([X, T], ["x=1", "x=2", "x=3", "timesteps=3", "timesteps=4"], "2 values", "as many"),
        ([T], ["timesteps=1,2"], "2 numbers", ".npy"),
        ([T], ["timesteps=1.5"], "not whole", "round"),
        ([T], ["timesteps=5000000000"], "too large", "round"),
        ([T], ["timesteps=none.npy"], "no such file", "check the path"),
        ([T], ["timesteps=--"], "no numbers", ".npy"),
        ([T], ["timesteps=what"], "no file, and no numbers", "numpy.save"),
    ],
)
def test_what_cannot_be_fed(ports: list[Port], texts: list[str], found: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        values(ports, *texts)
    assert found in caught.value.found
    assert remedy in caught.value.remedy


def test_an_array_of_another_shape(tmp_path: Path) -> None:
    text = saved(tmp_path / "a.npy", np.zeros((3, 3)))
    with pytest.raises(InputError) as caught:
        values([T], text)
    assert caught.value.found == "an array of shape [3, 3]"
    assert caught.value.expected == "an array of shape [1]"
