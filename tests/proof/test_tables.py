"""The rows of the table that ids point into, read off files of both formats."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lading.formats import open_artifact
from lading.proof.tables import rows
from lading.record import Port, Task
from tests.mutants.court import FORMS, Form, Subject, carry


class Tables(nn.Module):
    """Two tables of different lengths behind the same ids, and numbers that point nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.marks = nn.Embedding(40, 6), nn.Embedding(33, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head((self.words(ids) + self.marks(ids)).mean(1))
        return scores


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_of_the_shortest_table_they_point_into(tmp_path: Path, form: Form) -> None:
    ids = Port("ids", "tensor", "int32", (1, 5), value_range=(0, 32))
    task = Task("module", (ids,), (Port("y", "tensor", "float32", (1, 3)),))
    path = carry(Subject("tables", Tables().eval(), task), form, tmp_path / "file")
    assert rows(open_artifact(path)) == {"ids": 33}


def test_numbers_that_point_nowhere_have_no_table(tmp_path: Path) -> None:
    x = Port("x", "tensor", "int32", (1, 6), value_range=(0, 9))
    task = Task("module", (x,), (Port("y", "tensor", "float32", (1, 3)),))
    network = nn.Sequential(Real(), nn.Linear(6, 3)).eval()
    path = carry(Subject("numbers", network, task), "onnx", tmp_path / "file")
    assert rows(open_artifact(path)) == {}


class Real(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float()
