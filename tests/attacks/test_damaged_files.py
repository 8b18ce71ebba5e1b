"""Genuine files with wrong bytes or a wrong end: an answer or lading's own error, never a crash."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.checkpoint import read
from lading.errors import LadingError


def genuine() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}


def zipped() -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": genuine(), "best": np.float64(1), "args": {"lr": 0.1}}, out)
    return out.getvalue()


def legacy() -> bytes:
    out = io.BytesIO()
    torch.save(genuine(), out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def safe() -> bytes:
    return safetensors.torch.save(genuine())


@pytest.mark.parametrize("make", [zipped, legacy, safe], ids=lambda make: make.__name__)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_wrong_bytes(make: Callable[[], bytes], data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(make())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(1, len(raw) - 1)) :]
    path = tmp_path / "model.pth"
    path.unlink(missing_ok=True)  # tensors of the round before may still be mapped
    path.write_bytes(raw)
    try:
        checkpoint = read(path)
    except LadingError as problem:
        shown = str(problem)
        assert all(word in shown for word in ("found", "expected", "remedy"))
        return
    for tensor in checkpoint.tensors.values():
        assert tensor.clone().numel() == tensor.numel()  # every byte can be reached
