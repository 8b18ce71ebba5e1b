"""Probes and examples for inputs that are whole numbers: token ids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lading.interface import Interface, Options, wrap
from lading.proof import probes
from lading.record import Port, Task

LOW, HIGH = 3, 188


def interface(
    dtype: str = "int32", low: int = LOW, high: int = HIGH, length: int = 20
) -> Interface:
    ids = Port("input_ids", "tensor", dtype, (1, length), value_range=(low, high))
    scores = Port("scores", "tensor", "float32", (1, 9), meaning="logits", class_axis=1)
    task = Task("classification", (ids,), (scores,), activation="softmax")
    return wrap(nn.Embedding(high + 1, 9), task, Options())


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_example_has_the_port_s_dtype_and_stays_in_its_range(dtype: str) -> None:
    example = interface(dtype).example(batch=2)["input_ids"]
    assert example.dtype == getattr(torch, dtype)
    assert example.shape == (2, 20)
    assert LOW <= int(example.min()) < int(example.max()) <= HIGH


def test_both_ends_of_the_range_are_drawn() -> None:
    ids = interface(low=0, high=1).example(batch=8)["input_ids"]
    assert set(ids.unique().tolist()) == {0, 1}


@given(low=st.integers(0, 5), span=st.integers(1, 300), length=st.integers(1, 40))
def test_probes_stay_in_the_range(low: int, span: int, length: int) -> None:
    drawn = probes.make(interface(low=low, high=low + span, length=length))
    for probe in drawn:
        ids = probe.inputs["input_ids"]
        assert ids.dtype == np.int32
        assert ids.shape == (1, length)
        assert low <= ids.min() <= ids.max() <= low + span
        if probe.kind == "zeros":
            assert set(ids.ravel()) == {low}


def test_each_kind_is_what_it_says() -> None:
    by_kind = {p.kind: p.inputs["input_ids"][0] for p in probes.make(interface())}
    assert set(by_kind["extremes"]) == {LOW, HIGH}
    assert len(set(np.diff(by_kind["stripes"]) % (HIGH - LOW + 1))) == 1
    assert len(set(by_kind["noise"])) > 10
    text = by_kind["shapes"]
    end = len(np.trim_zeros(text - LOW, "b"))
    assert end < 20
    assert not (text[end:] - LOW).any()
    assert {p.name for p in probes.make(interface()) if p.varied} == {
        "noise-0", "noise-1", "shapes-2", "stripes-3", "extremes-4",
    }  # fmt: skip


def test_the_same_probes_every_time() -> None:
    first, second = (probes.make(interface()) for _ in range(2))
    assert [p.record() for p in first] == [p.record() for p in second]
