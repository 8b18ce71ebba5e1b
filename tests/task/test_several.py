"""Calls after calls: what a network with a memory is fed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from lading.errors import InputError
from lading.record import Port
from lading.task import given, several
from lading.task.given import Given
from lading.task.probes import fits

IDS = Port("ids", "tensor", "int32", (1, 3), value_range=(0.0, 9.0))
POS = Port("pos", "tensor", "int32", (1,), value_range=(2.0, 5.0))
X = Port("x", "tensor", "float32", (1, 4))


def test_every_call_of_a_sequence_is_a_probe() -> None:
    drawn = several.sequences((IDS, POS, X))
    assert {probe.calls for probe in drawn} == set(range(1, several.LONGEST + 1))
    assert all(fits(probe, (IDS, POS, X)) for probe in drawn)
    noise = [probe for probe in drawn if probe.name.startswith("noise")]
    for shorter, longer in itertools.pairwise(noise):
        assert np.array_equal(shorter.inputs["x"], longer.inputs["x"][: shorter.calls])


def test_single_whole_numbers_count_upwards_in_their_range() -> None:
    last = several.sequences((IDS, POS))[-1]
    assert last.inputs["pos"].reshape(-1).tolist() == [2, 3, 4, 5, 2, 3]
    assert last.inputs["ids"].shape == (several.LONGEST, 1, 3)


def test_a_files_own_calls_are_its_own() -> None:
    one, other = (several.own((X,), digest * 32) for digest in ("ab", "cd"))
    assert (one.only, one.calls) == ("ab" * 32, several.OWN)
    assert not np.array_equal(one.inputs["x"], other.inputs["x"])


def test_a_user_gives_one_call_or_several(tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 1, 4)
    np.savez(tmp_path / "calls.npz", x=rows, pos=np.array([[2], [3], [4]]))
    probe = given.several(tmp_path / "calls.npz", (X, POS))
    assert probe.calls == 3
    assert np.array_equal(probe.inputs["x"], rows)
    single = given.several(Given("one", "code", {"x": rows[0], "pos": [2]}), (X, POS))
    assert (single.calls, single.inputs["x"].shape) == (0, (1, 4))
    with pytest.raises(InputError, match="as often as there are calls"):
        given.several(Given("odd", "code", {"x": rows, "pos": [[2], [3]]}), (X, POS))
