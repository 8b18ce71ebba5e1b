"""Memory that is kept for the next result, and given back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lading import cli
from lading.base import memory

MADE = """
import resource
from lading.base import memory

def pages(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        b"x" * (64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages(1)
{around}
print(pages(8))
"""
KEPT = "within = memory.kept(); within.__enter__()"
LEFT = f"{KEPT}; pages(1); within.__exit__(None, None, None)"
#: Pages of what is made each time; large ones, where the system has none but those.
LARGE = 64 // 2

needs_glibc = pytest.mark.skipif(memory._libc() is None, reason="no glibc")


def asked(around: str, **environment: str) -> int:
    """How many pages the system gave while 64 MB were made and freed eight times."""
    text = MADE.format(around=around)
    own = {**os.environ, **environment}
    run = subprocess.run([sys.executable, "-c", text], env=own, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@needs_glibc
def test_what_is_freed_is_kept_for_what_is_asked_for_next() -> None:
    plain, kept = asked(""), asked(KEPT)
    assert plain >= 8 * LARGE
    assert kept < plain / 4


@needs_glibc
def test_afterwards_it_is_as_before() -> None:
    assert asked(LEFT) >= asked("") / 2


@needs_glibc
@pytest.mark.parametrize("name", memory._SET)
def test_what_the_user_has_set_stays(name: str) -> None:
    value = "glibc.malloc.mmap_max=65536" if name == "GLIBC_TUNABLES" else "65536"
    assert asked(KEPT, **{name: value}) >= asked("", **{name: value}) / 2


@needs_glibc
def test_what_else_the_user_has_set_does_not_matter() -> None:
    assert asked(KEPT, GLIBC_TUNABLES="glibc.rtld.nns=4") < asked("") / 4


def test_where_there_is_no_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_libc", lambda: None)
    with memory.kept():
        memory.give_back()


def test_a_command_keeps_it_and_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[object] = []
    monkeypatch.setattr(memory, "_libc", lambda: type("Libc", (), {"malloc_trim": int}))
    monkeypatch.setattr(memory, "_set", lambda libc, wanted: told.append(wanted))
    assert cli.main(["inspect", str(tmp_path / "nothing.pth")]) == 2
    assert told == [memory._KEPT, memory._OWN]
