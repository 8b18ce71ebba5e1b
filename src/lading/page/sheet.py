"""From the bill's text to the page's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import reprlib
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lading.base.drawing.chart import STYLE
from lading.errors import InputError, in_short, refused
from lading.page import tree
from lading.page.view import look
from lading.record import SCHEMA, Bill, from_json
from lading.record.text import visible
from lading.record.values import show as typed
from lading.record.wording import ROUTES, RUNTIMES, kept, megabytes, shape

TEMPLATES = Path(__file__).parent / "templates"
#: Where a long name may be broken; an entity such as ``&lt;`` has none of these in it.
_ROW, _CELL = re.compile(r"<tr>.*?</tr>", re.DOTALL), re.compile(r"<t[dh]\b")
_JOINTS = re.compile(r"([._,/])(?=\S)")


def read(path: Path) -> Bill:
    """The bill in a `lading.json`.

    Raises:
        InputError: no such file, no JSON, of another schema, or no bill.
    """
    place = path / "lading.json" if path.is_dir() else path
    try:
        data = json.loads(place.read_bytes())
    except OSError as error:
        raise _unread(place, error.strerror or str(error), "check the path") from error
    except (ValueError, RecursionError) as error:
        raise _unread(place, f"no JSON: {in_short(error)[:160]}", "give the lading.json") from error
    number = data.get("schema") if isinstance(data, dict) else None
    if number != SCHEMA:
        found = (
            f"schema {reprlib.repr(number)}"
            if number is not None
            else "JSON without a schema number"
        )
        if isinstance(number, int) and number < SCHEMA:
            raise _unread(place, f"{found}, of an older lading", "write it again: lading convert")
        raise _unread(place, found, "give a lading.json of this version of lading")
    try:
        return from_json(Bill, data)
    except Exception as error:  # of many kinds: anything may stand there
        found = f"no bill: {in_short(error)[:160]}"
        raise _unread(place, found, "write it again: lading convert") from error


def _unread(path: Path, found: str, remedy: str) -> InputError:
    return InputError(
        str(path), found=found, expected=f"a bill of lading, schema {SCHEMA}", remedy=remedy
    )


def render(bill: Bill) -> str:
    """The whole page of a bill, as text; the same for the same bill.

    Raises:
        InputError: somebody changed it, and it cannot be drawn.
    """
    with refused(InputError, f"the bill of {bill.checkpoint.path[:200]}", DRAWABLE):
        return draw("report.html", view=look(bill))


#: What is expected of a bill's values.
DRAWABLE = "sizes and measurements as lading writes them"


def cell(bill: Bill) -> str:
    """The page's head and the tables of its comparisons, for a notebook's cell: a frame of its
    own, so that neither's style reaches the other."""
    whole = look(bill)
    kept = {name: text for name, text in whole.sections.items() if name == "comparison"}
    text = draw("report.html", view=replace(whole, sections=kept, left_out=()))
    return framed(text)


def framed(text: str) -> str:
    """A page within another."""
    return (
        f'<iframe srcdoc="{escape(text)}" sandbox title="lading" '
        'style="width: 100%; height: 36rem; border: 0"></iframe>'
    )


def show(page: Path) -> None:
    """Opens a page in the user's browser; where there is none, nothing happens."""
    webbrowser.open(page.resolve().as_uri())


def draw(template: str, **values: Any) -> str:
    """A template of `templates/` with `values`; every text in it escaped and made visible."""
    page = environment().get_template(template)
    # not `render`, which compiles code to show where in the template an error arose
    return "".join(page.root_render_func(page.new_context(values)))


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates that escape everything, and fail on a name that is not there."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "" if value is None else visible(value),
    )
    made.filters["breakable"] = breakable
    made.filters["labelled"] = labelled
    style, script = _part("page.css") + STYLE, _part("page.js")
    made.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "style_digest": _digest(style),
        "script_digest": _digest(script),
        "show": typed,
        "shape": shape,
        "remembered": kept,
        "megabytes": megabytes,
        "size": tree.size,
        "runtimes": RUNTIMES,
        "routes": ROUTES,
    }
    return made


def breakable(value: Any) -> Markup:
    """Text that may be broken after its dots, commas and underscores; copied, it is the same.

    >>> breakable("a.b<c")
    Markup('a.<wbr>b&lt;c')
    """
    return Markup(_JOINTS.sub(r"\1<wbr>", str(escape(visible(value)))))


def labelled(rows: Markup, headings: Sequence[str]) -> Markup:
    """A table's rows, each cell with its column's heading: on a narrow screen a row is a card, and
    a cell stands under its heading.

    >>> labelled(Markup("<tr><th>a</th><td>1</td></tr>"), ("Name", "Value"))
    Markup('<tr><th data-label="Name">a</th><td data-label="Value">1</td></tr>')
    """

    def row(found: re.Match[str]) -> str:
        names = iter(headings)
        return _CELL.sub(lambda cell: f'{cell[0]} data-label="{escape(next(names, ""))}"', found[0])

    return Markup(_ROW.sub(row, str(rows)))


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What a content security policy knows a script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
