"""The pytest plugin, in processes of their own: a project's Core ML tests as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/coreml-anywhere"

TESTS = """
import platform, pytest
import coremltools as ct

@pytest.mark.skipif(platform.system() != "Darwin", reason="needs a Mac")
def test_by_the_systems_name():
    raise AssertionError

@pytest.mark.skipif(not ct.utils._is_macos(), reason="predict needs macOS")
def test_by_coremltools_word():
    from coremltools.libcoremlpython import _MLModelProxy
    assert _MLModelProxy.__module__ == "lading.coreml.standin.native"
"""


def ran(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "lading.coreml.plugin", "-c", "pytest.ini"]
    command += ["-p", "no:cacheprovider", "-W", "ignore", "-rs", *arguments, str(folder)]
    path = f"{ROOT / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "COLUMNS": "300"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def counts(printed: str) -> dict[str, int]:
    last = printed.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last)}


def test_a_projects_tests_run_unchanged() -> None:
    printed = ran(EXAMPLES)
    assert counts(printed) == {"passed": 10}, printed
    assert "coreml stand-in: predictions by lading.coreml, not Core ML itself" in printed


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def test_what_stays_skipped_is_counted(project: Path) -> None:
    printed = ran(project, "--coreml-stand-in")
    assert counts(printed) == {"passed": 1, "skipped": 1}, printed
    assert "coreml stand-in: 1 skipped for want of macOS, e.g. 'Skipped: needs a Mac'" in printed


def test_without_the_switch_nothing_is_changed(project: Path) -> None:
    printed = ran(project)
    assert counts(printed) == {"skipped": 2}, printed
    assert "stand-in" not in printed
