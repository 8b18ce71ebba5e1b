"""docs/verification.md: every command on it is run as it stands, and its numbers are the code's."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from lading import cli
from lading.coreml import system
from lading.proof import measured, noise, original, verdict
from lading.proof.weights import provenance

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```\w*\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("lading ")
]


@pytest.fixture(scope="module")
def folder(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page names."""
    out = tmp_path_factory.mktemp("page") / "out"
    words = ["convert", str(small_checkpoint), "-o", str(out), "--name", "Model", "--quiet"]
    words += ["--to", "coreml", "--to", "onnx", "--to", "mlmodel"]
    assert cli.main(words) == 0
    shutil.copy(small_checkpoint, out / "checkpoint_best.pth")
    contents = torch.load(small_checkpoint, weights_only=False)
    for number in range(2):
        (out / f"fold_{number}").mkdir()
        torch.save(contents, out / f"fold_{number}" / "checkpoint_final.pth")
        contents["network_weights"]["decoder.seg_layers.1.weight"].mul_(1.5)
    return out


def test_there_are_commands() -> None:
    kinds = {line.split()[1] for line in COMMANDS}
    assert {"verify", "whose", "compare", "convert"} <= kinds
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("line", COMMANDS)
def test_it_runs(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = [*shlex.split(line)[1:], "--quiet"]
    if words[0] in ("convert", "verify"):
        words += ["-o", f"result-{words[0]}"]
    assert cli.main(words) == 0


def test_the_numbers_are_the_codes() -> None:
    assert "60 to 90 dB" in TEXT
    assert (noise.LOWEST, noise.HIGHEST, noise.MARGIN) == (60.0, 90.0, 12.0)
    assert "less 12 dB" in TEXT
    gates = verdict.GATES
    assert (gates["fp16"].psnr, gates["fp16"].agreement) == (40.0, 0.995)
    assert (gates["fp32"].psnr, gates["fp32"].agreement) == (60.0, 0.999)
    assert "≥ 99.5 %" in TEXT
    assert (original.TIED, original.LEAST, measured.JUDGED, measured.LOST) == (4.0, 0.95, 50, 0.5)
    assert "50 positions or more must reach 0.5" in TEXT
    assert provenance.MADE in TEXT
    assert system.System.graph == ()  # "the runtime shows none (Core ML itself)"
