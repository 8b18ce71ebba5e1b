"""What a CI server reads: each thing that was judged is a case, and no text breaks the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import cli
from lading.errors import InputError
from lading.job import junit
from tests import bills


def written(path: Path) -> ElementTree.Element:
    (suite,) = ElementTree.fromstring(path.read_bytes())
    assert suite.get("tests") == str(len(suite))
    return suite


def outcomes(suite: ElementTree.Element) -> dict[str, str]:
    found = {}
    for case in suite:
        marks = [one.tag for one in case if one.tag != "system-out"]
        found[str(case.get("name"))] = marks[0] if marks else "pass"
    return found


def of(cases: list[junit.Case], folder: Path) -> ElementTree.Element:
    with junit.reported(folder / "a.xml", "verify", "a.onnx") as suite:
        suite.cases += cases
    return written(folder / "a.xml")


def test_a_bill_that_passes(tmp_path: Path) -> None:
    suite = of(junit.of_bill(bills.full()), tmp_path)
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    found = outcomes(suite)
    assert found["verdict"] == "pass"
    assert "skipped" in found.values(), "what was not run is no pass"
    text = ElementTree.tostring(suite, encoding="unicode")
    assert "psnr" in text
    assert "gate" in text


def test_a_bill_that_fails_says_where(tmp_path: Path) -> None:
    bill = bills.failed()
    suite = of(junit.of_bill(bill), tmp_path)
    assert outcomes(suite)["verdict"] == "failure"
    assert int(str(suite.get("failures"))) >= 2
    messages = [one.get("message", "") for one in suite.iter("failure")]
    assert all(messages)


def test_nothing_compared_is_a_failure(tmp_path: Path) -> None:
    bill = replace(bills.full(), comparisons=(), provenance=(), verdict="not run")
    assert outcomes(of(junit.of_bill(bill), tmp_path)) == {"verdict": "failure"}


def test_an_error_is_a_case_and_goes_on(tmp_path: Path) -> None:
    error = InputError("input 'x'", found="nothing", expected="an array", remedy="give one")
    with (
        pytest.raises(InputError),
        junit.reported(tmp_path / "a.xml", "verify", "a.onnx"),
    ):
        raise error
    suite = written(tmp_path / "a.xml")
    assert (suite.get("errors"), outcomes(suite)) == ("1", {"input 'x'": "error"})
    assert "give one" in ElementTree.tostring(suite, encoding="unicode")


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_breaks_the_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("junit")
    suite = of([junit.Case(text, "failure", text, text)], folder)
    assert len(suite) == 1


def test_from_the_command_line_an_input_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "deep" / "report.xml"
    absent = str(tmp_path / "no.onnx")
    words = ["verify", absent, "--against", absent, "--junit", str(report), "-o", "-"]
    assert cli.main(words) == 2
    assert "no such file" in capsys.readouterr().err
    assert list(outcomes(written(report)).values()) == ["error"]
    assert cli.main(["whose", absent, absent, "--junit", str(report)]) == 2
    assert written(report).get("name") == "lading whose no.onnx"
