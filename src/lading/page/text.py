"""A stranger's text on a page: shown as it is, and never obeyed.

Templates escape what HTML would obey; this makes visible what a browser would obey beyond that:
control characters, and the marks that turn the direction of the text around them.

>>> visible("weight\\u202egnp.exe")
'weight⟨U+202E⟩gnp.exe'
"""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup, escape

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)

#: Where a long name may be broken; an entity such as ``&lt;`` has none of these in it.
_JOINTS = re.compile(r"([._,/])(?=\S)")


def obeyed(character: str) -> bool:
    """Whether a browser or a terminal would act on it rather than show it."""
    return bool(_OBEYED.match(character))


def visible(value: Any) -> Any:
    """Text with its control and direction characters spelt out; anything else as it is."""
    if hasattr(value, "__html__"):
        return value
    if not isinstance(value, str):
        value = str(value)
    return _OBEYED.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", value)


def breakable(value: Any) -> Markup:
    """Text that may be broken after its dots, commas and underscores; copied, it is the same.

    >>> breakable("a.b<c")
    Markup('a.<wbr>b&lt;c')
    """
    return Markup(_JOINTS.sub(r"\1<wbr>", str(escape(visible(value)))))


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
        elif character.isprintable() and not _OBEYED.match(character):
            out.append(character)
        else:
            code = ord(character)
            out.append(f"\\u{{{0xFFFD if 0xD800 <= code < 0xE000 else code:X}}}")
    return '"' + "".join(out) + '"'


def _plain(text: str) -> bool:
    return text.isprintable() and not _OBEYED.search(text)
