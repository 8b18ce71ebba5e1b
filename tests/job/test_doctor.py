"""What is known to go wrong is said; what is absent is never called fine."""

from __future__ import annotations

import platform
from collections import namedtuple

import pytest

from lading.job import doctor
from lading.job.doctor import Check, Trouble, examine, numbers, troubles


@pytest.mark.parametrize(
    ("text", "parts"),
    [("2.13.0+cpu", (2, 13, 0)), ("9.1.dev1", (9, 1)), ("1.18", (1, 18)), ("not installed", ())],
)
def test_numbers(text: str, parts: tuple[int, ...]) -> None:
    assert numbers(text) == parts


@pytest.mark.parametrize(
    ("package", "version", "known"),
    [
        ("numpy", "2.3.5", False),
        ("numpy", "2.4.0", True),
        ("numpy", "3.0", True),
        ("numpy", "1.26.4", False),
        ("coremltools", "8.3.0", True),
        ("coremltools", "9.0", False),
        ("torch", "2.5.1+cu121", True),
        ("torch", "2.6.0", False),
        ("onnxruntime", "1.17.3", True),
        ("onnxruntime", "1.18.0", False),
        ("unheard-of", "0.0.1", False),
    ],
)
def test_known_troubles(package: str, version: str, known: bool) -> None:
    assert bool(troubles(package, version)) is known


def test_a_trouble_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "KNOWN", (Trouble("p", (1, 2), (1, 4), "broken"),))
    assert [bool(troubles("p", v)) for v in ("1.1", "1.2", "1.3.9", "1.4")] == [
        False, True, True, False,
    ]  # fmt: skip


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_computer() -> None:
    checks = by_name(examine())
    assert next(iter(checks)) == f"Python {platform.python_version()}"
    assert checks["Core ML weight files"].state == "ok"
    assert checks["ONNX Runtime (CPU)"].state == "ok"
    assert checks["lading.coreml.mil (declared precision)"].state == "ok"


@pytest.mark.skipif(platform.system() == "Darwin", reason="Core ML is there on a Mac")
def test_core_ml_off_a_mac_is_absent_and_no_trouble() -> None:
    check = by_name(examine())["Core ML (this Mac)"]
    assert check.state == "absent"
    assert check.text == (
        f"not run here: Core ML exists on macOS only; this is {platform.system()}"
    )


def test_missing_and_old_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.5.0", "onnx": "not installed"}
    monkeypatch.setattr(doctor, "version", lambda package: versions.get(package, "2.0"))
    checks = by_name(examine())
    assert checks["torch 2.5.0"] == Check(
        "torch 2.5.0",
        "trouble",
        "its exporter is older than what lading was tested with: install torch>=2.6",
    )
    text = "not installed: lading brings it, so install lading again"
    assert checks["onnx"] == Check("onnx", "trouble", text)


def test_an_unfit_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.9.18")
    assert examine()[0] == Check("Python 3.9.18", "trouble", "lading needs Python 3.10 to 3.13")


def test_a_missing_native_library_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(doctor.importlib, "import_module", absent)
    check = doctor._blobs()
    assert check.state == "trouble"
    assert "libmilstoragepython" in check.text


def test_a_full_disk_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(10, 9, 10**8))
    check = examine()[-1]
    assert check == Check(
        "room on this disk", "trouble", "0.1 GB free; a full-size conversion writes 0.3 GB"
    )
