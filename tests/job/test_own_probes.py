"""Probes of the user's through the command line, and probes that the original refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading import cli


class Mean(nn.Module):
    """Of the positions that are no padding: there must be one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        kept = ids > 0
        if not kept.any():
            raise ValueError("nothing but padding")
        total = (self.embedding(ids) * kept.unsqueeze(-1)).sum(1)
        return total / kept.sum(1, keepdim=True)


class Never(Mean):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        raise ValueError("not in this mood")


def texts() -> Iterator[dict[str, torch.Tensor]]:
    yield {"ids": torch.tensor([[1, 2, 3, 0]])}
    yield {"ids": torch.tensor([[5, 0, 0, 0]])}


def wrong() -> Iterator[dict[str, torch.Tensor]]:
    yield {"ids": torch.zeros(1, 4, dtype=torch.int64)}


def endless() -> Iterator[dict[str, torch.Tensor]]:
    while True:
        yield {"ids": torch.ones(1, 4, dtype=torch.int64)}


def converted(folder: Path, *more: str, model: str = "Mean") -> int:
    torch.manual_seed(0)
    torch.save(Mean().state_dict(), folder / "net.pth")
    words = ["convert", str(folder / "net.pth"), "-o", str(folder / "out"), "--to", "onnx"]
    words += ["--model", f"{__file__}:{model}", "--input", "ids:int32[1,4]@0..5", *more]
    return cli.main(words)


def test_probes_of_the_users_are_compared_and_a_refused_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "probes"
    folder.mkdir()
    np.savez(folder / "one.npz", ids=np.array([[4, 4, 0, 0]]))
    status = converted(tmp_path, "--data", f"{__file__}:texts", "--data", str(folder))
    bill = json.loads((tmp_path / "out" / "lading.json").read_text())
    assert (status, bill["verdict"]) == (0, "pass")
    own = [(one["name"], one["source"]) for one in bill["probes"] if one["kind"] == "data"]
    assert own == [
        ("texts-0", "test_own_probes.py:texts"), ("texts-1", "test_own_probes.py:texts"),
        ("one.npz", "one.npz"),
    ]  # fmt: skip
    assert "zeros-5" not in [one["name"] for one in bill["probes"]]
    (notice,) = [text for text in bill["notices"] if "set aside" in text]
    assert notice.startswith("probe zeros-5 set aside, the original refuses it: ValueError: ")
    assert notice.endswith('raise ValueError("nothing but padding"))')


@pytest.mark.parametrize(
    ("data", "model", "said"),
    [
        ("wrong", "Mean", "the original refuses it: ValueError: nothing but padding (job/"),
        ("endless", "Mean", "more than 64 values"),
        ("nowhere", "Mean", "nothing callable of that name"),
        ("", "Never", "ValueError: not in this mood (job/test_own_probes.py:"),
    ],
)
def test_what_cannot_be_compared_is_said_in_the_users_own_line(
    data: str, model: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--data", f"{__file__}:{data}"] if data else []
    assert converted(tmp_path, *more, model=model) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert said in printed
    assert "Traceback" not in printed
