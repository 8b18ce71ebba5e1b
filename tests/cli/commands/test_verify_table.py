"""``lading verify --data FILE.csv``: bill, pictures, interruption, and clear errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lading import api, cli
from lading.cli import terminal
from lading.cli.terminal import progress
from lading.network.families.keyboard_layout import alphabet, network

PLAN = network.BasicPlan(
    vocabulary=189, width=12, filters=(10, 8), kernels=(3, 3), padding=1, classes=9
)
COUNT = 600


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, its ONNX file with an open batch, and a table whose labels are mostly right."""
    folder = tmp_path_factory.mktemp("table")
    torch.manual_seed(0)
    module = network.BasicCNN(PLAN).eval()
    with torch.no_grad():
        module.fc.weight.mul_(20)
    torch.save(module.state_dict(), folder / "basic.pth")
    bill = api.convert(
        folder / "basic.pth", folder / "out", to=("onnx",), name="Small", dynamic=("batch",)
    )
    assert bill.verdict == "pass"
    chance = np.random.default_rng(0)
    letters = list(alphabet.CHARACTERS.replace('"', ""))
    texts = ["".join(chance.choice(letters, chance.integers(3, 21))) for _ in range(COUNT)]
    with torch.inference_mode():
        said = module(torch.tensor([alphabet.encode(text) for text in texts])).argmax(1).tolist()
    labels = [alphabet.LABELS[one if i % 10 else 0] for i, one in enumerate(said)]
    lines = [f'"{text}",{label}' for text, label in zip(texts, labels, strict=True)]
    (folder / "set.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return folder


def verify(made: Path, out: Path, table: Path | None = None, *more: str) -> int:
    return cli.main(
        [
            "verify", str(made / "out" / "Small.onnx"), "--against", str(made / "basic.pth"),
            "--data", str(table or made / "set.csv"), "-o", str(out), *more,
        ]
    )  # fmt: skip


def test_the_bill_the_pictures_and_the_terminal(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(made, tmp_path / "r") == 0
    shown = capsys.readouterr()
    bill = json.loads((tmp_path / "r" / "lading.json").read_text())
    (record,) = bill["datasets"]
    assert record["samples"] == COUNT
    assert record["right_original"] == record["right_artifact"] >= 0.9 * COUNT
    (over,) = [one for one in bill["comparisons"] if one["data"] == "set.csv"]
    assert (over["verdict"], over["probes"]) == ("pass", COUNT)
    assert any(one["data"] == "" for one in bill["comparisons"])  # the probes were compared too
    for name in ("confusion-onnxruntime", "probability-errors"):
        assert (tmp_path / "r" / f"{name}.svg").read_text().startswith("<svg ")
    assert "Confusion matrix of Small.onnx" in (tmp_path / "r" / "report.html").read_text()
    right = record["right_artifact"]
    assert f"artifact right {right:,} ({100 * right / COUNT:.2f} %)" in shown.out
    assert f"{COUNT} samples" in shown.err
    assert not list(tmp_path.rglob("*unfinished*"))


def test_a_stop_keeps_what_was_counted_and_the_same_command_goes_on(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert verify(made, tmp_path / "whole", None, "--quiet") == 0
    seen: list[int] = []

    def stopped(bar: terminal.Bar, done: int, whole: int, samples: int) -> None:
        seen.append(samples)
        if len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(terminal.Bar, "__call__", stopped)
    with pytest.raises(SystemExit) as ended:
        verify(made, tmp_path / "parts")
    assert ended.value.code == 130
    state = tmp_path / "parts" / "Small.onnx.set.unfinished.json"
    assert state.exists()
    assert "the same command goes on from here" in capsys.readouterr().err
    assert verify(made, tmp_path / "parts") == 0
    assert seen == [256, 512, 600]
    assert not state.exists()
    one, two = (
        json.loads((tmp_path / name / "lading.json").read_text()) for name in ("whole", "parts")
    )
    assert one["datasets"] == two["datasets"]
    assert one["comparisons"] == two["comparisons"]
    assert one["pictures"] == two["pictures"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("text,label\nabc,klingon\n", "line 2 found label 'klingon' expected one of ru, en, he,"),
        ("text,label\nabc\n", "line 2 found 1 column(s): 'abc'"),
        (b"text,label\n\xe0\xe1,ru\n", "line 2 found byte 0xe0, which is not UTF-8"),
        ("words,class\nabc,ru\n", "line 1 found words, class expected the names of the columns"),
        ("text,label\n", "found no row below the first line"),
    ],
)
def test_a_bad_table_is_one_clear_message(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | bytes,
    told: str,
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert verify(made, tmp_path / "r", path, "--quiet") == 2
    text = " ".join(capsys.readouterr().err.split())
    assert text.count("lading:") == 1
    assert told in text
    assert not (tmp_path / "r" / "lading.json").exists()


def test_a_table_for_a_network_that_is_no_classifier(
    small_checkpoint: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["verify", str(made / "out" / "Small.onnx"), "--against", str(small_checkpoint)]
    more = ["--data", str(made / "set.csv"), "-o", str(tmp_path / "r"), "--quiet"]
    assert cli.main([*arguments, *more]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert "found a segmentation network expected a classifier" in text


def test_the_bar_tells_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    said = io.StringIO()
    bar = terminal.Bar(Console(file=said, width=80))
    bar(100, 1000, 10)
    clock[0] += 60
    bar(400, 1000, 40)
    clock[0] += 1
    bar(450, 1000, 45)  # too soon for another line
    bar(1000, 1000, 100)
    lines = [line.strip() for line in said.getvalue().splitlines()]
    assert [line.split("%")[1].strip() for line in lines] == [
        "10 samples", "40 samples, 2:00 left", "100 samples",
    ]  # fmt: skip
