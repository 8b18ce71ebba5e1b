"""Every kind of number: its printing, direction and gate; and nobody reads one out of a text."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lading
from lading.proof import metrics
from lading.record import Comparison, Measurement, Unproved, from_json, to_json
from lading.record.measurement import KINDS
from lading.record.wording import gate, left_open, missed, number, subject, unproved, worst

NAN = math.nan
NUMBERS = st.floats(allow_nan=False)
KIND = pytest.mark.parametrize("kind", KINDS)


def measured(kind: str, value: float, gate: float | None, **more: Any) -> Measurement:
    return Measurement("y", kind, value, gate, "why", **more)


def compared(*measurements: Measurement, **changes: Any) -> Comparison:
    told = {"artifact": "a.onnx", "runtime": "onnxruntime"} | changes
    return Comparison(**told, reference="torch", probes=1, measurements=measurements,
                      findings=(), verdict="pass")  # fmt: skip


# ------------------------------------------------------------------------------------- every kind
@KIND
@given(value=st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, NAN]))
def test_a_value_is_printed_with_its_unit(kind: str, value: float) -> None:
    text = KINDS[kind].show(value)
    if value == math.inf and KINDS[kind].better == "higher":
        assert text == "equal"
        return
    assert text.endswith(KINDS[kind].unit)
    assert text == text.strip()
    shown = float(text.removesuffix(KINDS[kind].unit).replace(",", ""))
    full = 100 * value if KINDS[kind].unit == "%" else value
    assert shown == pytest.approx(full, rel=1e-3, abs=0.5, nan_ok=True)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("psnr", 71.26, "71.3 dB"),
        ("psnr", math.inf, "equal"),
        ("psnr", -math.inf, "-inf dB"),
        ("psnr", NAN, "nan dB"),
        ("label_agreement", 0.99931, "99.931 %"),
        ("label_agreement", 1.0, "100.000 %"),
        ("dice", 0.99944, "0.9994"),
        ("relative_l2", 0.0042, "0.0042"),
        ("max_abs", 0.00012345, "0.0001234"),
        ("max_abs", math.inf, "inf"),
        ("accuracy", 0.98321, "0.9832"),
        ("accuracy apart", 1e-4, "0.0001"),
        ("classes changed", 12_345.0, "12,345"),
        ("classes changed beyond the error", 0.0, "0"),
    ],
)
def test_as_people_read_it(kind: str, value: float, text: str) -> None:
    assert number(kind, value) == text


@KIND
@given(value=NUMBERS, limit=NUMBERS)
def test_a_gate_is_met_in_the_kind_s_direction(kind: str, value: float, limit: float) -> None:
    better = KINDS[kind].better
    if better == "none":
        with pytest.raises(ValueError, match="cannot be gated"):
            measured(kind, value, limit)
        return
    one = measured(kind, value, limit)
    assert one.better == better
    assert one.passed is (value >= limit if better == "higher" else value <= limit)
    assert measured(kind, limit, limit).passed
    assert gate(one) == f"{'≥' if better == 'higher' else '≤'} {number(kind, limit)}"
    if math.isfinite(value - limit):
        assert (one.distance >= 0) is one.passed
    assert measured(kind, value, None).passed
    assert gate(measured(kind, value, None)) == ""


@KIND
@given(limit=st.none() | st.floats(), steady=st.booleans())
def test_nan_never_passes(kind: str, limit: float | None, steady: bool) -> None:
    if KINDS[kind].better == "none":
        limit = None
    one = measured(kind, NAN, limit, steady=steady)
    assert not one.passed
    assert ("is NaN" if limit is None else "misses its gate") in missed(one)
    if limit is not None:
        assert one.distance == -math.inf


@KIND
@given(value=st.floats(), text=st.text(), steady=st.booleans())
def test_it_comes_back_from_json(kind: str, value: float, text: str, steady: bool) -> None:
    one = Measurement(text, kind, value, None, text, text, "graph", text, "scores", steady)
    plain = json.loads(json.dumps(to_json(one), allow_nan=False))
    assert plain["better"] == KINDS[kind].better
    back = from_json(Measurement, plain)
    assert repr(back) == repr(one)  # NaN is not equal to itself
    other = "lower" if one.better != "lower" else "higher"
    with pytest.raises(ValueError, match=f"better is '{other}'"):
        from_json(Measurement, plain | {"better": other})


def test_what_is_no_kind_is_refused() -> None:
    for wrong in ("", "PSNR", "logits psnr", "psnr (unsteady)"):
        with pytest.raises(ValueError, match="no kind of measurement"):
            measured(wrong, 1.0, None)


def test_a_function_has_the_name_of_its_kind() -> None:
    functions = {
        name for name, value in vars(metrics).items()
        if callable(value) and getattr(value, "__module__", "") == metrics.__name__
        and not name.startswith("_")
    }  # fmt: skip
    assert functions <= set(KINDS)


# ---------------------------------------------------------------------------------- what is said
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "y psnr"),
        ({"reading": "graph"}, "y graph psnr"),
        ({"of": "scores"}, "y scores psnr"),
        ({"reading": "graph", "of": "scores"}, "y graph scores psnr"),
        ({"steady": False}, "y psnr (unsteady)"),
        ({"channel": "b (left)"}, "y psnr b (left)"),
    ],
)
def test_what_was_measured(fields: dict[str, Any], text: str) -> None:
    assert subject(measured("psnr", 1.0, None, **fields)) == text


def test_a_whole_table_has_no_port() -> None:
    assert subject(Measurement("", "accuracy apart", 0.0, 0.0, "why")) == "accuracy apart"


def test_the_worst_is_nearest_to_its_gate_or_farthest_beyond() -> None:
    near, far = measured("psnr", 41.0, 40.0), measured("relative_l2", 0.5, 1.0)
    beyond, nothing = measured("max_abs", 3.0, 2.0), measured("max_abs", 9.0, None)
    nan = measured("dice", NAN, 0.5)
    assert worst([compared(far, near, nothing)]) == (compared(far, near, nothing), near)
    assert worst([compared(near), compared(beyond)]) == (compared(beyond), beyond)
    found = worst([compared(near, nan), compared(beyond)])
    assert found is not None
    assert found[1] is nan
    assert worst([compared(nothing)]) is None


@pytest.mark.parametrize(
    ("what", "fields"), [("scores", {"of": "scores"}), ("graph", {"reading": "graph"})]
)
def test_what_was_left_open_is_said_unless_another_runtime_saw_it(
    what: Any, fields: dict[str, Any]
) -> None:
    blind = compared(measured("psnr", 50.0, 40.0), runtime="coreml",
                     unproved=(Unproved(what, "because"),))  # fmt: skip
    text = f"a.onnx in coreml: {unproved(Unproved(what, 'because'))}"
    assert left_open([blind]) == left_open([blind, blind]) == [text]
    saw = compared(measured("psnr", 50.0, 40.0, **fields))
    assert left_open([blind, saw]) == []
    assert left_open([blind, compared(measured("psnr", 50.0, 40.0))]) == [text]
    elsewhere = compared(measured("psnr", 50.0, 40.0, **fields), artifact="b.onnx")
    assert left_open([blind, elsewhere]) == [text]


# ------------------------------------------------------------------------------- nobody parses it
SEARCHING = {"startswith", "endswith", "removesuffix", "removeprefix", "partition", "rpartition",
             "split", "find", "index", "search", "match"}  # fmt: skip


def parsed(source: str) -> list[int]:
    """Lines that look for a kind in a text, or compare with a text that a kind is a part of."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        asked: list[ast.expr] = []
        equal = False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = [*node.args] if node.func.attr in SEARCHING else []
        elif isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
            equal = all(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops)
        for leaf in (leaf for one in asked for leaf in ast.walk(one)):
            said = leaf.value if isinstance(leaf, ast.Constant) else None
            if not isinstance(said, str) or (equal and said in KINDS):  # m.kind == "psnr"
                continue
            if any(re.search(rf"\b{word}\b", said) for word in (*KINDS, "unsteady")):
                found.add(leaf.lineno)
    return sorted(found)


@pytest.mark.parametrize(
    "line",
    [
        'm.name.endswith("psnr")',
        'm.name.endswith(("psnr", "label_agreement"))',
        '"scores psnr" in m.name',
        '"psnr" in m.name',
        'm.name == "logits psnr"',
        'm.name.removesuffix(" (unsteady)")',
        'm.name.startswith(f"{port.name} label_agreement")',
    ],
)
def test_a_parser_of_names_would_be_found(line: str) -> None:
    assert parsed(line) == [1]


def test_a_field_may_be_compared() -> None:
    assert parsed('name == "indices"') == []  # which has dice in it
    assert parsed('m.kind == "psnr" and m.reading == "graph" and m.steady') == []


def test_nobody_reads_a_kind_out_of_a_text() -> None:
    root = Path(lading.__file__).parent
    found = {
        str(path.relative_to(root)): lines
        for path in sorted(root.rglob("*.py"))
        if (lines := parsed(path.read_text(encoding="utf-8")))
    }
    assert found == {}
