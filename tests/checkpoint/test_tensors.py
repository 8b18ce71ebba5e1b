"""Whether two tensors are the same, byte by byte."""

from __future__ import annotations

import torch

from lading.checkpoint.tensors import same_bytes


def test_one_memory_seen_in_the_same_way_is_the_same() -> None:
    values = torch.tensor([[float("nan"), 1.0], [-0.0, 2.0]])
    assert same_bytes(values, values.view(2, 2))


def test_one_memory_seen_in_another_way_is_not() -> None:
    values = torch.arange(4.0).reshape(2, 2)
    assert not same_bytes(values, values.t())
    pairs = torch.complex(values, values + 1.0)
    assert pairs.imag.data_ptr() == pairs.conj().imag.data_ptr()
    assert not same_bytes(pairs.imag, pairs.conj().imag)
    assert not same_bytes(values, values.view(torch.int32))
