"""A network with a memory, from the command's words to its files, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import lading
from lading.errors import InputError, RequestError
from lading.formats import open_artifact
from lading.record import Bill
from tests.memories import DECODER, LENGTH, RUNNING, Decoder, Running, Sliced, made

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bill, Path]:
    folder = tmp_path_factory.mktemp("memory") / "out"
    bill = lading.convert(made(Running), folder, input=list(RUNNING), precision="fp32")
    return bill, folder


def test_the_bill_tells_of_it(converted: tuple[Bill, Path]) -> None:
    bill, folder = converted
    assert bill.verdict == "pass"
    for artifact in bill.artifacts:
        assert [(s.port.name, s.port.dtype, s.port.shape) for s in artifact.states] == [
            ("h", "float32", (1, 7)), ("count", "int32", (1,)), ("mean", "float32", (1, 7))
        ]  # fmt: skip
        assert [port.name for port in artifact.inputs] == ["x"]
        assert [port.name for port in artifact.outputs] == ["output"]
    by_format = {artifact.format: artifact for artifact in bill.artifacts}
    assert by_format["coreml"].details["deployment"] == "iOS18"
    assert "h float16 [2, 7]" in by_format["coreml"].details["states"]
    assert any("remembers h, count, mean" in notice for notice in bill.notices)
    assert any(probe.kind == "calls" for probe in bill.probes)
    written = json.loads((folder / "lading.json").read_text())
    assert written["artifacts"][0]["states"][0]["begins"] == "values"
    page = (folder / "report.html").read_text()
    assert ">keeps</td>" in page
    assert "begins with the checkpoint&#39;s values" in page


def test_its_code_runs_call_after_call(
    converted: tuple[Bill, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bill, folder = converted
    monkeypatch.chdir(folder)
    x = np.random.default_rng(0).standard_normal((1, 5)).astype(np.float32)
    with torch.no_grad():
        network = made(Running)
        first, second = (network(torch.from_numpy(x)).numpy() for _ in range(2))
    for snippet in bill.snippets:
        if snippet.language != "python":
            continue
        known: dict[str, Any] = {}
        exec(snippet.code, known)
        assert np.allclose(known["output"], first, atol=1e-5)
        again = snippet.code.splitlines()
        call = next(line for line in again if line.startswith("outputs = "))
        exec(call, known)
        assert np.allclose(known["outputs"]["output"], second, atol=1e-5)
    swift = next(one.code for one in bill.snippets if one.language == "swift")
    assert "let state = model.makeState()" in swift
    assert "model.prediction(from: features, using: state)" in swift


def test_it_is_verified_and_compared(converted: tuple[Bill, Path]) -> None:
    _, folder = converted
    other = lading.verify(folder / "Running.onnx", made(Running), input=list(RUNNING))
    assert other.verdict == "pass"
    wrong = made(Running, h=torch.zeros(1, 7))
    assert lading.verify(folder / "Running.onnx", wrong, input=list(RUNNING)).verdict == "fail"
    assert lading.compare(folder / "Running.onnx", folder / "Running.mlpackage").verdict == "pass"
    against = lading.compare(made(Running), folder / "Running.mlpackage", input=list(RUNNING))
    assert against.verdict == "pass"


@pytest.mark.parametrize("name", ["Running.mlpackage", "Running.onnx"])
def test_it_is_run_once_or_several_times(
    name: str, converted: tuple[Bill, Path], tmp_path: Path
) -> None:
    _, folder = converted
    rows = np.random.default_rng(1).standard_normal((3, 1, 5)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "row.npy", rows[0])
    with torch.no_grad():
        network = made(Running)
        wanted = [network(torch.from_numpy(row)).numpy() for row in rows]
    once = lading.run(folder / name, input=[str(tmp_path / "row.npy")])
    assert np.allclose(once.output, wanted[0], atol=1e-5)
    assert once.notes[-1] == "it remembers h, count, mean, and began with the checkpoint's values"
    several = lading.run(folder / name, input=[str(tmp_path / "rows.npy")])
    assert np.allclose(several.output, wanted[-1], atol=1e-5)
    assert "3 calls in turn" in several.notes


def test_a_package_of_it_is_refused_and_names_the_states(converted: tuple[Bill, Path]) -> None:
    with pytest.raises(InputError, match="states: h, count, mean"):
        lading.swift(converted[1], out=converted[1] / "package")
    assert not (converted[1] / "package").exists()


@pytest.mark.parametrize("asked", [{"ios": "17"}, {"macos": "14"}])
def test_a_system_without_states_is_refused(asked: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        lading.convert(made(Running), tmp_path / "out", input=list(RUNNING), **asked)  # type: ignore[arg-type]
    assert "remembers h, count, mean" in caught.value.found
    assert not (tmp_path / "out").exists()


def test_a_users_own_calls_are_compared_and_the_module_is_as_it_was(tmp_path: Path) -> None:
    np.savez(tmp_path / "said.npz", ids=np.array([[[3]], [[1]], [[4]], [[1]]]),
             pos=np.array([[0], [1], [2], [3]]))  # fmt: skip
    network = made(Decoder)
    network.k_cache += 0.25  # as somebody left it
    before = {name: value.clone() for name, value in network.state_dict().items()}
    bill = lading.convert(
        network, tmp_path / "out", input=list(DECODER), to=["onnx"],
        data=[str(tmp_path / "said.npz")],
    )  # fmt: skip
    assert bill.verdict == "pass"
    assert "said.npz" in [probe.name for probe in bill.probes]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    session = onnxruntime.InferenceSession(tmp_path / "out" / "Decoder.onnx")
    fed = {"ids": np.array([[3]], np.int32), "pos": np.array([0], np.int32)}
    with torch.no_grad():
        wanted = network(torch.tensor([[3]]), torch.tensor([0])).numpy()
    assert np.allclose(session.run(["output"], fed)[0], wanted, atol=1e-5)


def test_slices_at_a_position_are_said_too(tmp_path: Path) -> None:
    inputs = [DECODER[0], f"pos:int32[]@0..{LENGTH - 1}"]
    bill = lading.convert(made(Sliced), tmp_path / "out", input=inputs)
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    assert {artifact.precision for artifact in bill.artifacts} == {"fp16", "fp32"}


def test_a_format_without_states_is_refused_and_the_other_written(tmp_path: Path) -> None:
    bill = lading.convert(
        made(Running), tmp_path / "out", input=list(RUNNING), to=["mlmodel", "onnx"]
    )
    (refused,) = bill.refused
    assert refused.format == "mlmodel"
    assert any("remembers h, count, mean" in reason for reason in refused.reasons)
    assert [one.verdict for one in bill.comparisons] == ["pass"]


def test_what_the_guide_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = GUIDE.read_text().split("### A network with a memory")[1].split("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", part, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    exec(code, known)
    assert known["bill"].verdict == "pass"
    assert known["outputs"]["output"].shape == (1, 7)
    assert open_artifact(tmp_path / "running" / "Running.onnx").record.states
