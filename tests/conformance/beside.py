"""The same cases twice, by plain ``ct.convert`` and over the stack: what either fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import known

#: What one case did, see `plugin`.
Record = Mapping[str, Any]


@dataclass
class Row:
    """Counts of cases: all, failed by plain conversion, failed over the stack."""

    cases: int = 0
    plain: int = 0
    stack: int = 0


@dataclass
class Beside:
    """The figures of two runs of the same cases.

    Attributes:
        total: of those that the stack carried or could not.
        operations: of each test class.
        aside: cases that convert by themselves or were skipped for another's sake.
        routes: by which the stack carried what plain conversion fails.
        left: test and reason of each case that fails over the stack.
        new: of those among them that pass by plain conversion, the tests.
    """

    total: Row = field(default_factory=Row)
    operations: dict[str, Row] = field(default_factory=dict)
    aside: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)


def failed(case: Record) -> bool:
    """Whether a case is wrong, excused or not: the suite's own excuses count for nothing here."""
    return bool(case["outcome"] == "failed" or case["excluded"])


def beside(plain: Iterable[Record], stack: Iterable[Record]) -> Beside:
    """Adds up two runs."""
    found, before = Beside(), {case["id"]: case for case in plain}
    for case in stack:
        other = before.get(case["id"])
        if not case["route"] or other is None:
            found.aside += 1
            continue
        test = case["id"].partition("[")[0]
        operation = test.partition("::")[2].partition("::")[0].removeprefix("Test")
        was, is_ = failed(other), failed(case)
        for row in (found.operations.setdefault(operation, Row()), found.total):
            row.cases += 1
            row.plain += was
            row.stack += is_
        if was and not is_:
            found.routes[case["route"]] += 1
        if is_:
            short = test.partition("::")[2]
            found.left[short, known.reason(case["id"]) or _short(case["why"])] += 1
            found.new[short] += not was
    return found


def _short(why: str) -> str:
    """The first line that says something."""
    lines = [" ".join(line.split()) for line in why.splitlines() if line.strip()]
    said = lines[0] if lines else "it said nothing"
    more = next((line for line in lines if line.startswith(("Mismatched", "found"))), "")
    return f"{said} {more}".strip()[:220]


def headline(found: Beside) -> str:
    """The totals in one line."""
    row, gained = found.total, found.routes.total()
    return (
        f"{row.cases:,} cases compared: plain `ct.convert` fails {row.plain:,}, the stack "
        f"{row.stack:,}; {gained:,} are right over the stack alone, {found.new.total():,} by plain "
        f"conversion alone"
    )


def markdown(found: Beside) -> str:
    """The part of the page behind its heading."""
    routes = ", ".join(f"{count:,} by {name}" for name, count in found.routes.most_common())
    lines = [
        f"**{headline(found)}.** {found.aside:,} more come to no conversion or convert by",
        "themselves, or were left out by the suite for another backend or system.",
        "",
        f"What is right over the stack alone came {routes or 'by no route'}.",
        "",
        "| operation | cases | plain fails | the stack fails |",
        "|---|---:|---:|---:|",
    ]
    wrong = {name: row for name, row in found.operations.items() if row.plain or row.stack}
    lines += [
        f"| {name} | {row.cases:,} | {row.plain:,} | {row.stack:,} |"
        for name, row in sorted(wrong.items())
    ]
    right = len(found.operations) - len(wrong)
    lines += ["", f"{right:,} further operations have no failure on either side."]
    if found.left:
        lines += ["", "What the stack still fails:", ""]
    for (test, why), count in sorted(found.left.items()):
        only = "; by plain conversion right" if found.new[test] else ""
        lines += [f"- `{test}`, {count:,} cases{only}: {_plain(why)}"]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """In Markdown as it is."""
    return text.replace("[", "\\[").replace("<", "\\<").replace("*", "\\*").replace("|", "/")
