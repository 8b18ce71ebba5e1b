"""Probes beyond the standing ones: what they reach, and that a file cannot know them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lading.record import Port
from lading.task import kind_of
from lading.task.further import MAGNITUDES, Price, claimed, further, own, sized
from tests.toys import task

RICH = Price.of(0.0)
X = Port("x", "tensor", "float32", (1, 2, 8, 8))
IDS = Port("ids", "tensor", "int32", (1, 7), value_range=(3, 40))
BOUNDED = Port("z", "tensor", "float32", (1, 4), value_range=(-1.0, 1.0))


def test_values_go_from_small_to_large_where_nothing_bounds_them() -> None:
    drawn = [probe for probe in further([X], RICH) if probe.kind == "magnitude"]
    assert all(probe.far for probe in drawn)
    sizes = [float(np.abs(probe.inputs["x"]).max()) for probe in drawn]
    assert all(1 < size / scale < 10 for size, scale in zip(sizes, MAGNITUDES, strict=True))
    assert not [probe for probe in further([BOUNDED], RICH) if probe.kind == "magnitude"]


def test_spikes_are_constant_but_for_one_value() -> None:
    for port in (X, BOUNDED):
        probes = [probe for probe in further([port], RICH) if probe.name.startswith("spike")]
        drawn = [probe.inputs[port.name] for probe in probes]
        assert len(drawn) == 2
        for value in drawn:
            assert (value != np.median(value)).sum() == 1
        assert len({float(np.median(value)) for value in drawn}) == 2
        low, high = port.value_range or (0.0, 10.0)
        assert all(low <= value.min() <= value.max() <= high for value in drawn)


@given(st.integers(0, 5), st.integers(1, 60), st.integers(1, 9))
def test_every_row_of_a_table_is_fed_once_where_that_fits(low: int, count: int, size: int) -> None:
    port = Port("ids", "tensor", "int32", (1, size), value_range=(low, low + count - 1))
    drawn = [probe.inputs["ids"] for probe in further([port], RICH) if probe.kind == "rows"]
    seen = np.unique(np.concatenate([one.reshape(-1) for one in drawn]))
    assert len(drawn) <= RICH.blocks
    assert set(seen) <= set(range(low, low + count))
    assert len(seen) >= min(count, RICH.blocks * size)


def test_what_is_drawn_for_a_file_is_its_own() -> None:
    first, again, other = (own([X], digest * 16, RICH) for digest in ("ab12", "ab12", "ab13"))
    assert [probe.record() for probe in first] == [probe.record() for probe in again]
    assert {probe.only for probe in first} == {"ab12" * 16}
    for mine, theirs in zip(first, other, strict=True):
        assert not np.array_equal(mine.inputs["x"], theirs.inputs["x"])


def test_a_network_that_walks_is_fed_what_it_sees_on_its_way() -> None:
    kind = kind_of(task(kind="diffusion"))
    ports = (
        Port("x", "tensor", "float32", (1, 1, 8, 8), value_range=(-1.0, 1.0)),
        Port("timesteps", "tensor", "int32", (1,), value_range=(0, 99)),
    )
    assert kind.further(ports, RICH) == []
    steps = [probe.inputs["timesteps"] for probe in kind.own(ports, "5f" * 32, RICH)]
    assert len(steps) == 2
    assert all(0 <= int(step[0]) <= 99 for step in steps)


def test_sizes_that_a_file_claims_are_its_ends_and_what_lies_between() -> None:
    ranged = Port("x", "tensor", "float32", (1, 2, 8, 8), ranges=((1, 1), (2, 2), (4, 32), (4, 32)))
    found = claimed(X, ranged, 8)
    assert {(1, 2, 4, 4), (1, 2, 32, 32), (1, 2, 4, 32), (1, 2, 32, 4)} <= set(found)
    assert any(h != w and h % 2 for _, _, h, w in found)
    assert all(ranged.allows(shape) for shape in found)
    listed = Port("x", "tensor", "float32", X.shape, enumerated=(X.shape, (1, 2, 4, 4)))
    assert claimed(X, listed, 8) == [(1, 2, 4, 4)]
    batch = Port("x", "tensor", "float32", (-1, 2, 8, 8))
    assert [shape[0] for shape in claimed(X, batch, 8)] == [2, 5]
    free = Port("x", "tensor", "float32", (-1, 2, -1, -1))
    assert max(shape[2] for shape in claimed(X, free, 8)) == 24
    assert claimed(X, X, 8) == []


@given(st.integers(1, 8), st.integers(1, 4))
def test_claimed_sizes_are_multiples_where_the_network_needs_them(step: int, times: int) -> None:
    port = Port("x", "tensor", "float32", (1, 1, step * times, step), multiples=(1, 1, step, step))
    free = Port("x", "tensor", "float32", (1, 1, -1, -1))
    for shape in claimed(port, free, 8):
        assert shape[2] % step == 0 == shape[3] % step
        assert min(shape) > 0


def test_another_size_is_that_of_the_one_input() -> None:
    probe = sized(X, (3, 2, 8, 8), "00")
    assert {name: value.shape for name, value in probe.inputs.items()} == {"x": (3, 2, 8, 8)}


def test_a_picture_is_fed_whole_levels() -> None:
    picture = Port("p", "image", "float32", (1, 3, 4, 4), value_range=(0.0, 255.0))
    drawn = [*further((picture,), Price.of(0.01)), *own((picture,), "5e", Price.of(0.01))]
    assert len(drawn) >= 4
    for probe in drawn:
        assert np.array_equal(probe.inputs["p"], np.rint(probe.inputs["p"])), probe.name
