"""The example notebooks, one for each kind of user: from an empty folder, with what they gave."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import lading
from lading import api
from lading.cli.commands import commands
from lading.record.brief import WHOLE
from tests import bills
from tests.notebooks import EXAMPLES, run

BOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def said(book: Any) -> list[str]:
    """What each cell gave, as text; not how long it took, nor which lading it was."""
    found = []
    for cell in book.cells:
        for one in cell.get("outputs", []):
            text = one.get("text") or one.get("data", {}).get("text/plain", "")
            if one.output_type in ("execute_result", "stream"):
                found.append(re.sub(r"lading='[^']*'", "lading", text))
    return found


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_what_it_gave(path: Path, tmp_path: Path) -> None:
    """After a change that is meant: ``python -m tests.notebooks``."""
    kept = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    made = run(path, tmp_path)
    assert said(made) == said(kept)
    shown = [one.data for cell in made.cells for one in cell.get("outputs", []) if "data" in one]
    assert any("<iframe" in data.get("text/html", "") for data in shown)
    progress = [data for data in shown if "s  read " in data.get("text/plain", "")]
    assert progress
    assert all(data["text/html"].startswith("<pre>") for data in progress)
    assert str(EXAMPLES.parent) not in path.read_text()


def test_there_is_one_for_each_kind_of_user() -> None:
    assert [path.stem for path in BOOKS] == ["app_developer", "engineer", "researcher"]


def test_dir_lists_the_verbs_of_the_command_line() -> None:
    names = {name.replace("-", "_") for name in commands()}
    assert names <= set(dir(lading))
    for name in names:
        assert callable(getattr(lading, name))


def test_a_bill_is_short_in_a_prompt_and_its_page_s_head_in_a_notebook() -> None:
    bill = bills.full()
    assert len(repr(bill)) < WHOLE + 20
    assert "verdict='pass'" in repr(bill)
    assert api.Bill.html is not None
    shown = bill._repr_html_()
    assert shown is not None
    assert shown.startswith("<iframe srcdoc=")
    assert "57.3 dB" in shown
    assert "Against the gate" in shown
    assert "Ledger" not in shown
    assert len(shown) < 60_000


def test_what_is_empty_or_strange_is_short_too() -> None:
    hostile = bills.hostile()
    assert len(repr(hostile)) < WHOLE + 20
    assert "\x1b" not in repr(hostile)
