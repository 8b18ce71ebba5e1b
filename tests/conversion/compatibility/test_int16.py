"""Whole numbers of an fp16 program come out as torch has them, however large or negative."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from torch import nn

from lading.conversion.compatibility import int16
from tests.conversion.compatibility.forms_in_use import answer, carried

X = torch.arange(12.0).reshape(3, 4)


class Put(nn.Module):
    """Writes at places that come in, a row of them for each axis."""

    def forward(self, at: torch.Tensor) -> torch.Tensor:
        put: torch.Tensor = X.clone().index_put_(tuple(at.t()), torch.tensor([50.0, 60.0]))
        return put


class Ids(nn.Module):
    """Whole numbers in another order."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return ids[:, [2, 0, 1]]


def right(module: nn.Module, path: Path, *values: list[int]) -> bool:
    """Whether torch's answer comes out for these."""
    taken = torch.tensor(values, dtype=torch.int32)
    example = (taken.abs() % 3,)
    model = carried(module.eval(), example, path, precision="fp16", deployment="iOS17")
    return torch.equal(torch.from_numpy(answer(model, taken)).float(), module(taken).float())


def test_a_negative_place_counts_from_the_end(tmp_path: Path) -> None:
    assert right(Put(), tmp_path / "n.mlpackage", [-1, 2], [1, -4])


def test_large_numbers_are_gathered_whole(tmp_path: Path) -> None:
    assert right(Ids(), tmp_path / "n.mlpackage", [70_000, -40_000, 5])


def test_an_index_into_a_short_axis_is_of_16_bits(tmp_path: Path) -> None:
    class Rows(nn.Module):
        def forward(self, at: torch.Tensor) -> torch.Tensor:
            return nn.functional.embedding(at, X)

    at = torch.tensor([[0, 2, 1]], dtype=torch.int32)
    path = tmp_path / "n.mlpackage"
    model = carried(Rows().eval(), (at,), path, precision="fp16", deployment="iOS17")
    (block,) = [function.block for function in model.program.functions.values()]
    types = [str(one.type) for op in block.walk() if op.type == "cast" for one in op.outputs]
    assert any("int16" in one for one in types)
    assert not any("uint16" in one for one in types)


def test_without_it_both_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, coremltools has mended its pass and the file can go."""
    monkeypatch.setattr(int16, "in_force", contextlib.nullcontext)
    assert not right(Ids(), tmp_path / "m.mlpackage", [70_000, -40_000, 5])
    with pytest.raises(Exception, match="index 655"):
        right(Put(), tmp_path / "n.mlpackage", [-1, 2], [1, -4])
