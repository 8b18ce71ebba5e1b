"""Names and values as Swift: the one place where text becomes code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.errors import RequestError
from lading.record.text import swift_literal, visible

#: Swift's own words ("The Swift Programming Language", Lexical Structure), in small letters,
#: and what the package's own code says inside of its types.
KEYWORDS = frozenset([
    "actor", "any", "as", "associatedtype", "async", "await", "borrowing", "break", "case",
    "catch", "class", "consuming", "continue", "convenience", "default", "defer", "deinit",
    "didset", "do", "dynamic", "else", "enum", "extension", "fallthrough", "false",
    "fileprivate", "final", "for", "func", "get", "guard", "if", "import", "in", "indirect",
    "infix", "init", "inout", "internal", "is", "lazy", "left", "let", "macro", "mutating",
    "nil", "none", "nonisolated", "nonmutating", "open", "operator", "optional", "override",
    "package", "postfix", "precedence", "precedencegroup", "prefix", "private", "protocol",
    "public", "repeat", "required", "rethrows", "return", "right", "self", "set", "sending",
    "some", "static", "struct", "subscript", "super", "switch", "throw", "throws", "true",
    "try", "type", "typealias", "unowned", "values", "var", "weak", "where", "while", "willset"
])  # fmt: skip
#: Modules that an app imports, and names of Swift's that no file of the package has.
TAKEN = frozenset(["swift", "swiftui", "uikit", "appkit", "combine", "observation", "testing"])
#: Of a name: a line of the package holds it twice.
LONGEST = 40
_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")
_COMMENT = re.compile(r"//.*")
_WORD = re.compile(r"\b[A-Z]\w*")


@dataclass(frozen=True)
class Code:
    """Text that is Swift already."""

    text: str


def code(value: Any) -> str:
    """A value as Swift: a text is a literal that says just that, and never code.

    >>> code('a"\\\\(b)'), code([1, 2]), code(True), code(None), code(1234567)
    ('"a\\\\"\\\\\\\\(b)"', '[1, 2]', 'true', 'nil', '1_234_567')
    """
    if isinstance(value, Code):
        return value.text
    if isinstance(value, str):
        return swift_literal(value)
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 1_000_000 else str(value)
    if isinstance(value, float):
        return repr(value)
    return f"[{', '.join(code(one) for one in value)}]"


def comment(text: str, width: int = 92) -> list[Code]:
    """Lines of text that stay within their comment, and say what they say to DocC.

    >>> comment("a */ b\\n/// c")
    [Code(text='a */ b /// c')]
    """
    words = str(visible(" ".join(text.split()))).split()
    lines = [""]
    for word in words:
        for part in (word[i : i + width] for i in range(0, len(word), width)):
            if lines[-1] and len(lines[-1]) + 1 + len(part) > width:
                lines.append("")
            lines[-1] += f" {part}" if lines[-1] else part
    return [Code(line) for line in lines if line]


def require_name(name: str, files: Iterable[Path], remedy: str) -> None:
    """Passes only a name that a module and a class may have beside all that a package says.

    Args:
        name: of the package.
        files: its other files: no word in them may get another meaning.
        remedy: what to do about a bad name.

    Raises:
        RequestError: it is no identifier, begins with a small letter, or is taken.
    """
    found = ""
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        found = "no name of a Swift type"
    elif name.lower() in KEYWORDS | TAKEN:
        found = "a word of Swift's or a name of a module"
    elif name.endswith("Tests") or any(
        name in _WORD.findall(_COMMENT.sub("", path.read_text(encoding="utf-8"))) for path in files
    ):
        found = "a name that Swift or the package gives to something else"
    if found:
        raise RequestError(
            f"the package {visible(name)[:80]!r}",
            found=found,
            expected=f"a capital letter, then letters, digits or _, at most {LONGEST} in all",
            remedy=remedy,
        )


def variables(names: Iterable[str], fallback: str) -> list[str]:
    """A property for each name: in camel case, one of each, no word of Swift's.

    >>> variables(["input_ids", "x", "X", "class", "мир", "1st"], "input")
    ['inputIds', 'x', 'x2', 'classValue', 'input4', 'input5']
    """
    made: list[str] = []
    for place, name in enumerate(names):
        parts = [part for part in re.split(r"[^A-Za-z0-9]+", name) if part]
        plain = "".join(part[0].upper() + part[1:] for part in parts)[:40]
        plain = plain[:1].lower() + plain[1:]
        if not plain or not plain[0].isalpha() or not name.isascii():
            plain = f"{fallback}{place}"
        if plain.lower() in KEYWORDS:
            plain += "Value"
        count, free = 2, plain
        while free in made:
            free, count = f"{plain}{count}", count + 1
        made.append(free)
    return made
