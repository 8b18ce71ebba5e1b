"""The fuzzing itself: what is bad is counted bad, and a run goes on where it stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lading.errors import LadingError
from tests.fuzz import __main__ as command
from tests.fuzz import court, run
from tests.fuzz.kind import Case, Kind, all_kinds
from tests.fuzz.run import fuzz, make

ENDS = {
    b"read": "",
    b"refuse": "",
    b"wrong": "ValueError: no at",
    b"slow": "more than 0.3 s",
    b"stuck": "the process died: signal SIGPROF",
    b"crash": "the process died: signal SIGSEGV",
    b"exit": "SystemExit: 3",
    b"grow": "MemoryError",
    b"act": "ActedError: os.system",
    b"write": "ActedError: open",
    b"remove": "ActedError: os.remove",
    b"unsayable": "UnsayableError cannot be shown: RecursionError",
    b"long": "an error text of",
}


class LongError(LadingError):
    """An error whose text is longer than anybody reads."""

    def __str__(self) -> str:
        return "x" * 30_000


class UnsayableError(LadingError):
    """An error whose text never ends."""

    def __str__(self) -> str:
        return str(self)


def read(path: Path) -> Any:
    what = path.read_bytes()
    if what == b"refuse":
        raise LadingError("x", found="x", expected="x", remedy="x")
    if what == b"long":
        raise LongError("x", found="x", expected="x", remedy="x")
    if what == b"unsayable":
        raise UnsayableError("x", found="x", expected="x", remedy="x")
    if what == b"wrong":
        raise ValueError("no")
    if what == b"slow":
        while True:
            pass
    if what == b"stuck":
        return sum(range(1 << 40))  # one loop in C
    if what == b"crash":
        signal.raise_signal(signal.SIGSEGV)
    if what == b"exit":
        raise SystemExit(3)
    if what == b"grow":
        return bytearray(2 << 30)
    if what == b"act":
        return os.system("true")
    if what == b"write":
        return path.with_name("left").write_text("x")
    if what == b"remove":
        path.unlink()
    return what


def next_seed(random: Random, case: Case, seeds: Any) -> Case:
    return random.choice(list(ENDS))


KIND = Kind("toy", "toy.bin", lambda: list(ENDS), (next_seed,), read)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(court, "SECONDS", 0.3)
    monkeypatch.setattr(court, "LAST_SECONDS", 1)
    monkeypatch.setattr(run, "BATCH", 10)


def test_every_bad_end_is_counted_and_kept(tmp_path: Path) -> None:
    count = fuzz(KIND, 5, 45, 10, tmp_path)
    assert count.total == count.next == 45
    seen = set()
    for index in range(45):
        case = make(KIND, KIND.seeds(), 5, index)
        assert isinstance(case, bytes)
        seen.add(case)
        assert (index in count.bad) == bool(ENDS[case]), case
        assert count.bad.get(index, "").startswith(ENDS[case]), case
        if index in count.bad:
            kept = tmp_path / "bad" / f"toy-5-{index}"
            assert (kept / "toy.bin").read_bytes() == case
            assert (kept / "why.txt").read_text().strip() == count.bad[index]
    assert seen == set(ENDS)
    assert set(count.refused) == {"LadingError"}


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = fuzz(KIND, 6, 24, 10, tmp_path / "a")
    for until in (7, 15, 24):
        parts = fuzz(KIND, 6, until, 10, tmp_path / "b")
    assert (parts.read, parts.refused, parts.bad) == (whole.read, whole.refused, whole.bad)
    assert make(KIND, KIND.seeds(), 6, 3) == make(KIND, KIND.seeds(), 6, 3)


@pytest.mark.parametrize("name", all_kinds())
def test_every_kind_is_read_whole_and_changed(name: str, tmp_path: Path) -> None:
    """Seeds are the same every time; some of the first cases differ from all of them."""
    kind = all_kinds()[name]
    seeds = list(kind.seeds())
    assert seeds == list(kind.seeds())
    cases = [make(kind, seeds, 1, index) for index in range(12)]
    assert any(case not in seeds for case in cases)
    assert fuzz(kind, 1, 12, 10, tmp_path).bad == {}


def test_the_command_and_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "all_kinds", lambda: {"toy": KIND})
    monkeypatch.setattr(os, "nice", lambda _: 0)
    document = tmp_path / "security.md"
    document.write_text(f"before\n{command.BEGIN}old\n{command.END}\nafter\n")
    argv = ["--count", "13", "--state", str(tmp_path / "state"), "--document", str(document)]
    assert command.main([*argv, "--seed", "1"]) == 1  # some of them are bad
    assert command.main([*argv, "--seed", "2"]) == 1
    assert "| toy | 13 |" in capsys.readouterr().out
    text = document.read_text()
    assert "| toy | 26 |" in text
    assert "seeds 1, 2: 26 files" in text
    assert "old" not in text
    assert text.endswith("\nafter\n")
    assert command.main(["unheard-of"]) == 2
