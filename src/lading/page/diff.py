"""What changed between two bills: weights, graph, error, size, versions.

Only records are read: the files need not be there, and nothing is computed again. A tensor has
changed when its digest has; what only one bill has is said to be so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from lading.errors import InputError, refused
from lading.page import draw
from lading.page.sheet import DRAWABLE
from lading.record import Bill, LedgerLine, Measurement, Port, to_json
from lading.record.brief import Brief
from lading.record.text import visible
from lading.record.values import show
from lading.record.wording import RUNTIMES, kept, megabytes, number, port, ran_in, shape, subject

Kind = Literal["changed", "only in A", "only in B"]


@dataclass(frozen=True)
class Change:
    """One thing that differs. `note` says by how much, or which way."""

    what: str
    kind: Kind
    a: str
    b: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """The changes of one kind; `same` counts what was compared and did not differ."""

    title: str
    changes: tuple[Change, ...]
    same: int
    note: str


@dataclass(frozen=True, repr=False)
class Difference(Brief):
    """Two bills side by side."""

    a: str
    b: str
    verdicts: tuple[str, str]
    sections: tuple[Section, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not any(section.changes for section in self.sections)


def compare(a: Bill, b: Bill, names: tuple[str, str] = ("A", "B")) -> Difference:
    """What changed from bill `a` to bill `b`; `names` say where they were read.

    Raises:
        InputError: somebody changed one of them, and it cannot be compared.
    """
    with refused(InputError, f"the bills {names[0]} and {names[1]}", DRAWABLE):
        return _compared(a, b, names)


def _compared(a: Bill, b: Bill, names: tuple[str, str]) -> Difference:
    return Difference(
        names[0],
        names[1],
        (a.verdict, b.verdict),
        (
            _section("Verdict", {"verdict": a.verdict}, {"verdict": b.verdict}, "of 1"),
            _weights(a, b),
            _section("Hyper-parameters", _parameters(a), _parameters(b), "hyper-parameters"),
            _section("Graph", _graph(a), _graph(b), "facts of the graph"),
            _errors(a, b),
            _sizes(a, b),
            _section("Environment", _environment(a), _environment(b), "versions"),
        ),
    )


def render(one: Difference) -> str:
    """The page of a difference, as text."""
    return draw("diff.html", one=one)


def markdown(one: Difference, rows: int = 20) -> str:
    """The difference as Markdown, e.g. for a comment on a pull request.

    What bills say stands in code spans: a stranger's name is no heading, no link and no mention.
    """
    verdicts = [
        f"{code(name)} {word}" for name, word in zip((one.a, one.b), one.verdicts, strict=True)
    ]
    lines = [f"**{'SAME' if one.equal else 'CHANGED'}**: {' → '.join(verdicts)}", ""]
    for section in one.sections:
        if not section.changes:
            continue
        lines += [
            f"<details open><summary>{section.title}: {len(section.changes)} changed</summary>"
        ]
        lines += ["", "| what | A | B | how |", "|---|---|---|---|"]
        for change in section.changes[:rows]:
            cells = (change.what, change.a, change.b, change.note or change.kind)
            lines.append(f"| {' | '.join(map(code, cells))} |")
        if len(section.changes) > rows:
            lines.append(f"| and {len(section.changes) - rows} more | | | |")
        lines += ["", "</details>", ""]
    same = ", ".join(f"{s.title.lower()} ({s.note})" for s in one.sections if not s.changes)
    return "\n".join(lines + ([f"The same: {same}."] if same else [])).rstrip() + "\n"


def code(text: str) -> str:
    """`text` as a code span of a Markdown table, whatever is in it.

    >>> code("a|b"), code("`x`")
    ('`a⟨U+007C⟩b`', '`` `x` ``')
    """
    plain = " ".join(visible(text).split()).replace("|", "⟨U+007C⟩")
    if not plain:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    space = " " if "`" in plain else ""
    return f"{fence}{space}{plain}{space}{fence}"


# ---------------------------------------------------------------------------------------- sections
def _weights(a: Bill, b: Bill) -> Section:
    ours = {line.name: line for line in a.ledger}
    theirs = {line.name: line for line in b.ledger}
    changes, same = [], 0
    for name in _union(ours, theirs):
        left, right = ours.get(name), theirs.get(name)
        if left and right and _weight(left) == _weight(right):
            same += 1
        elif left and right:
            changes.append(Change(name, "changed", _line(left), _line(right), _why(left, right)))
        else:
            changes.append(_alone(name, _line(left), _line(right)))
    return Section("Weights", tuple(changes), same, f"{same} names with the same bytes")


def _weight(line: LedgerLine) -> tuple[object, ...]:
    return line.sha256, line.shape, line.dtype, line.fate


def _line(line: LedgerLine | None) -> str:
    return f"{shape(line.shape)} {line.dtype}, {line.fate}" if line else ""


def _why(left: LedgerLine, right: LedgerLine) -> str:
    words = [
        word
        for word, differs in (
            ("shape", left.shape != right.shape),
            ("dtype", left.dtype != right.dtype),
            ("fate", left.fate != right.fate),
            ("values", left.sha256 != right.sha256),
        )
        if differs
    ]
    return f"other {' and '.join(words)}"


def _parameters(bill: Bill) -> dict[str, str]:
    return {one.name: f"{show(one.value)} ({one.evidence})" for one in bill.hyperparameters}


def _graph(bill: Bill) -> dict[str, str]:
    facts = {"family": bill.family, "task": bill.task.kind, "labels": ", ".join(bill.task.labels)}
    if bill.capture:
        facts["route"] = bill.capture.route
        facts["repairs"] = ", ".join(one.name for one in bill.capture.repairs) or "none"
    for one in bill.artifacts:
        name = one.format_title
        facts[f"{name} takes"] = _ports(one.inputs)
        facts[f"{name} gives"] = _ports(one.outputs)
        if one.states:
            facts[f"{name} keeps"] = ", ".join(map(kept, one.states))
        facts[f"{name} precision"] = one.precision
        facts |= {
            f"{name} {key}": value
            for key, value in one.details.items()
            if not key.startswith("lading.")
        }
    return facts


def _ports(ports: Iterable[Port]) -> str:
    return ", ".join(port(one) for one in ports)


def _errors(a: Bill, b: Bill) -> Section:
    ours, theirs = _measured(a), _measured(b)
    changes, same = [], 0
    for name in _union(ours, theirs):
        left, right = ours.get(name), theirs.get(name)
        if left and right and _alike(left.value, right.value) and left.gate == right.gate:
            same += 1
        elif left and right:
            changes.append(Change(name, "changed", _said(left), _said(right), _way(left, right)))
        else:
            changes.append(_alone(name, _said(left), _said(right)))
    return Section("Error", tuple(changes), same, f"{same} numbers equal")


def _measured(bill: Bill) -> dict[str, Measurement]:
    """Every number of the comparisons, and where each trajectory ends."""
    found = {}
    for one in bill.comparisons:
        suffix = PurePath(one.artifact).suffix.removeprefix(".")
        where = ran_in(one)
        data = f", {one.data}" if one.data else ""
        for each in one.measurements:
            probe = "" if each.steady else f" at {each.probe}"
            found[f"{suffix} in {where}{data}: {subject(each)}{probe}"] = each
    for walk in bill.trajectories:
        suffix = PurePath(walk.artifact).suffix.removeprefix(".")
        where = RUNTIMES.get(walk.runtime, walk.runtime)
        what = f"{suffix} in {where}: {walk.steps} moves of {walk.sampler}, psnr"
        if walk.psnr:
            found[what] = Measurement("", "psnr", walk.psnr[-1], walk.gate, walk.gate_reason)
    return found


def _said(one: Measurement | None) -> str:
    if one is None:
        return ""
    return f"{number(one.kind, one.value)}{'' if one.passed else ', missed'}"


def _way(left: Measurement, right: Measurement) -> str:
    if left.gate != right.gate:
        return "another gate"
    if math.isnan(left.value) or math.isnan(right.value):
        return "no number"
    if left.better == "none":
        return ""
    better = (right.value > left.value) == (left.better == "higher")
    return "better" if better else "worse"


def _alike(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _sizes(a: Bill, b: Bill) -> Section:
    ours = {one.format_title: one for one in a.artifacts}
    theirs = {one.format_title: one for one in b.artifacts}
    changes, same = [], 0
    for name in _union(ours, theirs):
        left, right = ours.get(name), theirs.get(name)
        if left and right and (left.bytes, left.sha256) == (right.bytes, right.sha256):
            same += 1
        elif left and right:
            grown = right.bytes - left.bytes
            note = f"{grown:+,} bytes" if grown else "the same size, other bytes"
            changes.append(
                Change(name, "changed", megabytes(left.bytes), megabytes(right.bytes), note)
            )
        else:
            sizes = [megabytes(one.bytes) if one else "" for one in (left, right)]
            changes.append(_alone(name, *sizes))
    if a.checkpoint.sha256 == b.checkpoint.sha256:
        same += 1
    else:
        before, after = megabytes(a.checkpoint.bytes), megabytes(b.checkpoint.bytes)
        changes.insert(0, Change("checkpoint", "changed", before, after, "another file"))
    return Section("Size", tuple(changes), same, f"{same} files with the same bytes")


def _environment(bill: Bill) -> dict[str, str]:
    return {"lading": bill.lading, **bill.environment}


def _section(title: str, a: Mapping[str, str], b: Mapping[str, str], what: str) -> Section:
    changes, same = [], 0
    for name in _union(a, b):
        if name in a and name in b and a[name] == b[name]:
            same += 1
        elif name in a and name in b:
            changes.append(Change(name, "changed", a[name], b[name]))
        else:
            changes.append(_alone(name, a.get(name, ""), b.get(name, "")))
    return Section(title, tuple(changes), same, f"{same} {what} the same")


def _alone(name: str, a: str, b: str) -> Change:
    return Change(name, "only in A" if a or not b else "only in B", a, b)


def _union(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))


def as_dict(one: Difference) -> dict[str, object]:
    """Plain values, for JSON."""
    plain: dict[str, object] = {"equal": one.equal, **to_json(one)}
    return plain
