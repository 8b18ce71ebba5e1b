"""Writes the gold files of the page again: ``python -m tests.report.gold``. Look at what changed."""

from __future__ import annotations

from lading import report
from tests.report.test_page import BILLS, GOLD, text_of

if __name__ == "__main__":
    for name, make in BILLS.items():
        path = GOLD / f"report-{name}.txt"
        path.write_text(text_of(report.render(make())), encoding="utf-8")
        print(path)
