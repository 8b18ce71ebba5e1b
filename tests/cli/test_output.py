"""What cannot be printed is one error and status 2; what a file says is printed as it is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lading
from lading import cli
from lading.cli import commands, output, terminal
from lading.cli.commands import Command, Display
from lading.job.request import Doctor
from lading.record.text import OBEYED

#: What a name in a stranger's file may hold.
NASTY = "\x1b]0;owned\x07[bold red]a[/nothing]\n  PASS  \u202egnp.exe\ud800\x9b2J"


def told(text: str) -> str:
    """A text of `words`, its marks spelt out."""
    assert not OBEYED.search(text)
    return text


# ------------------------------------------------------------------------------------ the streams
@pytest.mark.parametrize("stdout", ["full", "closed"])
@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "nowhere", "--json"]])
def test_what_cannot_be_printed_is_an_error(stdout: str, arguments: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    to = "> /dev/full" if stdout == "full" else ">&-"
    run = subprocess.run(
        ["sh", "-c", f'exec "$@" {to}', "sh", sys.executable, "-m", "lading", *arguments],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == (0 if arguments == ["--help"] and stdout == "closed" else 2)
    assert "Traceback" not in run.stderr
    assert "Exception ignored" not in run.stderr
    if arguments == ["--help"] and stdout == "full":
        assert "No space left on device" in run.stderr


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_long_answer_finds_no_room_in_its_middle(more: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    code = "import sys; from lading.cli import main; sys.exit(main(sys.argv[1:]))"
    checkpoint = Path(lading.__file__).parent / "data" / "camus_segmentation.pth"
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [sys.executable, "-c", code, "inspect", str(checkpoint), *more],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert run.returncode == 2
    assert "No space left on device" in run.stderr
    assert "did not foresee" not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_stream_without_a_character_spells_it() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    name = "now→\x1b\u202e.pth"
    for more in ([], ["--json"]):
        run = subprocess.run(
            [sys.executable, "-m", "lading", "inspect", name, *more],
            capture_output=True, env=environment, check=False,
        )  # fmt: skip
        assert run.returncode == 2
        if more:
            assert json.loads(run.stdout.decode("ascii"))["subject"] == name
        else:
            assert rb"lading: now\u2192\u27e8U+001B\u27e9\u27e8U+202E" in run.stderr


def test_a_process_ends_with_its_answer(small_checkpoint: Path, tmp_path: Path) -> None:
    """Libraries that are unloaded last have said something of their own before."""
    convert = ["convert", str(small_checkpoint), "-o", str(tmp_path / "out")]
    for quiet in ([], ["--quiet", "--force"]):
        run = subprocess.run(
            [sys.executable, "-m", "lading", *convert, *quiet],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0
        assert run.stdout.startswith("PASS") != bool(quiet)
        lines = run.stderr.splitlines()
        assert bool(lines) != bool(quiet)
        assert all(line.startswith("  ") for line in lines), run.stderr


# -------------------------------------------------------------------------------------- any error
class OddError(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(), RecursionError("deep"), OSError(5, "Input/output", "place"), IndexError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), OddError("a\nb"), UserWarning(NASTY),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("debug", [False, True])
def test_an_error_of_any_kind_is_told_with_status_2(
    error: Exception, debug: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def run(request: Doctor, display: Display) -> int:
        raise error

    broken = Command("x", (), Doctor, run)
    monkeypatch.setattr(commands, "commands", lambda: {"doctor": broken})
    assert cli.main(["doctor", *["--debug"] * debug]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("Traceback" in shown.err) == debug
    block = shown.err[shown.err.index("lading: ") :]
    assert [line.split()[0] for line in block.splitlines() if line[2] != " "] == [
        "lading:", "found", "expected", "remedy",
    ]  # fmt: skip
    assert "--debug" in block
    told(block.replace("\n", ""))
    assert cli.main(["doctor", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["found"].startswith(type(error).__name__)


# ---------------------------------------------------------------------------------- the one cleaner
def test_every_string_that_is_printed_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is handed on: bare, as words, in a table or in a tree."""
    from rich.table import Table
    from rich.tree import Tree

    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    shown = commands.console()
    assert isinstance(shown, terminal.Plain)
    table, tree = Table(NASTY), Tree(NASTY)
    table.add_row(NASTY)
    tree.add(NASTY)
    for one in (NASTY, terminal.words(NASTY), table, tree):
        shown.print(one, soft_wrap=True)
    text = stream.getvalue()
    assert not OBEYED.search(text.replace("\n", ""))
    assert text.count("⟨U+001B⟩") == 6
    assert text.count("[bold red]a[/nothing]") == 6
    assert not any(line.startswith("  PASS") for line in text.splitlines())


def test_json_is_printed_so_that_no_terminal_obeys_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    commands.print_json({NASTY: [NASTY]})
    told(stream.getvalue().replace("\n", ""))
    assert json.loads(stream.getvalue()) == {NASTY: [NASTY]}


def test_no_other_module_cleans_or_prints_on_its_own() -> None:
    """Strings reach a terminal through `commands.console` and `commands.print_json` alone."""
    room = Path(output.__file__).parent
    for path in room.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "markup=" not in text, path
        assert "from_markup" not in text, path
        assert " Console(" not in text, path
        assert " Text(" not in text or path.name == "text.py", path
