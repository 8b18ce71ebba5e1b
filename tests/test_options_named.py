"""Every option that a message, a page or a document names is one that a command has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.cli.commands import commands
from lading.job.options import Request, flag, options
from lading.job.request import Reading

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "lading").rglob("*.py"))
TEXTS = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *(ROOT / "src").rglob("templates/*.html")]
)
ALWAYS = {"--help", "--json", "--quiet", "--debug", "--version"}
#: What `lading.coreml.plugin` adds to pytest's.
PLUGIN = {"--coreml-stand-in"}
NAMED = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w(])")
#: A command of lading's, up to where its line or its quotation ends.
COMMAND = re.compile(r"\blading ([a-z]+(?:-[a-z]+)*)\b([^\n`\"]*)")
#: Where another program's options stand: its own line of a block, or what lies in quotes after it.
OTHER = re.compile(r"`(?:pip|make|pytest|python3?|git|gh|swift)\b[^`]*`")
OTHERS = re.compile(
    r"^.*\b(pip|make|pytest|python3?|git|gh|swift|xcodebuild|tests\.\w+|chromium)\b.*$", re.M
)


def known() -> dict[str, set[str]]:
    return {
        name: {flag(n) for n, one in options(command.request).items() if not one.argument} | ALWAYS
        for name, command in commands().items()
    }


def constants(path: Path) -> Iterator[str]:
    """Every text in a module; a formatted one whole, with X for what is put into it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    formatted = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in formatted for part in node.values}
    for node in formatted:
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
        )
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def said(path: Path) -> list[str]:
    if path.suffix == ".py":
        return [OTHER.sub("", text) for text in constants(path)]
    return [OTHERS.sub("", path.read_text())]


@pytest.mark.parametrize("path", [*SOURCES, *TEXTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_option_that_is_named_parses(path: Path) -> None:
    commands = known()
    anywhere = PLUGIN.union(*commands.values())
    for text in said(path):
        assert set(NAMED.findall(text)) <= anywhere
        for name, rest in COMMAND.findall(text):
            if name in commands:
                assert set(NAMED.findall(rest)) <= commands[name], text


def test_whatever_reads_a_checkpoint_takes_what_tells_how() -> None:
    reading = {flag(name) for name in options(Reading)}
    assert {"--which", "--fold", "--set", "--config", "--settle-with", "--model"} <= reading
    for name in ("convert", "verify", "compare", "whose", "inspect", "classify", "sample"):
        assert reading <= known()[name], name


def test_the_test_sees_what_it_is_for() -> None:
    assert NAMED.findall("use --which best, or `--settle-with`.") == ["--which", "--settle-with"]
    sources = {path.name for path in SOURCES if any("--which" in text for text in constants(path))}
    assert {"search.py", "folder.py"} <= sources
    assert issubclass(commands()["convert"].request, Request)
