"""A user's own values for every input: what fits is a probe, and what does not is said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lading.errors import InputError
from lading.record import Port
from lading.task.given import Given, probe

PORTS = (
    Port("x", "tensor", "float32", (1, 3)),
    Port("keep", "tensor", "int32", (1, 2), value_range=(0.0, 1.0)),
    Port("t", "tensor", "int32", (1,), value_range=(0.0, 9.0)),
)
X, KEEP = np.array([[0.5, 1.0, -2.0]], np.float32), np.array([[True, False]])


def test_an_archive_holds_one_array_an_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X[0].astype(np.float64), keep=KEEP, t=np.int64(7))
    made = probe(tmp_path / "a.npz", PORTS)
    assert (made.name, made.kind, made.source) == ("a.npz", "data", "a.npz")
    np.testing.assert_array_equal(made.inputs["x"], X)
    assert {name: str(value.dtype) for name, value in made.inputs.items()} == {
        "x": "float32", "keep": "int32", "t": "int32",
    }  # fmt: skip
    assert made.inputs["t"].tolist() == [7]
    assert made.inputs["keep"].tolist() == [[1, 0]]


def test_values_come_by_name_or_by_place() -> None:
    named = probe(Given("f-0", "f.py:f", {"t": np.asarray(3), "x": X, "keep": KEEP}), PORTS)
    placed = probe(Given("f-0", "f.py:f", [X, KEEP, np.asarray(3)]), PORTS)
    for name, value in named.inputs.items():
        np.testing.assert_array_equal(value, placed.inputs[name])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"x": X, "keep": KEEP}, "values for 'x', 'keep'"),
        ({"x": X[:, :2], "keep": KEEP, "t": np.asarray(3)}, "an array of shape [1, 2]"),
        ({"x": X, "keep": KEEP, "t": np.asarray(2**40)}, "not whole, or too large"),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, np.ndarray], found: str) -> None:
    with pytest.raises(InputError) as refused:
        probe(Given("f-0", "f.py:f", values), PORTS)
    assert found in refused.value.found
    assert refused.value.subject.startswith("f.py:f")


def test_a_file_that_is_not_sound_asks_for_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError):
        probe(path, PORTS)
    header = str({"descr": "<f4", "fortran_order": False, "shape": (10**9, 3)}).ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x", "keep", "t"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00\x76\x00" + header.encode())
    with pytest.raises(InputError) as refused:
        probe(path, PORTS)
    assert refused.value.found == "an array of shape [1000000000, 3]"
    np.savez(path, x=np.array([None]), keep=KEEP, t=np.int64(7))
    with pytest.raises(InputError):
        probe(path, PORTS)
