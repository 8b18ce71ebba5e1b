"""The judge of coremltools' own suites, run through `lading.coreml.plugin`.

What makes a case red, beside the suite's own assertions:

- the runtime refused anything, even where the test swallowed the error, skipped or expected it;
- the runtime answered and nobody looked at the answer;
- a float16 answer outside `ATOL`, `RTOL`: the suite's own tolerance for float16 (atol 0.5, rtol
  0.05) would let most wrong answers through.

The suite's `xfail`s are mostly about Apple's runtime: such a case is run to its end all the same
(``--runxfail``), and where it does fail, without a refusal, it is excused for the suite's reason.
What else may stay red is listed in `known.py`, with the reason.
"""

from __future__ import annotations

import gc
import json
import random
import re
import shutil
import tempfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest

from tests.conformance import grid, known, stack, watch
from tests.conformance.judge import difference, refusals, stratified, verdict


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--sample", type=int, default=0, help="run only so many cases, stratified")
    group.addoption("--stack", action="store_true", help="networks are carried as lading does")
    group.addoption("--past-skips", action="store_true", help="what the converter cannot, too")
    group.addoption("--done", default="", help="leave out the node ids in this file")
    group.addoption("--cases", default="", help="write what each case did to this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    watch.install()
    _wrap_comparison()
    grid.install()
    if config.getoption("stack"):
        stack.install()
    if config.getoption("past_skips"):
        pytest.skip = _note_skip
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        # Every model is a folder; they are thrown away after each test.
        tempfile.tempdir = tempfile.mkdtemp(prefix="conformance-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if tempfile.tempdir and Path(tempfile.tempdir).name.startswith("conformance-"):
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
        tempfile.tempdir = None


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
#: The node id of the test that is running.
_running = [""]


# ------------------------------------------------------------------------------------- selection
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:  # a function in a name has an address, which is another in each process
        item._id = _ADDRESS.sub("", item.nodeid)  # type: ignore[attr-defined]
    count, done = config.getoption("sample"), config.getoption("done")
    chosen = {item.nodeid for item in items}
    if count:
        chosen = stratified(sorted(chosen), count)
    if done:
        chosen -= set(json.loads(Path(done).read_text()))
    config.hook.pytest_deselected(items=[i for i in items if i.nodeid not in chosen])
    items[:] = [item for item in items if item.nodeid in chosen]
    gc.collect()
    gc.freeze()  # the collected tests stay; walking over them again and again is what takes time


# ------------------------------------------------------------------------------------ comparison
def _wrap_comparison() -> None:
    import coremltools.converters.mil.testing_utils as utils

    original = utils.compare_backend

    def differences(found: Any, expected: Any, **tolerance: float) -> list[str]:
        pairs = {
            name: (utils._get_coreml_out_from_dict(found, name), value)
            for name, value in expected.items()
        }
        messages = {name: difference(*pair, **tolerance) for name, pair in pairs.items()}
        return [f"{name}: {message}" for name, message in messages.items() if message]

    def compare_backend(
        mlmodel: Any, input_key_values: Any, expected_outputs: Any, *args: Any, **options: Any
    ) -> Any:
        now = watch.current
        now.comparing, now.answer = options.get("dtype", "fp32"), None
        try:
            found = original(mlmodel, input_key_values, expected_outputs, *args, **options)
            if now.answer is None:
                return found  # nothing was asked of the runtime, so nothing is counted
        except AssertionError:
            found = now.answer
            if found is None:
                raise
            asked = {"rtol": options.get("rtol", 1e-5), "atol": options.get("atol", 1e-4)}
            wide = found.widened
            if wide is not None and not differences(wide, expected_outputs, **asked):
                now.case.widened += 1
            elif known.looser(_running[0]):
                now.case.rounded += 1
                now.case.mismatches += differences(wide or dict(found), expected_outputs)
            else:
                now.case.compared += 1  # at least the one that differs
                raise
        finally:
            precision, now.comparing = now.comparing, ""
        now.case.compared += len(expected_outputs)
        if precision == "fp16" or found.widened is not None:
            now.case.mismatches += differences(dict(found), expected_outputs)
        return found

    utils.compare_backend = compare_backend


# --------------------------------------------------------------------------------- one case
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The suite draws its data where it stands in the queue; here each case has its own seed."""
    import torch

    case = watch.current.case = watch.Case()
    mark = item.get_closest_marker("xfail")
    if mark:
        case.xfail = str(mark.kwargs.get("reason", "no reason given"))
    pytest.xfail = _note_xfail
    _running[0] = item.nodeid
    grid.state.active = grid.wanted(item.nodeid)
    seed = zlib.crc32(item.nodeid.encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    if tempfile.tempdir:
        for entry in Path(tempfile.tempdir).iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _note_xfail(reason: str = "") -> None:
    """In the place of `pytest.xfail`: the reason is noted, and the test goes on."""
    watch.current.case.xfail = reason or "no reason given"


_note_xfail.Exception = pytest.xfail.Exception
_skip = pytest.skip


def _note_skip(reason: str = "", **how: Any) -> None:
    """In the place of `pytest.skip`: what is skipped because the converter cannot goes on."""
    if not known.skipped_for_the_converter(reason) or how:
        _skip(reason, **how)
    watch.current.case.xfail = reason


_note_skip.Exception = pytest.skip.Exception


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "teardown" or (call.when == "setup" and report.passed):
        return report
    case = watch.current.case
    demanded = known.demanded_refusal(item.nodeid)
    reason = verdict(case, report.outcome, demanded)
    failed = report.failed or bool(reason)
    text = reason or _text(report) if failed else ""
    excuse = known.reason(item.nodeid)
    if case.xfail and not case.mismatches:
        excuse = excuse or f"the suite expects it to fail: {case.xfail}"
    if failed and excuse and not refusals(case, demanded):
        report.outcome, report.wasxfail, report.longrepr = "skipped", excuse, text
    elif failed:
        report.outcome = "failed"
        if reason:
            report.longrepr = f"{reason}\n\n{report.longreprtext}".strip()
    record = {
        "id": item.nodeid,
        "outcome": report.outcome,
        "excluded": excuse if failed and report.outcome == "skipped" else "",
        "why": text if failed else _skip_reason(report),
        "seconds": round(call.duration, 4),
        **asdict(case),
    }
    report.user_properties.append(("conformance", record))
    return report


def _text(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longreprtext)[:600]


def _skip_reason(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return ""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == "conformance" and (report.when == "call" or not report.passed) and _sink:
            _sink[0].write(json.dumps(value) + "\n")


#: Where the process that gathers the results writes them, one case a line.
_sink: list[TextIO] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    path = session.config.getoption("cases")
    if path and not hasattr(session.config, "workerinput"):
        _sink.append(Path(path).open("w", buffering=1))  # noqa: SIM115  closed by the last hook


def pytest_sessionfinish(session: pytest.Session) -> None:
    while _sink:
        _sink.pop().close()
