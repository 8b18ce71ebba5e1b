"""The machine against Python's own, on data that cannot act."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError

keys = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)
)
data = st.recursive(
    keys | st.sets(keys) | st.frozensets(st.integers()) | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(keys | st.tuples(keys, keys), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(data, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_reads_as_python_reads_it(value: Any, protocol: int) -> None:
    machine = Machine(pickle.dumps(value, protocol), where="x")
    assert machine.run() == value
    assert machine.position == len(machine.data)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["f8", "<f4", ">i2", "u1", "?", "c16", "S3", "U2", "M8[s]", "f2"])
def test_arrays_and_scalars_of_numpy(kind: str, protocol: int) -> None:
    array = np.zeros((2, 3), dtype=kind)
    array[1] = np.arange(3).astype(kind)
    for value in (array, np.asfortranarray(array), array[:0], array.dtype):
        found = Machine(pickle.dumps(value, protocol), where="x").run()
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype
            np.testing.assert_array_equal(found, value)
        else:
            assert found == value
    one = Machine(pickle.dumps(array[1, 2], protocol), where="x").run()
    assert one == array[1, 2]
    assert isinstance(one, (bool, int, float, complex, str, bytes, np.datetime64))


def test_shared_and_cyclic_data_keep_their_shape() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    found = Machine(pickle.dumps({"a": inner, "b": inner}), where="x").run()
    assert found["a"] is found["b"]
    assert found["a"][1] is found["a"]


def only_our_error(program: bytes) -> None:
    """Any other exception than lading's own goes through and fails the test."""
    with contextlib.suppress(CheckpointError):
        Machine(program, where="x").run()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_noise_never_ends_in_anything_but_an_answer_or_our_error(noise: bytes) -> None:
    only_our_error(noise)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_genuine_program_with_wrong_bytes(draw: st.DataObject) -> None:
    value = {"a": np.float64(1), "b": np.arange(3), "c": [(1, 2.5), {"d": b"x"}, {3}]}
    raw = bytearray(pickle.dumps(value, draw.draw(st.integers(0, 5))))
    for _ in range(draw.draw(st.integers(1, 4))):
        raw[draw.draw(st.integers(0, len(raw) - 1))] = draw.draw(st.integers(0, 255))
    only_our_error(bytes(raw))
