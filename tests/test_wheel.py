"""What is installed: small, with all that a command without a checkout needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from pkgutil import resolve_name
from zipfile import ZipFile

import pytest

from lading.base.version import __version__

ROOT = Path(__file__).parent.parent
MOST = 4_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, so that nothing left of an earlier build gets in."""
    copy = tmp_path_factory.mktemp("copy") / "lading"
    skipped = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "src", copy / "src", ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools.build_meta import build_wheel; build_wheel('made')"
    (copy / "made").mkdir()
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (made,) = (copy / "made").glob("*.whl")
    return made


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= MOST


def test_what_is_no_code_is_in_it_too(wheel: Path) -> None:
    inside = set(ZipFile(wheel).namelist())
    package = ROOT / "src"
    for path in package.rglob("*"):
        if path.is_file() and path.suffix != ".pyc" and ".egg-info" not in str(path):
            assert path.relative_to(package).as_posix() in inside
    assert "lading/data/camus_segmentation.pth" in inside
    assert sum(name.startswith("lading/data/camus_segmentation/") for name in inside) == 8
    assert "lading/page/templates/report.html" in inside


def test_what_it_announces_is_there(wheel: Path) -> None:
    (name,) = [one for one in ZipFile(wheel).namelist() if one.endswith("entry_points.txt")]
    announced = ConfigParser()
    announced.read_string(ZipFile(wheel).read(name).decode())
    assert set(announced) >= {"console_scripts", "pytest11"}
    for group in announced.sections():
        for value in announced[group].values():
            assert resolve_name(value) is not None
    told = ZipFile(wheel).read(name.replace("entry_points.txt", "METADATA")).decode()
    assert f"Version: {__version__}" in told
    assert "Requires-Dist: coremltools<9.1,>=9.0" in told


def test_checkpoints_of_other_recipes_are_not(wheel: Path) -> None:
    weights = [name for name in ZipFile(wheel).namelist() if name.endswith(".pth")]
    assert weights == ["lading/data/camus_segmentation.pth"]
