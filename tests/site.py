"""What `make docs` adds to the pages of docs/: a hook of MkDocs (see `mkdocs.yml`).

Every command's help, as the program prints it; every verb, as it is declared; the decisions; the
repository's own pages, where they are. A link to a file that is not on the site stays as its words,
if the file is there.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: Pages at the repository's root.
OWN = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_config(config: Any) -> None:
    """The parts of the navigation that lie in the folders already."""
    house = next(one["The house"] for one in config.nav if "The house" in one)
    pages = sorted((DOCS / "decisions").glob("*.md"))
    house.append({"Decisions": [{title(page): f"decisions/{page.name}"} for page in pages]})
    house += [{title(ROOT / name): name.lower()} for name in OWN if (ROOT / name).exists()]
    known = str(config.nav)
    extra = [p.name for p in sorted(DOCS.glob("*.md")) if p.name not in known]
    house += [{title(DOCS / name): name} for name in extra]


def on_files(files: Any, config: Any) -> None:
    """The pages at the root, under their names in small letters."""
    from mkdocs.structure.files import File

    for name in OWN:
        if (ROOT / name).exists():
            text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
            files.append(File.generated(config, name.lower(), content=text))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The commands in their place, and links that the site cannot follow."""
    folder = (DOCS / page.file.src_uri).parent
    whole = markdown
    for mark, made in (("<!-- commands -->", _commands), ("<!-- verbs -->", _verbs)):
        whole = whole.replace(mark, made()) if mark in whole else whole
    return _LINK.sub(lambda found: _link(found, folder), whole)


def title(page: Path) -> str:
    """The first heading of a page."""
    text = page.read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("# ").replace("`", "")


def _link(found: re.Match[str], folder: Path) -> str:
    picture, words, target, _ = found.groups()
    if picture or "://" in target:
        return found[0]
    place = (folder / target).resolve()
    on_site = place.is_relative_to(DOCS) and (place.is_file() or target in map(str.lower, OWN))
    there = place.exists() or (ROOT / target).exists()
    return words if there and not on_site else found[0]


def _commands() -> str:
    from lading import cli
    from lading.cli.commands import commands

    (shown,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    parts = []
    for name, parser in shown.choices.items():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            parser.print_help()
        text = commands()[name].text
        parts += [f"## lading {name}", "", f"{text[0].upper()}{text[1:]}.", ""]
        parts += ["```text", printed.getvalue().rstrip(), "```", ""]
    return "\n".join(parts)


def _verbs() -> str:
    """Each verb with what its request declares; a static reader sees only that it is made."""
    from lading.job.options import REQUIRED, options
    from lading.job.request import requests

    parts = []
    for name, kind in requests().items():
        said = inspect.getdoc(kind) or ""
        text, _, raises = said.partition("\n\nRaises:\n")
        parts += [f"## lading.{name}", "", text, "", "| argument | default | |", "|---|---|---|"]
        for argument, one in options(kind).items():
            default = "" if one.default is REQUIRED else f"`{one.default!r}`"
            told = (one.help or one.kind.expected).replace("|", "\\|").replace("<", "&lt;")
            parts.append(f"| `{argument}` | {default} | {told} |")
        parts += ["", f"**Raises** {' '.join(raises.split())}" if raises else "", ""]
    return "\n".join(parts)
