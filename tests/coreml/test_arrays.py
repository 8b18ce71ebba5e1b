"""Core ML's call in plain arrays: pictures in, class probabilities in order out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lading.coreml.arrays import Arrays, as_picture, in_order, noted_labels
from lading.errors import ProgramError


def called(outputs: dict[str, Any], labels: tuple[str, ...] = ()) -> Arrays:
    return Arrays(lambda data: outputs, (), labels)


def test_arrays_come_in_order() -> None:
    turned = np.arange(6).reshape(2, 3).T
    got = called({"y": turned})({})["y"]
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, turned)


def test_pictures_go_in_as_pictures_and_options_are_handed_on() -> None:
    seen: dict[str, Any] = {}

    def predict(data: dict[str, Any], **options: Any) -> dict[str, Any]:
        seen.update(data, **options)
        return {}

    x = np.full((1, 1, 2, 2), 7.0)
    Arrays(predict, ["picture"])({"picture": x, "plain": x}, precision="float32")
    assert seen["picture"].mode == "L"
    assert seen["plain"] is x
    assert seen["precision"] == "float32"


def test_pictures_of_one_and_three_channels() -> None:
    grey = as_picture(np.array([[[[-3.0, 0.4], [254.6, 300.0]]]]))
    assert grey.mode == "L"
    assert np.asarray(grey).tolist() == [[0, 0], [255, 255]]
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    colour = as_picture(values)
    assert colour.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(colour).transpose(2, 0, 1), values[0])


def test_a_class_that_is_not_the_most_probable_one() -> None:
    shares = {"a": 0.25, "b": 0.75}
    good = called({"classLabel": "b", "p": shares}, ("b", "a"))({})
    assert {name: value.tolist() for name, value in good.items()} == {"p": [[0.75, 0.25]]}
    for wrong in ("a", "c"):
        with pytest.raises(ProgramError) as caught:
            called({"classLabel": wrong, "p": shares})({})
        assert caught.value.expected == "the most probable class, 'b' with 0.75"


def test_names_that_are_others() -> None:
    with pytest.raises(ProgramError) as caught:
        in_order({"a": 1.0, "b": 0.0}, ["a", "c"])
    assert (caught.value.found, caught.value.expected) == ("a, b", "a, c")


def test_notes_that_say_nothing() -> None:
    assert noted_labels({}) == ()
    assert noted_labels({"lading.labels": "{"}) == ()
    assert noted_labels({"lading.labels": "3"}) == ()
