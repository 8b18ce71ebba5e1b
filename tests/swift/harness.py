"""Swift as the tests call it; where there is none, they say so and are skipped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lading.app.package import SUPPORT

HERE = Path(__file__).parent
STUBS = HERE / "stubs"
#: In the order in which they import one another; the first three are no part of Swift here.
MODULES = ("CoreVideo", "CoreGraphics", "CoreML")
STRICT = ("-swift-version", "6", "-warnings-as-errors", "-parse-as-library")

needs_swift = pytest.mark.skipif(not shutil.which("swift"), reason="not run: no Swift")


def ran(*words: object, given: str | None = None, **more: object) -> str:
    """What a command prints; its errors are the test's."""
    done = subprocess.run(
        [str(word) for word in words], input=given, capture_output=True, text=True, check=False,
        **more,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def lint(*places: Path) -> None:
    """Passes only Swift that `swift format lint --strict` finds nothing in."""
    ran("swift", "format", "lint", "--strict", "-r", *places)


def stubs(folder: Path) -> Path:
    """The modules of Apple's that packages import, as declarations alone."""
    for module in MODULES:
        ran(
            "swiftc", "-emit-module", "-module-name", module, *STRICT, "-I", folder,
            "-emit-module-path", folder / f"{module}.swiftmodule", STUBS / f"{module}.swift",
        )  # fmt: skip
    return folder


def checked(package: Path, folder: Path, *, version: str = "6") -> None:
    """Passes only a package whose code for Core ML, its tests' too, fits the stubs in `folder`."""
    (sources,) = (package / "Sources").iterdir()
    tests = sorted((package / "Tests").rglob("*.swift"))
    strict = ("-swift-version", version, *STRICT[2:])
    module = folder / f"{sources.name}.swiftmodule"
    bundle = STUBS / "Bundle.swift"
    ran(
        "swiftc", "-emit-module", "-enable-testing", "-module-name", sources.name, *strict,
        "-I", folder, "-emit-module-path", module, *sorted(sources.glob("*.swift")), bundle,
    )  # fmt: skip
    ran("swiftc", "-typecheck", *strict, "-I", folder, *tests, bundle)


def built(sources: Sequence[Path], out: Path) -> Path:
    """A program of these files."""
    ran("swiftc", *STRICT, "-o", out, *sources)
    return out


def support() -> list[Path]:
    """All that packages may hold, but for their tests."""
    return [path for path in sorted(SUPPORT.rglob("*.swift")) if path.parent.name != "tests"]
