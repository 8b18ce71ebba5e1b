"""One corner of the matrix: its environment, and what runs in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from lading.base.environment import version
from lading.job.tried import Tried

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "matrix"
COREMLTOOLS = version("coremltools")
#: Seconds that any one command may take.
LIMIT = 3600

#: Ten of the table's networks: by export, taken apart and by trace, in nine file forms.
NETWORKS = (
    "MONAI UNet", "MONAI BasicUNet", "einops patches", "torch CellByCell", "torch Translator",
    "torch Attention", "torch Spectrogram", "torch GraphNet", "x-transformers rotary",
    "x-transformers alibi",
)  # fmt: skip
#: What these networks are made with, of ``tests/breadth/requirements.txt``.
LIBRARIES = ("monai", "x-transformers", "einops", "einx", "frozendict", "loguru",
             "torch-einops-utils")  # fmt: skip
CAPTURE = ("tests/conversion/test_capture.py", "tests/conversion/repairs",
           "tests/conversion/spelling")  # fmt: skip


def interpreter(python: str) -> str | None:
    """Where the interpreter of a version is, or None: on the path, or where pyenv keeps them."""
    places = [shutil.which(f"python{python}") or ""]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places += map(str, sorted(kept.glob(f"{python}.*/bin/python{python}")))
    for place in filter(None, places):
        if subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode == 0:
            return place
    return None


def run(interpreter: str, python: str, torch: str, coremltools: str) -> Tried:
    """Everything that is tried of a corner; its environment is gone afterwards."""
    place = WORK / f"{python}-{torch}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        failed = _made(interpreter, torch, place)
        if failed:
            return Tried(python, torch, coremltools, misses=(f"not installed: {failed}",))
        demo, networks, tests = parts = _demo(place), _networks(place), _tests(place)
        return Tried(
            python, torch, coremltools,
            demo=_count(demo), networks=_count(networks), tests=_count(tests),
            misses=tuple(miss for part in parts for miss in part.values() if miss),
        )  # fmt: skip
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _count(part: dict[str, str]) -> tuple[int, int]:
    return sum(not miss for miss in part.values()), len(part)


def _made(interpreter: str, torch: str, place: Path) -> str:
    """Makes the environment; what went wrong, or empty."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    others = [line for line in lines if not line.startswith("torch==")]
    constraints = place / "constraints.txt"
    constraints.write_text("\n".join([*others, f"torch=={torch}"]) + "\n")
    asked = (ROOT / "tests/breadth/requirements.txt").read_text().splitlines()
    libraries = [line for line in asked if line.partition("==")[0] in LIBRARIES]
    pip = [str(place / "env/bin/python"), "-m", "pip", "install", "--quiet", "--no-compile",
           "--disable-pip-version-check"]  # fmt: skip
    tested = ["pytest", "hypothesis", "-e", str(ROOT)]
    for command in (
        [interpreter, "-m", "venv", str(place / "env")],
        [*pip, "-c", str(constraints), "torch", *tested],
        [*pip, "-c", str(constraints), "--no-deps", "dynamic-network-architectures", *libraries],
    ):
        code, said = _said(command, place)
        if code:
            return _telling(said)
    return ""


def _telling(said: str) -> str:
    """The line of what a command printed that tells what was wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if re.match(r"(ERROR|\w*Error|lading):", line)]
    return (wrong or lines or ["it said nothing"])[-1][:200]


def _said(command: list[str], place: Path, cwd: Path = ROOT) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, f"stopped after {LIMIT} seconds"
    with (WORK / f"{place.name}.log").open("a") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    return done.returncode, done.stdout


def _demo(place: Path) -> dict[str, str]:
    """The demonstration: what it missed, or empty."""
    code, said = _said([str(place / "env/bin/lading"), "demo", "-o", str(place / "demo")], place)
    return {"demo": f"demo: {_telling(said)}" if code else ""}


def _networks(place: Path) -> dict[str, str]:
    """Each of the ten: what it missed, or empty where both formats are right."""
    python = str(place / "env/bin/python")
    work = place / "networks"
    _, said = _said([python, "-m", "tests.breadth", "--work", str(work), *NETWORKS], place)
    printed = _said([python, "-c", _KINDS, str(work)], place)[1].splitlines()
    found: dict[str, str] = json.loads(printed[-1]) if printed else {}
    return {
        name: "" if (why := found.get(name, _telling(said))) == "" else f"{name}: {why}"
        for name in NETWORKS
    }


#: Run in the corner's own Python, which can import the table.
_KINDS = """
import json, pathlib, sys
from tests.breadth.document import fault, why
rows = [json.loads(one.read_text()) for one in pathlib.Path(sys.argv[1]).glob("*/row.json")]
print(json.dumps({row["name"]: fault(row) and why(row) or fault(row) for row in rows}))
"""


def _tests(place: Path) -> dict[str, str]:
    """Each test of capture: its name where it failed, or empty."""
    report = place / "tests.xml"
    command = [str(place / "env/bin/python"), "-m", "pytest", "-p", "no:cacheprovider",
               f"--junitxml={report}", *CAPTURE]  # fmt: skip
    _, said = _said(command, place)
    if not report.is_file():
        return {"pytest": f"tests of capture: {_telling(said)}"}
    return dict(outcomes(report))


def outcomes(report: Path) -> Iterator[tuple[str, str]]:
    """Of each test that was run, from pytest's JUnit file: its name, and what it failed with."""
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        wrong = [part for kind in ("failure", "error") for part in case.iter(kind)]
        if case.find("skipped") is None:
            said = " ".join((wrong[0].get("message") or "").split()) if wrong else ""
            yield name, f"{name}: {said[:160]}" if wrong else ""
