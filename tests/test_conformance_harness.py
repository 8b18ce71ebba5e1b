"""The conformance harness turns red for what it must: a wrong, a missing, a swallowed operation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.conformance.__main__ as conformance
from tests.conformance import beside, grid, known, report, watch
from tests.conformance.__main__ import ROOT, run
from tests.conformance.judge import difference, stratified, verdict
from tests.conformance.watch import Case

# A suite as coremltools writes them, with relu as the one operation.
EXHIBITS = """
import dataclasses
import numpy as np
import pytest
import coremltools as ct
from coremltools.converters.mil.mil import Builder as mb, types
from coremltools.converters.mil.mil.ops.tests.testing_utils import run_compare_builder
from coremltools.converters.mil.testing_reqs import BackendConfig
from coremltools.converters.mil.testing_utils import get_core_ml_prediction
from lading.coreml.mil import registry

FP16 = BackendConfig(backend="mlprogram", precision="fp16", opset_version=ct.target.iOS15)
FP32 = BackendConfig(backend="mlprogram", precision="fp32", opset_version=ct.target.iOS15)
X = np.array([[-1.0, 2.0, 3.0]], dtype=np.float32)

def relu(backend, expected=np.maximum(X, 0)):
    run_compare_builder(
        lambda x: mb.relu(x=x), {"x": mb.placeholder(shape=X.shape)}, {"x": X.copy()},
        X.shape + (types.fp32,), expected, backend=backend,
    )

def replace(monkeypatch, function):
    known = dict(registry.operations())
    old = known.pop("relu")
    if function:
        known["relu"] = tuple(dataclasses.replace(one, function=function) for one in old)
    monkeypatch.setattr(registry, "operations", lambda *_: known)

@pytest.mark.parametrize("backend", [FP16, FP32], ids=["fp16", "fp32"])
def test_right(backend):
    relu(backend)

@pytest.mark.parametrize("backend", [FP16, FP32], ids=["fp16", "fp32"])
def test_two_percent_off(backend, monkeypatch):
    replace(monkeypatch, lambda x: x.clamp(min=0) * 1.02)
    relu(backend)

def test_not_a_number(monkeypatch):
    replace(monkeypatch, lambda x: x * float("nan"))
    relu(FP16)

def test_missing(monkeypatch):
    replace(monkeypatch, None)
    relu(FP16)

def test_swallowed(monkeypatch):
    replace(monkeypatch, None)
    try:
        relu(FP16)
    except Exception:
        pass

def test_skipped_after_refusal(monkeypatch):
    replace(monkeypatch, None)
    try:
        relu(FP16)
    except Exception:
        pytest.skip("not today")

def test_refusal_expected(monkeypatch):
    replace(monkeypatch, None)
    with pytest.raises(RuntimeError):
        relu(FP16)

@pytest.mark.xfail(reason="marked")
def test_refusal_marked(monkeypatch):
    replace(monkeypatch, None)
    relu(FP16)

def test_refusal_after_xfail(monkeypatch):
    replace(monkeypatch, None)
    pytest.xfail("called")
    relu(FP16)

def predict():
    return get_core_ml_prediction(
        lambda x: mb.relu(x=x), {"x": mb.placeholder(shape=X.shape)}, {"x": X.copy()}, FP16
    )

def test_nobody_looked():
    predict()

def test_looked_by_hand():
    assert (list(predict().values())[0] >= 0).all()

def test_asks_nothing():
    assert np.maximum(X, 0).min() == 0

def test_skipped_before():
    pytest.skip("never asked")

@pytest.mark.xfail(reason="rdar://1")
def test_disowned():
    relu(FP32, expected=X)

@pytest.mark.xfail(reason="rdar://2")
def test_disowned_and_right():
    relu(FP32)
"""


@pytest.fixture(scope="module")
def exhibits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("exhibits")
    (folder / "test_exhibits.py").write_text(EXHIBITS)
    code, cases, printed = run(
        ["test_exhibits.py"], cases=folder / "cases", folder=folder, workers=1, quiet=True
    )
    assert code == 1, printed
    return {case["id"].partition("::")[2]: case for case in cases}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_two_percent_off[fp16]", "found 3.06"),
        ("test_two_percent_off[fp32]", "Not equal to tolerance"),
        ("test_not_a_number", "nan"),
        ("test_missing", "the runtime refused: ProgramError"),
        ("test_swallowed", "the runtime refused: ProgramError"),
        ("test_skipped_after_refusal", "the runtime refused: ProgramError"),
        ("test_refusal_expected", "the runtime refused: ProgramError"),
        ("test_refusal_marked", "the runtime refused: ProgramError"),
        ("test_refusal_after_xfail", "the runtime refused: ProgramError"),
        ("test_nobody_looked", "nobody looked"),
    ],
)
def test_red(exhibits: dict[str, dict[str, Any]], name: str, words: str) -> None:
    assert exhibits[name]["outcome"] == "failed"
    assert words in exhibits[name]["why"]


@pytest.mark.parametrize(
    ("name", "asked", "compared", "looked_at"),
    [
        ("test_right[fp16]", 1, 1, 0),
        ("test_right[fp32]", 1, 1, 0),
        ("test_looked_by_hand", 1, 0, 1),
        ("test_disowned_and_right", 1, 1, 0),
        ("test_asks_nothing", 0, 0, 0),
    ],
)
def test_green(
    exhibits: dict[str, dict[str, Any]], name: str, asked: int, compared: int, looked_at: int
) -> None:
    case = exhibits[name]
    assert (case["outcome"], case["excluded"]) == ("passed", "")
    counts = (case["predictions"], case["compared"], case["looked_at"])
    assert counts == (asked, compared, looked_at)


def test_what_the_suite_disowns_is_excluded_with_its_reason(
    exhibits: dict[str, dict[str, Any]],
) -> None:
    assert exhibits["test_disowned"]["excluded"] == "the suite expects it to fail: rdar://1"
    assert exhibits["test_skipped_before"]["outcome"] == "skipped"


def test_the_figures_add_up(exhibits: dict[str, dict[str, Any]]) -> None:
    summary = report.summarise(exhibits.values())
    row = summary.total
    assert (row.collected, row.failed, row.excluded) == (17, 10, 1)
    # All but the two that ask nothing. Six are refused, one is never looked at: not compared.
    assert (row.reached, row.compared, row.passed) == (15, 8, 4)
    assert row.reached == row.passed + row.failed + row.excluded
    page = report.markdown(summary)
    assert "test_two_percent_off" in page
    assert "rdar://1" in page


def test_each_run_writes_its_own_part_of_the_page(exhibits: dict[str, dict[str, Any]]) -> None:
    summary = report.summarise(exhibits.values())
    front, short = report.markdown(summary), report.part(summary)
    first = report.page("old words", front)
    assert "old words" not in first
    assert not any(heading in first for heading, _ in report.PARTS.values())
    whole = first
    for part in ("torch", "backward", "stack"):
        whole = report.page(whole, short, part)
    assert whole.startswith(first.rstrip())
    assert whole.count("test_two_percent_off") == 4 * first.count("test_two_percent_off")
    assert whole.index("## Every opset") < whole.index("## The torch front end")
    for part in ("", *report.PARTS):
        assert report.page(whole, short if part else front, part) == whole


def test_a_sample_is_stratified_and_the_same_everywhere() -> None:
    ids = [f"a.py::Few::test[{n}]" for n in range(3)] + [
        f"b.py::Many::test_{kind}[{n}]" for kind in "xy" for n in range(500)
    ]
    chosen = stratified(ids, 100)
    assert len(chosen) == 100
    assert chosen == stratified(reversed(ids), 100)
    assert any("Few" in one for one in chosen)
    assert 30 < sum("test_x" in one for one in chosen) < 70


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ([1.0, 2.01], [1.0, 2.0], True),
        ([1.0, 2.02], [1.0, 2.0], False),
        ([np.nan], [np.nan], True),
        ([np.nan], [0.0], False),
        ([np.inf], [np.inf], True),
        ([np.inf], [-np.inf], False),
        ([1.0, 1.0], [1.0], False),
        ([100], [101], False),
    ],
)
def test_tolerance(found: list[float], expected: list[float], same: bool) -> None:
    assert (difference(np.array(found), np.array(expected)) == "") is same


def test_a_demanded_refusal_must_be_the_one_demanded() -> None:
    case = Case(predictions=1, errors=["ProgramError: IndexError: index 9"])
    assert verdict(case, "passed", demanded="IndexError: index") == ""
    assert "refused" in verdict(case, "passed", demanded="something else")
    assert "refused" in verdict(case, "passed")


def test_excuses_are_narrow() -> None:
    for test, part, why in known.LOOSER:
        half = f"[BackendConfig(backend='mlprogram', precision='fp32')-{part}]"
        assert known.looser(test + half) == why
        assert not known.looser(test + half.replace("fp32", "fp16"))
        assert not known.looser(test + half.replace(part, "other"))
        assert not known.looser("other::test" + half)


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_grid_survives_float16_and_one_addition(scale: float) -> None:
    rng = np.random.default_rng(0)
    drawn = (rng.standard_normal((2, 1000)) * scale).astype(np.float32)
    a, b = grid.on_grid(drawn)
    for exact in (a, b, a + b if scale < 1 else a):
        assert (exact.astype(np.float16) == exact).all()
    assert np.abs(a - drawn[0]).max() <= max(2**-9, scale * 4 * 2**-10)
    assert a.all()


def test_the_grid_is_for_float16_data_in_float32_cases() -> None:
    half = "dtype=<class 'numpy.float16'>"
    assert grid.wanted(f"a::b[precision='fp32'-{half}]")
    assert not grid.wanted(f"a::b[precision='fp16'-{half}]")
    assert grid.wanted("a::TestRNN::b[precision='fp16']")
    assert not grid.wanted("a::b[precision='fp32'-dtype=<class 'numpy.float32'>]")


def test_this_tree_comes_before_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "test_place.py").write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "def test_place():\n"
        f"    own = sys.path.index({str(ROOT / 'src')!r})\n"
        "    assert own < sys.path.index(str(Path(torch.__file__).parent.parent))\n"
    )
    code, _, printed = run(
        ["test_place.py"], cases=tmp_path / "cases", folder=tmp_path, workers=1, quiet=True
    )
    assert code == 0, printed


def test_nothing_is_watched_without_the_stand_in() -> None:
    with pytest.raises(RuntimeError, match="the stand-in is not on"):
        watch.install()


def test_two_runs_of_the_same_cases_stand_beside_each_other() -> None:
    def case(test: str, outcome: str, route: str, excluded: str = "") -> dict[str, Any]:
        why = "RuntimeError: [no] such" if outcome != "passed" else ""
        one = {"id": f"test_torch_ops.py::Test{test}[x]", "outcome": outcome, "why": why}
        return {**one, "route": route, "excluded": excluded}

    tests = ("Norm::a", "Norm::b", "Fill::c", "Add::d", "Own::e")
    plain = [case(test, "passed", "") for test in tests]
    plain[:2] = case("Norm::a", "failed", ""), case("Norm::b", "skipped", "", "the suite expects")
    stack = [
        case("Norm::a", "passed", "decomposed"), case("Norm::b", "failed", "none"),
        case("Fill::c", "skipped", "none", "known"), case("Add::d", "passed", "export"),
        case("Own::e", "failed", ""),
    ]  # fmt: skip
    found = beside.beside(plain, stack)
    assert beside.headline(found) == (
        "4 cases compared: plain `ct.convert` fails 2, the stack 2; 1 are right over the stack "
        "alone, 1 by plain conversion alone"
    )
    page = beside.markdown(found)
    assert "| Norm | 2 | 2 | 1 |" in page
    assert "Add" not in page
    assert "1 by decomposed" in page
    assert "- `TestNorm::b`, 1 cases: RuntimeError: \\[no] such" in page
    assert "- `TestFill::c`, 1 cases; by plain conversion right: RuntimeError" in page


def test_a_run_that_reached_nothing_leaves_the_page_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("as it was")
    monkeypatch.setattr(conformance, "run", lambda *_, **__: (0, [], ""))
    monkeypatch.setattr(sys, "argv", ["conformance", "--document", str(page)])
    assert conformance.main() == 1
    assert page.read_text() == "as it was"


def test_a_name_with_an_address_in_it_is_one_name_in_every_process(tmp_path: Path) -> None:
    text = """
import pytest
def local(): pass
@pytest.mark.parametrize("f", [local], ids=str)
def test_one(f): assert f is local
def test_two(): pass
"""
    (tmp_path / "test_addresses.py").write_text(text)
    code, found, said = run(
        ["test_addresses.py"], cases=tmp_path / "cases", folder=tmp_path, workers=2, quiet=True
    )
    assert code == 0, said
    assert {one["id"].partition("::")[2] for one in found} == {
        "test_one[<function local>]", "test_two",
    }  # fmt: skip
