"""Taps: what is kept of a run, and that a run without them is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.coreml import neuralnetwork
from lading.errors import RequestError

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
    with pytest.raises(RequestError) as raised:
        model.predict({"x": X}, taps=neuralnetwork.Taps(take=["a", "nowhere"]))
    told = raised.value
    assert told.subject == "taps nowhere"
    assert told.found == "no value of that name"
    assert "model.network.layers" in told.remedy
