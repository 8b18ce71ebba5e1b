"""What the cases of a run add up to: the figures, and the page that is made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from tests.conformance import known
from tests.conformance.known import ATOL, RTOL


@dataclass
class Row:
    """Counts of cases. `reached`: asked the runtime something."""

    collected: int = 0
    reached: int = 0
    compared: int = 0
    passed: int = 0
    excluded: int = 0
    failed: int = 0


@dataclass
class Summary:
    """The figures of one run, and why cases did not reach the runtime or are excluded."""

    files: dict[str, Row] = field(default_factory=dict)
    total: Row = field(default_factory=Row)
    outputs: int = 0
    widened: int = 0
    unreached: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def summarise(cases: Iterable[Mapping[str, Any]]) -> Summary:
    """Add up what `plugin` recorded."""
    summary = Summary()
    for case in sorted(cases, key=lambda one: one["id"]):
        test = case["id"].partition("[")[0]
        reached = case["predictions"] > 0
        # Where a test demands a refusal, that is what it compares.
        demanded = case["errors"] and known.demanded_refusal(case["id"])
        compared = bool(case["compared"] or case["looked_at"] or demanded)
        failed = case["outcome"] == "failed"
        excuse = case["excluded"]
        if case["rounded"]:
            excuse = f"held to rtol {RTOL}, atol {ATOL}, and met: {known.looser(case['id'])}"
        for row in (summary.files.setdefault(test.partition("::")[0], Row()), summary.total):
            row.collected += 1
            row.reached += reached
            row.compared += reached and compared
            row.passed += reached and not failed and not excuse
            row.excluded += reached and not failed and bool(excuse)
            row.failed += failed
        summary.outputs += case["compared"]
        summary.widened += bool(case["widened"])
        if failed:
            summary.failures.append(f"{case['id']}: {case['why']}")
        elif excuse and reached:
            summary.excluded.setdefault(excuse, Counter())[test] += 1
        elif not reached:
            skipped = f"the suite skips it: {case['why']}" if case["outcome"] == "skipped" else ""
            why = excuse or skipped or _NO_MODEL
            summary.unreached[why.replace("[", "\\[")] += 1  # or Markdown takes it for a link
    return summary


_NO_MODEL = "asks nothing of a runtime: types, values known at conversion, errors of the builder"


def headline(summary: Summary) -> str:
    """The totals in one line."""
    row = summary.total
    return (
        f"{row.collected:,} cases collected, {row.reached:,} reached lading.coreml.mil, "
        f"{row.compared:,} compared, {row.passed:,} passed, {row.excluded:,} excluded "
        f"with a reason, {row.failed:,} failed"
    )


def markdown(summary: Summary) -> str:
    """The page `docs/conformance.md`, but for the run at every opset."""
    lines = [
        "# Conformance of lading.coreml.mil",
        "",
        "Written by `make conformance`; do not edit.",
        "",
        f"coremltools {version('coremltools')} brings a test suite of its ML Program operations,",
        "`coremltools/converters/mil/mil/ops/tests`. On a Mac it compares Core ML with NumPy,",
        "torch and hand-written values; anywhere else it builds the models and compares nothing.",
        "Here `lading.coreml.mil` answers in Core ML's place, at the minimum opset of each test,",
        "in float16 and float32.",
        "",
        f"**{headline(summary)}.** {summary.outputs:,} outputs went through the suite's own",
        "comparison.",
        "",
        "How it is judged:",
        "",
        "- The suite's own assertions and tolerances hold, float32: rtol 1e-5, atol 1e-4.",
        "- The suite's float16 tolerance (rtol 0.05, atol 0.5) would pass most wrong answers: here",
        f"  float16 is held to rtol {RTOL}, atol {ATOL} as well.",
        "- What the runtime refuses is a failure, also where the test swallows the error; the only",
        "  refusals accepted are out-of-range indices in the tests that demand them.",
        "- An answer that nobody looked at is a failure.",
        "- The suite's `xfail`s are mostly about Apple's runtime: those cases run too. One that",
        "  then fails is excluded with the suite's reason, unless the runtime refused something.",
        "- Every case draws its data from a seed of its own, so that runs repeat. Float32 cases",
        "  that round their data to float16 draw numbers that float16 holds, so that the reference",
        "  and the program have the same data.",
        "- Where a float32 case holds float16 data, its reference was computed in float16 or in",
        "  float32. The declared types are a minimum, so both are right: such a case must meet the",
        "  suite's tolerance in one of `lading.coreml.mil`'s two readings (`declared`, `float32`),",
        f"  and at the declared types rtol {RTOL}, atol {ATOL} besides. {summary.widened:,} cases",
        "  need the float32 reading.",
        "",
        "| file | collected | reached | compared | passed | excluded | failed |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = [*sorted(summary.files.items()), ("**all**", summary.total)]
    lines += [
        f"| {name} | {row.collected:,} | {row.reached:,} | {row.compared:,} | {row.passed:,} "
        f"| {row.excluded:,} | {row.failed:,} |"
        for name, row in rows
    ]
    lines += ["", "## Cases that do not reach the runtime", "", "| cases | why |", "|---:|---|"]
    lines += [f"| {count:,} | {why} |" for why, count in summary.unreached.most_common()]
    lines += ["", "TensorFlow is not installed: the tests that take their reference from it are"]
    lines += ["skipped.", "", "## Excluded, with the reason", ""]
    for reason, tests in sorted(summary.excluded.items()):
        share = 100 * tests.total() / max(summary.total.collected, 1)
        lines += [f"{tests.total():,} cases ({share:.2f} %): {reason}", ""]
        lines += [f"- `{test}`: {count:,}" for test, count in sorted(tests.items())]
        lines += [""]
    return "\n".join([*lines, *_failures(summary)])


def _failures(summary: Summary) -> list[str]:
    if not summary.failures:
        return []
    return [
        "## Failures",
        "",
        *(f"- `{' '.join(one.split())[:400]}`" for one in summary.failures),
        "",
    ]


#: Parts of the page that other runs write, in the order in which they stand: the heading of each,
#: and what wrote it. Each run keeps what the others wrote.
PARTS = {
    "backward": (
        "## Every opset from its minimum on",
        "Written by `make conformance-backward`.",
    ),
    "torch": (
        "## The torch front end, a sample",
        "Written by `make conformance-torch`: of `coremltools/converters/mil/frontend/torch/test`, "
        "stratified,\nconverted and predicted as on a Mac. Three of its files cannot be imported: "
        "two want torchvision, one\na name that torch has taken away. Whole small networks "
        "are compared, by the suite's own assertions alone: float32\nwith rtol 1e-5, atol 1e-4; "
        "float16 with rtol 0.05, atol 0.5, which passes much.",
    ),
    "stack": (
        "## The torch front end over the stack",
        "Written by `make conformance-stack`: of the same suite, stratified, every case twice. "
        "Once its network is\nhanded to plain `ct.convert`; once it is taken, repaired, spelled "
        "and converted as `lading convert` does it, the\nnext route where one fails, and compared "
        "with the untouched network as the suite compares. Cases that the suite\nskips or expects "
        "to fail because torch's graph or the converter cannot do them run too.",
    ),
}


def part(summary: Summary) -> str:
    """Of another run: totals, and what is excluded and why."""
    lines = [f"**{headline(summary)}.**"]
    if summary.outputs:
        lines[-1] += f" {summary.outputs:,} outputs compared;"
        lines += [f"{summary.widened:,} cases need the float32 reading."]
    lines += [""]
    for reason, tests in sorted(summary.excluded.items()):
        share = 100 * tests.total() / max(summary.total.collected, 1)
        lines += [f"- {tests.total():,} cases ({share:.2f} %): {reason}"]
    return "\n".join([*lines, "", *_failures(summary)]).rstrip()


def page(before: str, written: str, name: str = "") -> str:
    """The page, with the part `name` that this run answers for written anew; else the front."""
    parts = {"": before}
    for key, (heading, _) in reversed(PARTS.items()):
        front, mark, back = parts[""].partition(heading)
        parts[""] = front
        if mark:
            parts[key] = f"{mark}{back}".rstrip()
    parts[name] = "\n\n".join([*PARTS.get(name, ()), written])
    return "\n\n".join(parts[key].rstrip() for key in ("", *PARTS) if key in parts) + "\n"
