"""``lading report`` and the pages that other commands open."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest

from lading import cli
from lading import page as report
from lading.cli import demos as demo
from lading.record import to_json
from tests import bills


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(addresses.append(address)))
    return addresses


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    path = tmp_path / "lading.json"
    path.write_text(json.dumps(to_json(bills.failed())), encoding="utf-8")
    return path


def test_a_failed_bill_is_drawn_all_the_same(
    bill: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(bill)]) == 0
    page = bill.parent / "report.html"
    assert page.read_text(encoding="utf-8") == report.render(bills.failed())
    assert capsys.readouterr().out.startswith(f"{page}  ")
    assert opened == []


def test_json_open_and_another_place(
    bill: Path, opened: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "else where" / "page.html"
    assert cli.main(["report", str(bill.parent), "-o", str(page), "--open", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"page": str(page), "bytes": page.stat().st_size, "verdict": "fail"}
    assert opened == [page.as_uri()]


@pytest.mark.parametrize("command", ["report", "diff"])
def test_an_older_bill_is_refused_in_a_line(
    command: str, bill: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.json"
    told = json.loads(bill.read_text(encoding="utf-8")) | {"schema": 1}
    older.write_text(json.dumps(told), encoding="utf-8")
    assert cli.main([command, *[str(bill)] * (command == "diff"), str(older)]) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "found" in one]
    assert line.split() == ["found", "schema", "1,", "of", "an", "older", "lading"]
    assert not (tmp_path / "report.html").exists()


def test_the_demo_ends_by_naming_its_page(
    opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    class Quick:
        def run(self, out: Path, progress: object) -> demo.Made:
            return demo.Made(bills.full(), out, {out / "a.png": "a picture"})

    monkeypatch.setattr(demo, "demo", lambda name: Quick())
    assert cli.main(["demo", "-o", str(tmp_path / "out"), "--open"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  {tmp_path / 'out' / 'report.html'}   the page: all of it, drawn"
    assert opened == [(tmp_path / "out" / "report.html").as_uri()]
