"""Open axes of any input, by letters: both formats, and every size that is claimed is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import lading
from lading import cli
from lading.errors import RequestError
from lading.network.inputs import all_taken


class Text(nn.Module):
    """Two inputs that share two axes, and an output with one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 6)
        self.mix = nn.Conv1d(6, 5, 3, padding=1)
        self.head = nn.Linear(5, 3)

    def forward(self, ids: torch.Tensor, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.embedding(ids) * keep.unsqueeze(-1)
        y = torch.relu(self.mix(y.transpose(1, 2))).transpose(1, 2)
        return self.head(y), y.softmax(1).mean(1)


class Other(Text):
    """The same up to six positions."""

    def forward(self, ids: torch.Tensor, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = super().forward(ids, keep)
        return first * (1.0 if ids.shape[1] < 7 else 1.01), second


INPUTS = ["ids:int32[B=1..3,T=2..9]@0..11", "keep:bool[B,T]"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("open")
    torch.save(Text().state_dict(), folder / "net.pth")
    words = ["convert", str(folder / "net.pth"), "-o", str(folder / "out")]
    for text in INPUTS:
        words += ["--input", text]
    assert cli.main([*words, "--model", f"{__file__}:Text"]) == 0
    return folder


def test_both_formats_take_every_size(made: Path) -> None:
    bill: dict[str, Any] = json.loads((made / "out" / "lading.json").read_text())
    assert bill["verdict"] == "pass"
    assert {one["format"]: one["route"] for one in bill["artifacts"]} == {
        "coreml": "export", "onnx": "export",
    }  # fmt: skip
    for artifact in bill["artifacts"]:
        ids, keep = artifact["inputs"]
        assert ids["shape"] == keep["shape"] == [1, 9]
        assert ids["ranges"] == keep["ranges"] == [[1, 3], [2, 9]]
        assert ids["letters"] == ["B", "T"]
        first, second = artifact["outputs"]
        assert first["ranges"] == [[1, 3], [2, 9], [3, 3]]
        assert second["ranges"] == [[1, 3], [5, 5]]
    names = {one["name"] for one in bill["probes"]}
    assert {"size B=3 T=9", "size B=1 T=2", "size B=3 T=2", "size B=1 T=9"} <= names
    left = [one["why"] for c in bill["comparisons"] for one in c["unproved"]]
    assert any(text.startswith("compared at B=3 T=9, B=1 T=2, ") for text in left)


def test_a_file_that_is_wrong_at_some_sizes_fails(made: Path) -> None:
    artifact = made / "out" / "net.onnx"
    how: dict[str, Any] = {"input": INPUTS}
    assert lading.verify(artifact, made / "net.pth", model=f"{__file__}:Text", **how).verdict == (
        "pass"
    )
    wrong = lading.verify(artifact, made / "net.pth", model=f"{__file__}:Other", **how)
    assert wrong.verdict == "fail"


def test_a_size_at_which_the_original_does_not_run_is_not_declared(made: Path) -> None:
    with pytest.raises(RequestError) as refused:
        lading.convert(
            nn.Sequential(nn.Conv1d(2, 2, 5)), made / "short",
            example_inputs=["input:float32[1,2,T=3..9]"],
        )  # fmt: skip
    assert refused.value.found.startswith("at T=3: RuntimeError: ")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["x:float32[1,T]"], "the axis T without its sizes"),
        (["x:float32[1,T=9..3]"], "the axis T of 9 to 3"),
        (["x:float32[1,T=0..3]"], "the axis T of 0 to 3"),
    ],
)
def test_an_axis_says_its_sizes_once(texts: list[str], found: str) -> None:
    with pytest.raises(RequestError) as refused:
        all_taken(texts, ())
    assert refused.value.found == found


def test_what_is_read_is_spelled_again() -> None:
    for one in all_taken(INPUTS, ()):
        (again,) = all_taken([str(one)], ())
        assert again == one
    (closed,) = all_taken(["x:float32[N=4..4,3]"], ())
    assert (closed.shape, dict(closed.axes)) == ((4, 3), {})
