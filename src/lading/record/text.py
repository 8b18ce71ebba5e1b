"""A stranger's text: shown as it is, or a literal in code that says just that, and never obeyed."""

from __future__ import annotations

import json
import re
from typing import Any

#: How a file begins that Git LFS left in the place of a large one.
LFS_POINTER = b"version https://git-lfs"

#: What a browser or a terminal would act on rather than show: control characters, and the marks
#: that turn the direction of the text around them.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)


def obeyed(character: str) -> bool:
    """Whether a browser or a terminal would act on it rather than show it."""
    return bool(OBEYED.match(character))


def visible(value: Any) -> Any:
    """Text with its control and direction characters spelt out; what is HTML already as it is.

    >>> visible("weight\\u202egnp.exe")
    'weight⟨U+202E⟩gnp.exe'
    """
    if hasattr(value, "__html__"):
        return value
    return OBEYED.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(value))


def python_literal(text: str) -> str:
    """`text` as a Python string literal in ASCII where it is not printable.

    >>> python_literal('a"b'), python_literal("\\u202e")
    ('"a\\\\"b"', '"\\\\u202e"')
    """
    return json.dumps(text, ensure_ascii=not _plain(text))


def swift_literal(text: str) -> str:
    """`text` as a Swift string literal.

    >>> swift_literal('a"\\\\(b)')
    '"a\\\\"\\\\\\\\(b)"'
    """
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif character.isprintable() and not obeyed(character):
            out.append(character)
        else:
            code = ord(character)
            out.append(f"\\u{{{0xFFFD if 0xD800 <= code < 0xE000 else code:X}}}")
    return '"' + "".join(out) + '"'


def _plain(text: str) -> bool:
    return text.isprintable() and not OBEYED.search(text)
