"""The examples for a project's CI: their own commands, run in the order in which they stand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
import yaml

from lading import cli
from lading.base.version import __version__

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples/ci"
EXAMPLES = sorted(FOLDER.glob("*.y*ml"))


def texts(value: Any) -> list[str]:
    """Every text in a document."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def commands(path: Path) -> list[list[str]]:
    """The words of lading's commands in a document, without what the shell makes of their end."""
    lines = [line for text in texts(yaml.safe_load(path.read_text())) for line in text.splitlines()]
    return [shlex.split(line.partition("||")[0]) for line in lines if line.startswith("lading ")]


def test_the_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"examples/ci/([\w.-]+)", (ROOT / "docs/ci.md").read_text()))
    assert named == {path.name for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_command_parses(path: Path) -> None:
    assert commands(path)
    for words in commands(path):
        cli.parser().parse_args(words[1:])
    assert set(re.findall(r"lading-([\d.]+)-py3", path.read_text())) <= {__version__}


@pytest.fixture(scope="module")
def project(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a checkpoint, the artifact and the bill."""
    folder = tmp_path_factory.mktemp("project")
    models = folder / "models"
    words = ["convert", str(small_checkpoint), "-o", str(models), "--to", "coreml", "--quiet"]
    assert cli.main([*words, "--name", "Model"]) == 0
    shutil.copy(small_checkpoint, models / "checkpoint_best.pth")
    return folder


def ran(words: list[str]) -> int:
    assert words[0] == "lading"
    return cli.main(words[1:])


def test_they_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    verify, diff = commands(FOLDER / "github.yml")
    (same,) = commands(FOLDER / "gitlab.yml")
    (whose,) = commands(FOLDER / "pre-commit-config.yaml")
    assert verify == same
    assert (ran(verify), ran(whose)) == (0, 0)
    (suite,) = ElementTree.parse(project / "verified.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(str(suite.get("tests"))) >= 3
    assert suite.findall(".//skipped"), "Core ML itself is not here, and that is no pass"

    before = json.loads((project / "models/lading.json").read_text())
    before["ledger"][0]["sha256"] = "00" * 32
    (project / "before.json").write_text(json.dumps(before))
    assert ran(diff) == 1
    assert "Weights: 1 changed" in (project / "changes.md").read_text()

    # The checkpoint was trained on, and the artifact left behind.
    contents = torch.load("models/checkpoint_best.pth", weights_only=False)
    weights = contents["network_weights"]
    weights["decoder.seg_layers.1.weight"] = weights["decoder.seg_layers.1.weight"] * 1.5
    torch.save(contents, "models/checkpoint_best.pth")
    assert (ran(verify), ran(whose)) == (1, 1)
    (suite,) = ElementTree.parse(project / "verified.xml").getroot()
    assert int(str(suite.get("failures"))) >= 1


def test_the_hook_of_this_repository() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"].split() == ["lading", "whose"]
    shown = (FOLDER / "pre-commit-config.yaml").read_text()
    assert shown.count(f"- id: {hook['id']}") == 2
