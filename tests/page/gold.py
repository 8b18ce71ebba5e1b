"""Writes gold files of pages again: ``python -m tests.page.gold``. Look at what changed."""

from __future__ import annotations

from pathlib import Path

from lading import page as report
from lading.cli import terminal
from lading.page import diff
from tests import bills
from tests.cli.test_terminal import GOLD as TERMINAL
from tests.cli.test_terminal import PRINTED, drawn, settlings
from tests.page.test_diff import retrained
from tests.page.test_page import BILLS, GOLD, text_of

if __name__ == "__main__":
    found = diff.compare(bills.full(), retrained(), ("before", "after"))
    texts = {f"report-{name}": text_of(report.render(make())) for name, make in BILLS.items()}
    texts["diff"] = drawn(terminal.difference, found, Path("diff.html"))
    texts["diff-page"] = text_of(diff.render(found))
    for name, text in texts.items():
        (GOLD / f"{name}.txt").write_text(text, encoding="utf-8")
    settled = drawn(settlings, bills.settlings())
    (TERMINAL / "settlings.txt").write_text(settled, encoding="utf-8")
    for name, one in PRINTED.items():
        text = drawn(terminal.bill, one, Path("out"), Path("out"))
        (TERMINAL / f"{name}.txt").write_text(text, encoding="utf-8")
