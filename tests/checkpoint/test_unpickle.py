"""The machine against Python's own, on data that cannot act."""

from __future__ import annotations

import contextlib
import pickle
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.checkpoint.unpickle import Machine
from lading.errors import CheckpointError

numbers = st.booleans() | st.integers() | st.floats(allow_nan=False)
small = st.integers(-(1 << 59), 1 << 59)
keys = st.none() | small | st.floats(allow_nan=False) | st.text() | st.binary()
data = st.recursive(
    keys | numbers | st.sets(keys) | st.frozensets(small) | st.complex_numbers(allow_nan=False),
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


def test_two_byte_orders_in_one_file_stay_apart() -> None:
    """numpy's dtype objects are shared: a state for one must not reach the others."""
    value = [np.arange(3, dtype=kind) for kind in ("<f8", ">f8", "<f8", ">f8")]
    found = Machine(pickle.dumps(value, 4), where="x").run()
    assert [one.tolist() for one in found] == [[0, 1, 2]] * 4


def test_states_by_the_thousand_take_linear_time() -> None:
    one = b"cnumpy\ndtype\n(S'f8'\ntRr%b(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb0"
    program = b"".join(one % index.to_bytes(4, "little") for index in range(20_000)) + b"N."
    before = time.process_time()
    Machine(program, where="x").run()
    # 0.5 s here; a search through the memo for each takes 8 s.
    assert time.process_time() - before < 4


def test_whole_numbers_that_hash_alike_are_no_keys() -> None:
    with pytest.raises(CheckpointError, match="a whole number of 66 bits as a key"):
        Machine(
            b"}\x8a\x09" + (((1 << 61) - 1) << 5).to_bytes(9, "little") + b"Ns.", where="x"
        ).run()


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
