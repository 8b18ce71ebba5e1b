"""Taps: what is kept of a run, and that a run without them is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.coreml import neuralnetwork
from lading.errors import ProgramError

Built = Callable[..., Path]
X = np.array([[0.1, -0.7, 1000.3]], np.float32)


def chain(builder: Any) -> None:
    builder.add_elementwise("third", ["x"], "a", "MULTIPLY", alpha=1 / 3)
    builder.add_elementwise("again", ["a"], "b", "MULTIPLY", alpha=7.0)
    builder.add_squeeze("row", "b", "y", squeeze_all=True)


def test_inner_values_inputs_and_outputs_are_kept(built: Built) -> None:
    model = neuralnetwork.load(built(chain, (1, 3)))
    taps = neuralnetwork.Taps(take=["x", "a", "y"])
    given = model.predict({"x": X}, taps=taps)
    assert set(taps.values) == {"x", "a", "y"}
    assert np.array_equal(taps.values["x"], X)
    assert np.array_equal(taps.values["a"], X * np.float32(1 / 3))
    assert np.array_equal(taps.values["y"], given["y"])
    assert np.array_equal(model.predict({"x": X})["y"], given["y"])


def test_in_float16_they_are_as_rounded(built: Built) -> None:
    model = neuralnetwork.load(built(chain, (1, 3)))
    taps = neuralnetwork.Taps(take=["a"])
    model.predict({"x": X}, precision="float16", taps=taps)
    third = (X.astype(np.float16) * np.float32(1 / 3)).astype(np.float16)
    assert np.array_equal(taps.values["a"], third.astype(np.float32))


def test_what_is_kept_is_the_callers(built: Built) -> None:
    model = neuralnetwork.load(built(chain, (1, 3)))
    taps = neuralnetwork.Taps(take=["b", "y"])
    given = model.predict({"x": X}, taps=taps)
    taps.values["b"][:] = 0.0
    assert np.abs(given["y"]).min() > 0.1
    assert np.abs(taps.values["y"]).min() > 0.1


def test_a_name_that_no_value_has(built: Built) -> None:
    model = neuralnetwork.load(built(chain, (1, 3)))
    with pytest.raises(ProgramError) as raised:
        model.predict({"x": X}, taps=neuralnetwork.Taps(take=["a", "nowhere"]))
    told = raised.value
    assert told.subject == "value 'nowhere'"
    assert told.found == "no value of that name in the program"


def test_what_overflows_is_counted(built: Built) -> None:
    """The evaluator of ML Programs runs the layers, so that its statistics are there too."""
    model = neuralnetwork.load(built(squared_twice, (1, 3)))
    taps = neuralnetwork.Taps(take=[], statistics=True)
    model.predict({"x": X}, precision="float16", taps=taps)
    assert taps.statistics_of["a"].overflowed == 1
    full = neuralnetwork.Taps(take=[], statistics=True)
    model.predict({"x": X}, taps=full)
    assert full.statistics_of["a"].overflowed == 0


def squared_twice(builder: Any) -> None:
    builder.add_unary("square", "x", "a", "power", alpha=2.0)
    builder.add_elementwise("tenth", ["a"], "y", "MULTIPLY", alpha=0.1)


def test_values_inside_a_layer_are_not_rounded(built: Built) -> None:
    """A layer of several operations rounds its result, and nothing before it."""

    def scaled(builder: Any) -> None:
        builder.add_unary("root", "x", "a", "sqrt", shift=1e-4, scale=1 / 3)
        builder.add_elementwise("same", ["a"], "y", "MULTIPLY", alpha=1.0)

    model = neuralnetwork.load(built(scaled, (1, 300)))
    x = np.random.default_rng(0).uniform(0, 9, (1, 300)).astype(np.float32)
    got = model.predict({"x": x}, precision="float16")["y"]
    inner = x.astype(np.float16).astype(np.float32) * np.float32(1 / 3) + np.float32(1e-4)
    assert np.array_equal(got, np.sqrt(inner).astype(np.float16).astype(np.float32))
    twice = np.sqrt(inner.astype(np.float16).astype(np.float32))
    assert not np.array_equal(got, twice.astype(np.float16).astype(np.float32))
