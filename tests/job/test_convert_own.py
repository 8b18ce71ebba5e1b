"""Networks of the user's own, carried: a module at hand, one format's failure, programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lading
from lading import cli
from lading.errors import ConversionError, RequestError


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(
        self, pair: tuple[torch.Tensor, torch.Tensor], keep: torch.Tensor, n: torch.Tensor
    ) -> dict[str, object]:
        y = self.linear(pair[0] + pair[1]) * n
        y = torch.where(keep, y, torch.zeros_like(y))
        return {"y": y, "keep": [~keep, None], "count": keep.long().sum(), "word": "nothing"}


class OnnxOnly(nn.Module):
    """coremltools knows no inverse."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.det(self.linear(x) @ x.transpose(1, 2) + torch.eye(3))


def test_a_module_at_hand_is_carried_and_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Nested().train()
    inputs = {
        "pair": (torch.rand(1, 3), np.ones((1, 3), np.float32)),
        "keep": np.array([[True, False]]), "n": torch.tensor(3),
    }  # fmt: skip
    bill = lading.convert(module, tmp_path / "out", example_inputs=inputs)
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    assert module.training
    ports = [(port.name, port.dtype, port.shape) for port in bill.task.outputs]
    assert ports == [
        ("y", "float32", (1, 2)), ("keep_0", "int32", (1, 2)), ("count", "int32", (1,)),
    ]  # fmt: skip
    assert [port.name for port in bill.task.inputs] == ["pair_0", "pair_1", "keep", "n"]
    assert bill.task.notes["left out"] == "of what it gives: word (a str)"
    assert bill.checkpoint.container == "live module"
    artifact = tmp_path / "out" / "Nested.onnx"
    again = lading.verify(artifact, module, example_inputs=inputs)
    assert again.verdict == "pass"
    assert lading.whose(artifact, module, example_inputs=inputs).owner is not None


def test_one_formats_failure_leaves_the_other_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(OnnxOnly().state_dict(), tmp_path / "net.pth")
    words = ["convert", str(tmp_path / "net.pth"), "-o", str(tmp_path / "out")]
    words += ["--model", f"{__file__}:OnnxOnly", "--input", "x:float32[1,3,3]"]
    assert cli.main(words) == 1
    bill = json.loads((tmp_path / "out" / "lading.json").read_text())
    assert (bill["verdict"], [one["format"] for one in bill["artifacts"]]) == ("fail", ["onnx"])
    (refused,) = bill["refused"]
    assert refused["format"] == "coreml"
    assert len(refused["reasons"]) == 3
    assert "det" in refused["reasons"][0]
    assert (tmp_path / "out" / "net.onnx").is_file()
    printed = " ".join(capsys.readouterr().out.split())
    assert "Core ML could not be written: coreml by export" in printed
    with pytest.raises(ConversionError) as caught:
        lading.convert(
            tmp_path / "net.pth", tmp_path / "two", to=("coreml",), model=OnnxOnly,
            input=["x:float32[1,3,3]"],
        )  # fmt: skip
    assert "det" in caught.value.found
    assert not (tmp_path / "two").exists()


def test_a_program_is_run_at_the_users_word_alone(tmp_path: Path) -> None:
    module, x = nn.Linear(3, 2).eval(), torch.rand(1, 3)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "net.pt2")
    torch.jit.trace(module, x).save(str(tmp_path / "net.pt"))  # type: ignore[no-untyped-call]
    for name, kind in (("net.pt2", "torch.export"), ("net.pt", "TorchScript")):
        with pytest.raises(RequestError) as caught:
            lading.convert(tmp_path / name, tmp_path / "out")
        assert caught.value.found.startswith(f"a program that {kind} saved")
        assert caught.value.remedy.endswith("add --trust")
    with pytest.raises(RequestError) as caught:
        lading.convert(tmp_path / "net.pt", tmp_path / "out", trust=True)
    assert caught.value.found == "no --input"
    bill = lading.convert(tmp_path / "net.pt2", tmp_path / "out", to=("onnx",), trust=True)
    assert (bill.verdict, bill.checkpoint.container) == ("pass", "torch.export program")
    bill = lading.convert(
        tmp_path / "net.pt", tmp_path / "script", to=("onnx",), trust=True,
        input=["x:float32[1,3]"],
    )  # fmt: skip
    assert (bill.verdict, bill.checkpoint.container) == ("pass", "TorchScript program")
    assert [one.route for one in bill.artifacts] == ["export"]


def test_a_checkpoint_of_no_known_family_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"a.weight": torch.ones(2, 3)}, tmp_path / "net.pth")
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    assert cli.main(["inspect", str(tmp_path / "net.pth")]) == 0
    printed = capsys.readouterr().out
    assert "no known family" in printed
    assert "a.weight" in printed.replace("\n", "") or "weight" in printed
