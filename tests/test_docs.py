"""What is written is run: commands parse, links resolve, the table of commands is the program's."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from pkgutil import resolve_name

import pytest

from lading import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "recipes/*/README.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)

NAMING = sorted([*PAGES, *ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py")])


def commands() -> dict[str, argparse.ArgumentParser]:
    parser = cli.parser()
    (action,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_parse(page: Path) -> None:
    parser = cli.parser()
    for block in blocks(page, ""):
        for line in block.splitlines():
            if line.startswith(("lading ", "$ lading ")):
                parser.parse_args(shlex.split(line.removeprefix("$ "))[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_code_are_names(path: Path) -> None:
    """Modules and what is in them; `json` ends a file, `families` is a group of entry points, the
    other two are keys of an artifact."""
    for name in re.findall(r"`(lading(?:\.\w+)+)(?:\(\))?`", path.read_text()):
        if name.removeprefix("lading.") not in ("json", "families", "labels", "vocabulary"):
            assert _is_there(name), name


def _is_there(name: str) -> bool:
    try:
        return resolve_name(name) is not None
    except AttributeError:  # a field, which only a class's annotations or body know
        owner, _, field = name.rpartition(".")
        return field in getattr(resolve_name(owner), "__annotations__", {})
    except ImportError:
        return False


def test_make_targets_that_are_named_exist() -> None:
    known = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)`", page.read_text()):
            assert target in known, (page, target)


def test_the_readme_lists_every_command() -> None:
    told = set(re.findall(r"^\| `lading ([a-z-]+)", (ROOT / "README.md").read_text(), re.M))
    assert told == set(commands())


def test_the_guide_tells_every_option_of_convert() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    options = {o for a in commands()["convert"]._actions for o in a.option_strings if o[:2] == "--"}
    silent = {"--help", "--json", "--quiet", "--out", "--name"}
    missing = {o for o in options - silent if f"`{o}" not in guide and f" {o}" not in guide}
    assert not missing


def test_every_folder_of_the_source_says_what_it_is_for() -> None:
    for folder in {p.parent for p in (ROOT / "src" / "lading").rglob("*.py")}:
        assert (folder / "__init__.py").read_text().startswith('"""'), folder


#: What is installed from a place that the reader names: a folder, a wheel, a repository.
PLACE = re.compile(r"\$LADING|\.|\./|\S*\.whl|\S*/|git\+|https?:|'?\.\[")
INSTALLS = re.compile(r"(?:pip|pipx|uv tool|uv pip) install((?: (?:-\S+|--\S+ \S+))*) (\S+)")


def test_nothing_tells_to_install_a_name_from_an_index() -> None:
    """The project owns no name on a public index: anybody may put anything there."""
    texts = [*NAMING, *ROOT.glob("examples/**/*"), *ROOT.glob("src/**/*.html"), *ROOT.glob("*.md")]
    for path in texts:
        if path.suffix in (".py", ".md", ".html", ".yml", ".yaml", ".ipynb", ".toml"):
            for found in INSTALLS.finditer(path.read_text(encoding="utf-8")):
                assert PLACE.match(found[2].strip("`'\"")), (path, found[0])
