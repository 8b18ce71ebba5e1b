"""``lading verify``: where bill and page go, and what is never overwritten."""

from __future__ import annotations

import shlex
from base64 import b64decode
from pathlib import Path

import pytest

from lading import cli
from lading import page as report
from lading.page.repeat import repeat


@pytest.fixture(scope="module")
def artifact(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verify") / "out"
    words = ["convert", str(small_checkpoint), "-o", str(out), "--to", "onnx", "--quiet"]
    assert cli.main(words) == 0
    return out / "Dataset001_CAMUS.onnx"


def verify(artifact: Path, checkpoint: Path, *more: str) -> int:
    return cli.main(["verify", str(artifact), "--against", str(checkpoint), *more])


def test_bill_and_page_go_to_a_folder_of_their_own(
    artifact: Path, small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert verify(artifact, small_checkpoint) == 0
    folder = tmp_path / "Dataset001_CAMUS-verify"
    assert {p.name for p in folder.iterdir()} == {
        "lading.json", "lading.record.schema.json", "report.html"
    }  # fmt: skip
    assert "  Dataset001_CAMUS-verify/report.html\n" in capsys.readouterr().out
    bill = report.read(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == report.render(bill)
    assert {one.name.split("/")[1] for one in bill.pictures} == {
        "input", "original", "onnx-onnxruntime", "difference"
    }  # fmt: skip
    # Its own earlier result gives way; and the bill says all that was asked.
    Path("mine.png").write_bytes(b64decode(bill.pictures[0].png))
    more = ["--data", "mine.png", "--set", "norm_eps=1e-05"]
    assert verify(artifact, small_checkpoint, *more, "--quiet") == 0
    command = repeat(report.read(folder)).command
    words = ["lading", "verify", str(artifact), "--against", str(small_checkpoint), *more]
    assert command == shlex.join(words)


def test_a_dash_writes_nothing(
    artifact: Path, small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert verify(artifact, small_checkpoint, "-o", "-", "--quiet") == 0
    assert list(tmp_path.iterdir()) == []


def test_the_bill_of_a_conversion_is_never_lost(
    artifact: Path, small_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (artifact.parent / "lading.json").read_bytes()
    assert verify(artifact, small_checkpoint, "-o", str(artifact.parent)) == 2
    assert "the lading.json of a conversion" in capsys.readouterr().err
    assert (artifact.parent / "lading.json").read_bytes() == before


def test_against_or_golden_and_not_both(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--against", "x", "--golden", "y"]):
        assert cli.main(["verify", str(artifact), *more]) == 2
        assert "--golden" in capsys.readouterr().err
