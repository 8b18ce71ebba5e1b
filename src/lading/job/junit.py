"""What a CI server reads: JUnit's XML of a verification, a case for each thing that was judged.

The form is the one that servers agree on (Jenkins' `junit-10.xsd`): a suite of cases, each passed,
failed, skipped or in error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from lading.base import storage
from lading.errors import LadingError
from lading.proof.golden import Replay
from lading.record import Bill, Comparison, Measurement, Provenance
from lading.record.wording import RUNTIMES, number, subject

Outcome = Literal["pass", "failure", "skipped", "error"]
#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One thing that was judged: its name, how it came out, why in a line, and all there is."""

    name: str
    outcome: Outcome = "pass"
    why: str = ""
    text: str = ""


@dataclass
class Suite:
    """The cases of one call of a verb on one artifact."""

    name: str
    cases: list[Case] = field(default_factory=list)


@contextmanager
def reported(path: Path | None, verb: str, artifact: str) -> Iterator[Suite]:
    """A suite to put cases in; it is written to `path`, if there is one, whatever happens: an error
    is a case of its own.

    Raises:
        StorageError: `path` cannot be written.
    """
    suite = Suite(f"lading {verb} {artifact}")
    try:
        yield suite
    except LadingError as error:
        suite.cases.append(Case(error.subject, "error", error.found, str(error)))
        raise
    finally:
        if path:
            storage.write_file(path, _xml(suite))


def of_bill(bill: Bill) -> list[Case]:
    """A case for each comparison, for the origin of each artifact's constants, and the verdict."""
    found = [_comparison(one) for one in bill.comparisons]
    untraced: Outcome = "skipped" if bill.verdict == "pass" else "failure"
    for source in bill.provenance:
        name = f"{source.artifact}: made from this checkpoint"
        outcome: Outcome = "pass" if source.made else untraced
        found.append(Case(name, outcome, source.finding, source.evidence))
    return [*found, _verdict(bill.verdict)]


def _verdict(word: str) -> Case:
    return Case("verdict", "pass" if word == "pass" else "failure", word, word)


def of_replay(done: Replay) -> list[Case]:
    """A case for each runtime on golden vectors, and the verdict."""
    return [*map(_comparison, done.comparisons), _verdict(done.verdict)]


def of_owner(found: Sequence[Provenance], owner: Provenance | None) -> list[Case]:
    """One case: whether one of the checkpoints is it."""
    why = f"made from {owner.checkpoint}" if owner else "made from none of them"
    lines = "\n".join(f"{one.checkpoint}: {one.finding}" for one in found)
    return [Case("made from one of these", "pass" if owner else "failure", why, lines)]


def _comparison(one: Comparison) -> Case:
    name = f"{one.artifact} in {RUNTIMES.get(one.runtime, one.runtime)}"
    lines = [_line(measurement) for measurement in one.measurements]
    lines += [f"{finding.name} at {finding.where}: {finding.text}" for finding in one.findings]
    if one.verdict == "pass":
        return Case(name, text="\n".join(lines))
    outcome: Outcome = "failure" if one.verdict == "fail" else "skipped"
    worst = [_line(m) for m in one.measurements if m.gate is not None and not m.passed]
    return Case(name, outcome, one.reason or "; ".join(worst[:3]) or one.verdict, "\n".join(lines))


def _line(one: Measurement) -> str:
    text = subject(one) + (f" at {one.probe}" if one.probe else "")
    text = f"{text}: {number(one.kind, one.value)}"
    return text if one.gate is None else f"{text}, gate {number(one.kind, one.gate)}"


def _xml(suite: Suite) -> bytes:
    counts = {
        kind: str(sum(case.outcome == outcome for case in suite.cases))
        for kind, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    told = {"name": _clean(suite.name), "tests": str(len(suite.cases)), **counts}
    top = ElementTree.Element("testsuites")
    element = ElementTree.SubElement(top, "testsuite", told)
    for case in suite.cases:
        named = {"classname": _clean(suite.name), "name": _clean(case.name)}
        entry = ElementTree.SubElement(element, "testcase", named)
        if case.outcome != "pass":
            said = {"message": _clean(case.why)}
            ElementTree.SubElement(entry, case.outcome, said).text = _clean(case.text or case.why)
        elif case.text:
            ElementTree.SubElement(entry, "system-out").text = _clean(case.text)
    ElementTree.indent(top)
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n{ElementTree.tostring(top, 'unicode')}\n".encode()
    )


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("�", text)
