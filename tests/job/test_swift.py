"""`lading swift` and the two device commands: what they refuse, and what they write into a bill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lading import cli, page
from lading.errors import InputError, LadingError, RequestError, VerificationError
from lading.job.convert import convert
from lading.job.device import MARK, check, report
from lading.job.request import Convert, DeviceCheck, DeviceReport, Swift
from lading.job.swift import swift
from tests.app.packages import device_log


@pytest.fixture(scope="module")
def made(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    bill = convert(Convert(small_checkpoint, out, name="Small", to=["coreml", "onnx"]))
    assert bill.verdict == "pass"
    return out


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def edited(folder: Path, change: Callable[[Any], None], name: str = "lading.json") -> None:
    path = folder / name
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def index(folder: Path) -> Any:
    return json.loads((folder / "golden" / "index.json").read_text())


def test_a_package_holds_the_model_and_the_vectors(made: Path, tmp_path: Path) -> None:
    done = swift(Swift(made, tmp_path / "Package"))
    assert (done.name, done.artifact) == ("Small", "Small.mlpackage")
    assert done.vectors == len(index(made)["vectors"]) >= 4
    inside = {path.relative_to(done.out).as_posix() for path in done.out.rglob("*")}
    assert "Sources/Small/Small.mlpackage/Manifest.json" in inside
    assert "Tests/SmallTests/golden/index.json" in inside
    assert not [path for path in tmp_path.iterdir() if path.name != "Package"]


def test_it_needs_no_torch(made: Path, tmp_path: Path) -> None:
    for words in (["swift", str(made), "-o", str(tmp_path / "P")],
                  ["device-check", str(tmp_path / "P")]):  # fmt: skip
        code = "import sys; sys.modules['torch'] = None; from lading import cli; "
        done = subprocess.run(
            [sys.executable, "-c", f"{code}sys.exit(cli.main({words}))"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "P" / "Package.swift").is_file()


def test_what_no_index_names_is_not_copied(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (copied / "golden" / "link").symlink_to(tmp_path / "secret")
    done = swift(Swift(copied, tmp_path / "P"))
    names = {path.name for path in (done.out / "Tests/SmallTests/golden").iterdir()}
    assert names == {path.name for path in (copied / "golden").iterdir()} - {"link"}


def _fails(data: Any) -> None:
    for one in data["comparisons"]:
        if one["artifact"] == "Small.mlpackage" and one["verdict"] == "pass":
            one["verdict"] = "fail"


def _not_run(data: Any) -> None:
    for one in data["comparisons"]:
        one["verdict"] = "not run"


def _only_onnx(data: Any) -> None:
    data["snippets"] = [one for one in data["snippets"] if one["language"] != "swift"]


def _no_vectors(data: Any) -> None:
    data["vectors"], data["left_out"] = [], "there was no room"


def _another(data: Any) -> None:
    data["checkpoint"] = "ab" * 32


@pytest.mark.parametrize(
    ("change", "name", "kind", "found"),
    [
        (_fails, "lading.json", VerificationError, "verdict fail"),
        (_not_run, "lading.json", VerificationError, "verdict not run"),
        (_only_onnx, "lading.json", RequestError, "Small.mlpackage, Small.onnx"),
        (_no_vectors, "golden/index.json", InputError, "no vector: there was no room"),
        (_another, "golden/index.json", InputError, "vectors of another checkpoint"),
    ],
)
def test_no_package_of_what_is_not_equal_or_not_whole(
    copied: Path, tmp_path: Path, change: Any, name: str, kind: type[LadingError], found: str
) -> None:
    edited(copied, change, name)
    with pytest.raises(kind) as caught:
        swift(Swift(copied, tmp_path / "P"))
    assert caught.value.found.startswith(found)
    assert not (tmp_path / "P").exists()


def test_a_model_that_is_another_is_refused(copied: Path, tmp_path: Path) -> None:
    weights = next(copied.rglob("weight.bin"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"Small.mlpackage"):
        swift(Swift(copied, tmp_path / "P"))
    shutil.rmtree(copied / "Small.mlpackage")
    with pytest.raises(InputError) as caught:
        swift(Swift(copied, tmp_path / "P"))
    assert caught.value.found == "no such file"


def test_without_golden_vectors(copied: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "golden")
    with pytest.raises(InputError, match="golden"):
        swift(Swift(copied, tmp_path / "P"))


def test_the_command_line_refuses_in_one_error(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "P").mkdir()
    (tmp_path / "P" / "mine.txt").write_text("mine")
    for words in (
        [str(made), "-o", str(tmp_path / "P")],
        [str(made), "-o", str(tmp_path / "Q"), "--name", "class"],
        [str(made), "-o", str(tmp_path / "Q"), "--artifact", "Small.onnx"],
        [str(tmp_path), "-o", str(tmp_path / "Q")],
    ):
        assert cli.main(["swift", *words, "--quiet"]) == 2
        error = capsys.readouterr().err
        assert error.count("remedy") == 1
        assert "--force" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["P"]
    assert [path.name for path in (tmp_path / "P").iterdir()] == ["mine.txt"]


def test_the_commands_for_a_mac(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "it's here"
    swift(Swift(made, place))
    found = check(DeviceCheck(place))
    assert found.name == "Small"
    assert """'"'"'s here'""" in found.commands[1]
    assert all(one in found.text for one in found.commands)
    with pytest.raises(InputError, match=str(made)):
        check(DeviceCheck(made))


# ------------------------------------------------------------------------------------ the report
def test_a_report_becomes_rows_of_the_bill(copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "device.log"
    path.write_text(device_log(copied, "cpuOnly", 0.0002) + device_log(copied, "all", 0.002))
    made = report(DeviceReport(path, copied, device="iPhone 15"))
    rows = [one for one in made.comparisons if one.device]
    assert [one.device for one in rows] == [
        "iPhone 15, Version 18.1, cpuOnly", "iPhone 15, Version 18.1, all",
    ]  # fmt: skip
    assert [round(one.measurements[0].value, 1) for one in rows] == [80.0, 60.0]
    assert {(one.runtime, one.verdict, one.probes) for one in rows} == {
        ("coreml", "pass", len(index(copied)["vectors"]))
    }
    assert made.verdict == "pass"
    again = report(DeviceReport(path, copied, device="iPhone 15"))
    assert again == made
    drawn = (copied / "report.html").read_text()
    assert "iPhone 15, Version 18.1, cpuOnly" in drawn


def test_what_misses_its_gate_fails_the_bill(copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "device.log"
    path.write_text(
        device_log(copied, "all", 0.0002) + device_log(copied, "all", 0.0002, share=0.9)
    )
    words = ["device-report", str(path), str(copied), "--quiet"]
    assert cli.main(words) == 1
    path.write_text(device_log(copied, "all", float("nan")))
    assert cli.main(words) == 1
    path.write_text(device_log(copied, "all", 0.0002))
    assert cli.main(words) == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no line with"),
        (f"{MARK}{{}}", "line 1"),
        (f"{MARK}not json", "line 1"),
        (f"{MARK}[]", "line 1"),
    ],
)
def test_what_is_no_report(copied: Path, tmp_path: Path, text: str, found: str) -> None:
    before = (copied / "lading.json").read_bytes()
    path = tmp_path / "device.log"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        report(DeviceReport(path, copied))
    assert caught.value.found.startswith(found)
    assert (copied / "lading.json").read_bytes() == before


def test_a_run_that_broke_off_or_is_anothers(copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "device.log"
    path.write_text(device_log(copied, "all", 0.0002, vectors=3))
    with pytest.raises(InputError, match=r"device.log"):
        report(DeviceReport(path, copied))
    path.write_text(
        device_log(copied, "all", 0.0002).replace(page.read(copied).artifacts[0].sha256, "ab" * 32)
    )
    with pytest.raises(InputError) as caught:
        report(DeviceReport(path, copied))
    assert caught.value.remedy == "give the bill that the package was written from"
