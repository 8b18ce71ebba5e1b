"""Nobody outside `lading.formats` asks for an artifact's suffix or looks up a format by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lading
from lading.formats import formats

ROOT = Path(lading.__file__).parent
#: What nobody else asks for.
ASKED = {asked for form in formats().values() for asked in (form.name, form.suffix)}
SOURCES = [p for p in ROOT.rglob("*.py") if not p.is_relative_to(ROOT / "formats")]
ENDS = {"endswith", "startswith", "removesuffix", "removeprefix", "get", "format_named", "glob"}


def _words(node: ast.AST) -> set[str]:
    """The strings of a constant, or of a tuple, list or set of them."""
    return {
        one.value.lower()
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def asks(tree: ast.AST) -> Iterator[int]:
    """Lines that compare with a suffix or a format's name, or look something up by one."""
    for node in ast.walk(tree):
        found: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
            found = [
                one
                for one in found
                if isinstance(one, (ast.Constant, ast.Tuple, ast.List, ast.Set))
            ]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            found = [node.slice] if isinstance(node.slice, ast.Constant) else []
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found = list(node.args[:1]) if name in ENDS else []
        elif isinstance(node, ast.Dict):
            # a table of formats; one of runtimes, of which one is called like a format, is none
            keys = [key for key in node.keys if key is not None]
            if keys and set().union(*map(_words, keys)) <= ASKED:
                found = list(keys)
        if any(_words(one) & ASKED for one in found):
            yield node.lineno if hasattr(node, "lineno") else 0


@pytest.mark.parametrize(
    "code",
    [
        'path.suffix == ".onnx"',
        'path.suffix.lower() in (".onnx", ".mlmodel")',
        'if not ".mlpackage" != path.suffix: pass',
        'name.endswith(".mlmodel")',
        'record.format == "coreml"',
        'form not in {"onnx"}',
        'kind = {"onnx": 1, "coreml": 2}[form]',
        'titles.get("mlmodel")',
        'formats()["onnx"]',
        'format_named("onnx")',
        'match form:\n    case "coreml": pass',
    ],
)
def test_it_is_seen(code: str) -> None:
    assert list(asks(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'to = ("coreml", "onnx")',
        "import onnx",
        'example = "lading run Model.onnx"',
        'RUNTIMES = {"coreml": "Core ML", "mil": "lading.coreml.mil"}',
        'path.suffix == ".npy"',
    ],
)
def test_what_is_no_question(code: str) -> None:
    assert not list(asks(ast.parse(code)))


def test_nobody_else_asks() -> None:
    assert len(SOURCES) > 150
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in asks(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found
