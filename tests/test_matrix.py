"""The matrix of versions: what is read of a corner, and the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.job import tried
from lading.job.tried import Tried
from tests.breadth.cases import cases
from tests.matrix import corner, document
from tests.matrix.__main__ import edges, main

REPORT = """<testsuites><testsuite>
<testcase classname="tests.conversion.test_capture" name="test_a"/>
<testcase classname="tests.conversion.test_capture" name="test_b"><skipped/></testcase>
<testcase classname="tests.conversion.test_capture" name="test_c"><failure message="not
 so"/></testcase></testsuite></testsuites>"""


def test_what_pytest_reports_is_counted(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(REPORT)
    found = dict(corner.outcomes(tmp_path / "tests.xml"))
    wrong = "test_capture::test_c: not so"
    assert found == {"test_capture::test_a": "", "test_capture::test_c": wrong}
    assert corner._count(found) == (1, 2)


def test_the_ten_networks_are_in_the_table_and_named_once() -> None:
    names = [case.name for case in cases()]
    for part in corner.NETWORKS:
        assert [name for name in names if part in name] == [part]


def test_the_edges_are_the_oldest_the_pinned_and_the_newest() -> None:
    pinned = next(
        line.removeprefix("torch==")
        for line in (corner.ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    assert edges(["2.0.0", "2.1.0", pinned, "2.98.0", "2.99.0"]) == ["2.0.0", pinned, "2.99.0"]


def test_the_page_says_what_was_not_tried_and_why() -> None:
    rows = [Tried("3.11", "2.13.0", "9.0", (1, 1), (10, 10), (5, 5)),
            Tried("3.11", "2.14.0", "9.0", (0, 1), (10, 10), (5, 5), ("demo: a|b",))]  # fmt: skip
    wanted = dict.fromkeys(("3.11", "3.10"), ("2.13.0", "2.15.0"))
    page = document.text(rows, wanted, {"3.9": "not tried: no python3.9 here"})
    assert "2 corners were tried, **1 of them without a miss**." in page
    assert page.splitlines()[-6:] == [
        "| 3.9 | | | | | | not tried: no python3.9 here |",
        "| 3.10 | 2.13.0 | | | | | not tried yet |",
        "| 3.10 | 2.15.0 | | | | | not tried yet |",
        "| 3.11 | 2.13.0 | 9.0 | 1 of 1 | 10 of 10 | 5 of 5 |  |",
        "| 3.11 | 2.14.0 | 9.0 | 0 of 1 | 10 of 10 | 5 of 5 | demo: a/b |",
        "| 3.11 | 2.15.0 | | | | | not tried yet |",
    ]


def test_a_corner_is_tried_once_and_kept_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Tried] = []
    monkeypatch.setattr(tried, "read", lambda: kept)
    monkeypatch.setattr(tried, "write", lambda rows: kept.__init__(rows))  # type: ignore[misc]
    monkeypatch.setattr(corner, "interpreter", lambda python: None if python == "3.9" else python)
    monkeypatch.setattr(corner, "run", lambda at, *versions: Tried(*versions, misses=(at,)))
    asked = ["--pythons", "3.9", "3.11", "--torch", "2.13.0", "--document", f"{tmp_path / 'v.md'}"]
    assert main(asked) == 1
    assert [row.misses for row in kept] == [("3.11",)]
    monkeypatch.delattr(corner, "run")
    assert main(asked) == 1
    assert "| 3.9 | | | | | | not tried: no python3.9 here |" in (tmp_path / "v.md").read_text()
