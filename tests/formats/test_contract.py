"""Formats and runtimes by name, by file; an absent runtime says why."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from lading.errors import RequestError, RuntimeUnavailableError
from lading.formats import SYSTEM, Runtime, format_named, formats, open_artifact, runtimes
from lading.interface.side import Side
from tests.standin import Changed, Fake
from tests.toys import interface


def test_the_shelf() -> None:
    assert {name: one.suffix for name, one in formats().items()} == {
        "coreml": ".mlpackage",
        "mlmodel": ".mlmodel",
        "onnx": ".onnx",
    }
    assert format_named("onnx").name == "onnx"


def test_an_unknown_format() -> None:
    with pytest.raises(RequestError) as caught:
        format_named("tflite")
    assert str(caught.value) == (
        "--to tflite\n  found     'tflite'\n  expected  coreml or mlmodel or onnx\n"
        "  remedy    use --to coreml"
    )


def test_what_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        open_artifact(tmp_path / "a.onnx")
    assert caught.value.found == "no such file"
    (tmp_path / "a.pth").touch()
    with pytest.raises(RequestError) as caught:
        open_artifact(tmp_path / "a.pth")
    assert str(caught.value) == (
        f"{tmp_path / 'a.pth'}\n"
        "  found     suffix '.pth'\n"
        "  expected  an artifact: .mlpackage or .mlmodel or .onnx\n"
        "  remedy    convert the checkpoint first: lading convert PATH"
    )


# -------------------------------------------------------------------------------------- runtimes
def test_the_runtimes() -> None:
    names = ["coreml", "mil", "neuralnetwork", "neuralnetwork_fp16", "onnxruntime"]
    assert list(runtimes()) == names
    assert runtimes()["mil"].title == "lading.coreml.mil (declared precision)"
    readings = format_named("mlmodel").runtimes
    assert [one.name for one in readings] == ["coreml", "neuralnetwork", "neuralnetwork_fp16"]
    assert [one.precision for one in readings] == [None, None, "fp16"]
    assert [one.name for one in format_named("coreml").runtimes] == ["coreml", "mil"]
    assert [one.name for one in format_named("onnx").runtimes] == ["onnxruntime"]


def fake(*shelf: Runtime) -> Fake:
    """An artifact that these runtimes run."""
    one = interface()
    artifact = Fake(one, Changed(one))
    artifact.format.runtimes = shelf or artifact.format.runtimes
    return artifact


def never(path: Path) -> Side:
    raise AssertionError


ABSENT = Runtime("absent", "Absent (nowhere)", unavailable=lambda: "never built", opens=never)


def test_a_compute_unit_goes_to_what_opens_the_file() -> None:
    given: list[tuple[object, ...]] = []

    def opens(*told: object) -> Side:
        given.append(told)
        return Changed(interface())

    here = replace(ABSENT, unavailable=lambda: None, opens=opens, units=("one", "other"))
    artifact = fake(here)
    artifact.open(here)
    artifact.open(here, "other")
    assert given == [(artifact.path,), (artifact.path, "other")]
    assert SYSTEM.units == ("cpuOnly", "cpuAndGPU", "cpuAndNeuralEngine", "all")


def test_an_unknown_runtime() -> None:
    with pytest.raises(RequestError) as caught:
        fake().runtime("tensorrt")
    assert str(caught.value) == (
        "--runtime tensorrt\n"
        "  found     'tensorrt'\n"
        "  expected  coreml or mil or neuralnetwork or neuralnetwork_fp16 or onnxruntime\n"
        "  remedy    see `lading doctor` for what runs here"
    )


def test_a_runtime_of_other_formats() -> None:
    with pytest.raises(RequestError) as caught:
        fake().runtime("mil")
    assert str(caught.value) == (
        "--runtime mil\n  found     an artifact of format fake\n  expected  fake\n"
        "  remedy    leave --runtime out"
    )


def test_an_absent_runtime_says_why() -> None:
    with pytest.raises(RuntimeUnavailableError) as caught:
        fake(ABSENT).open(ABSENT)
    assert str(caught.value) == (
        "Absent (nowhere)\n"
        "  found     never built\n"
        "  expected  a computer that has it\n"
        "  remedy    use another runtime; see `lading doctor`"
    )
    replace(ABSENT, unavailable=lambda: None).require()


def test_the_first_that_is_here_runs_it() -> None:
    here = replace(ABSENT, name="here", unavailable=lambda: None)
    assert fake(ABSENT, here).runtime() is here
    with pytest.raises(RequestError, match="no runtime for fake on this computer"):
        fake(ABSENT).runtime()


def test_core_ml_is_loaded_on_a_mac_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(RuntimeUnavailableError) as caught:
        fake(SYSTEM).open(SYSTEM)
    assert str(caught.value) == (
        "Core ML (this Mac)\n"
        "  found     Core ML exists on macOS only; this is Linux\n"
        "  expected  a computer that has it\n"
        "  remedy    use another runtime; see `lading doctor`"
    )
    assert all(SYSTEM in format_named(name).runtimes for name in ("coreml", "mlmodel"))
