"""Is this computer able to; which versions are known to go wrong. In words."""

from __future__ import annotations

import importlib
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lading.base.environment import numbers, version
from lading.base.notices import Notices, gathered
from lading.formats import runtimes
from lading.interface.original import TITLE
from lading.job import tried
from lading.job.request import Doctor

State = Literal["ok", "absent", "trouble"]


@dataclass(frozen=True)
class Check:
    """One thing looked at: what, how it stands, and what that means."""

    name: str
    state: State
    text: str


@dataclass(frozen=True)
class Trouble:
    """A version that is known to go wrong.

    Attributes:
        package: name on the package index.
        since: the first version that shows it, as numbers; the last is not known if `until` is ().
        until: the first version that no longer shows it.
        text: symptom, source, and what to do.
    """

    package: str
    since: tuple[int, ...]
    until: tuple[int, ...]
    text: str


#: What is known to go wrong between these packages, each seen or reported upstream.
KNOWN = (
    Trouble(
        "numpy", (2, 4), (),
        "coremltools 9.0 fails with 'only 0-dimensional arrays can be converted to Python "
        "scalars' in its int operation: install numpy<2.4",
    ),
    Trouble(
        "coremltools", (0,), (9, 0),
        "older than what lading was tested with: install coremltools>=9.0",
    ),
    Trouble(
        "torch", (0,), (2, 6),
        "its exporter is older than what lading was tested with: install torch>=2.6",
    ),
    Trouble(
        "onnxruntime", (0,), (1, 18),
        "may not know opset 20: install onnxruntime>=1.18",
    ),
)  # fmt: skip


def troubles(package: str, installed: str) -> list[str]:
    """What is known to go wrong with an installed version.

    >>> troubles("numpy", "2.3.5")
    []
    """
    have = numbers(installed)
    return [
        one.text
        for one in KNOWN
        if one.package == package and have >= one.since and (not one.until or have < one.until)
    ]


def doctor(request: Doctor) -> list[Check]:
    """Every check, with what libraries warn of on the way kept away."""
    with gathered(Notices()):
        return examine()


def examine() -> list[Check]:
    """Every check, in the order a reader wants them."""
    return [_python(), *_packages(), _together(), _blobs(), *_runtimes(), _room()]


def _python() -> Check:
    have = platform.python_version()
    fine = (3, 10) <= numbers(have)[:2] < (3, 14)
    text = "supported" if fine else "lading needs Python 3.10 to 3.13"
    return Check(f"Python {have}", "ok" if fine else "trouble", text)


def _packages() -> list[Check]:
    checks = []
    for package in ("torch", "coremltools", "numpy", "onnx", "onnxscript", "onnxruntime"):
        have = version(package)
        if have == "not installed":
            checks.append(
                Check(
                    package, "trouble", "not installed: lading brings it, so install lading again"
                )
            )
            continue
        known = troubles(package, have)
        checks.append(
            Check(f"{package} {have}", "trouble" if known else "ok", "; ".join(known) or "fine")
        )
    return checks


def _together() -> Check:
    """What `make matrix` found of these versions, or of the nearest ones."""
    fine, text = tried.verdict(platform.python_version(), version("torch"), version("coremltools"))
    return Check("these versions together", "ok" if fine else "absent", text)


def _blobs() -> Check:
    """Without its native blob library coremltools writes no weights, and says so late."""
    try:
        importlib.import_module("coremltools.libmilstoragepython")
    except ImportError as error:
        return Check(
            "Core ML weight files", "trouble",
            f"coremltools' native library is missing ({error}): use a platform with its wheel",
        )  # fmt: skip
    return Check("Core ML weight files", "ok", "can be written and read")


def _runtimes() -> list[Check]:
    checks = []
    for runtime in runtimes().values():
        reason = runtime.unavailable()
        text = f"not run here: {reason}" if reason else "runs here"
        checks.append(Check(runtime.title, "absent" if reason else "ok", text))
    return [*checks, Check(TITLE, "ok", "runs here")]


def _room() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    enough = free > 2e9
    return Check(
        "room on this disk", "ok" if enough else "trouble",
        f"{free / 1e9:.1f} GB free" + ("" if enough else "; a full-size conversion writes 0.3 GB"),
    )  # fmt: skip
