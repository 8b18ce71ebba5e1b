"""What was tried together is said of the versions at hand, and of others what came nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.job import doctor, tried
from lading.job.tried import Tried

OLD = Tried("3.10", "2.10.0", "9.0", (1, 1), (10, 10), (50, 50))
MISSED = Tried("3.11", "2.15.0", "9.0", (1, 1), (9, 10), (50, 50), ("torch Put: refused",))


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tried.json"
    tried.write([MISSED, OLD], file)
    assert tried.read(file) == [OLD, MISSED]
    monkeypatch.setattr(tried, "read", lambda: [OLD, MISSED])


@pytest.mark.parametrize(
    ("versions", "fine", "text"),
    [
        (("3.10.13", "2.10.0+cpu", "9.0"), True, "tried: 1 of 1 demo, 10 of 10 networks, 50 of 50"),
        (("3.11.7", "2.15.0", "9.0"), False, "9 of 10 networks, 50 of 50 tests; torch Put: refus"),
        (("3.11.7", "2.15.1", "9.0"), False, "not tried; the nearest that was: torch 2.15.0, Pyt"),
        (("3.10.2", "2.9.0", "9.0"), False, "not tried; the nearest that was: torch 2.10.0, Pyth"),
        (("3.10.2", "2.10.0", "9.1"), False, "not tried; the nearest that was: torch 2.10.0, Py"),
    ],
)
def test_the_versions_at_hand(versions: tuple[str, str, str], fine: bool, text: str) -> None:
    found, said = tried.verdict(*versions)
    assert found is fine
    assert text in said


def test_nothing_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tried, "read", list)
    assert tried.verdict("3.11", "2.13.0", "9.0") == (False, "not tried")


def test_the_doctor_says_it() -> None:
    (check,) = [one for one in doctor.examine() if one.name == "these versions together"]
    assert check.state == "absent"
    assert check.text.startswith(("not tried; the nearest that was: ", "tried: "))
