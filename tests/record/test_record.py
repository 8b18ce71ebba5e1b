"""Records to JSON and back, whatever they hold; what is no record is refused."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from lading import record as evidence
from lading.record import (
    Bill,
    Comparison,
    HyperParameter,
    LedgerLine,
    Measurement,
    Port,
    Recognition,
    Task,
    from_json,
    to_json,
)

NAN = math.nan
#: A value of any kind, as it comes back: JSON has lists only, and says no NaN outside float fields.
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def records(kind: type) -> st.SearchStrategy[Any]:
    """Any record of class `kind`, in every field any value of its type."""
    hints = typing.get_type_hints(kind)
    values = {
        f.name: st.sampled_from(f.metadata["enum"])
        if "enum" in f.metadata
        else _field(hints[f.name])
        for f in dataclasses.fields(kind)
        if f.init
    }

    def made(**given: Any) -> Any:
        try:
            return kind(**given)
        except ValueError:  # a record may refuse what does not go together
            reject()

    return st.builds(made, **values)


def _field(kind: Any) -> st.SearchStrategy[Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return PLAIN
    if dataclasses.is_dataclass(kind):
        return records(kind)  # type: ignore[arg-type]
    if origin is tuple:
        return st.lists(_field(args[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(), _field(args[1]), max_size=2)
    if args and type(None) in args:
        return st.none() | _field(next(a for a in args if a is not type(None)))
    return st.from_type(kind)


KINDS = [
    kind
    for kind in vars(evidence).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
]


def same(a: Any, b: Any) -> bool:
    """Equality in which NaN equals NaN; int 1 differs from True and from 1.0."""
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_record_comes_back(kind: type) -> None:
    @settings(max_examples=25, deadline=None)
    @given(records(kind))
    def comes_back(record: Any) -> None:
        text = json.dumps(to_json(record), allow_nan=False)
        assert same(from_json(kind, json.loads(text)), record)

    comes_back()


@given(st.floats())
def test_floats_come_back_exactly(value: float) -> None:
    one = Measurement("a", "psnr", value, value, "b")
    text = json.dumps(to_json(one), allow_nan=False)
    assert same(from_json(Measurement, json.loads(text)), one)


def test_what_json_cannot_say_is_a_word() -> None:
    one = Measurement("a", "max_abs", math.inf, -math.inf, "b")
    told = to_json(one)
    assert (told["value"], told["gate"]) == ("inf", "-inf")
    assert to_json(NAN) == "nan"


def test_missing_fields_take_their_default() -> None:
    port = from_json(Port, {"name": "x", "kind": "tensor", "dtype": "float32", "shape": [1]})
    assert port == Port("x", "tensor", "float32", (1,))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (LedgerLine, {"fate": "lost"}),
        (LedgerLine, {"shape": "8"}),
        (LedgerLine, {"shape": ["8"]}),
        (LedgerLine, {"shape": [True]}),
        (LedgerLine, {"shape": None}),
        (LedgerLine, {"name": 3}),
        (LedgerLine, {"colour": "red"}),
        (Measurement, {"value": "many"}),
        (Measurement, {"value": None}),
        (Measurement, {"kind": "logits psnr"}),
        (Measurement, {"better": None}),
        (Measurement, {"better": "lower"}),
        (Task, {"inputs": {"name": "x"}}),
        (Task, {"inputs": ["x"]}),
        (Task, {"notes": ["x"]}),
        (Task, {"notes": {"a": 1}}),
        (Comparison, {"verdict": "maybe"}),
    ],
)
def test_what_is_no_record_is_refused(kind: type, change: dict[str, Any]) -> None:
    sound = {
        LedgerLine: LedgerLine("a", (8,), "float32", "loaded", "", "00"),
        Measurement: Measurement("a", "psnr", 1.0, 2.0, "b"),
        Task: Task("module", (), ()),
        Comparison: Comparison("a", "b", "c", 1, (), (), "pass"),
    }[kind]
    data = to_json(sound)
    assert from_json(kind, data) == sound
    with pytest.raises((TypeError, KeyError, ValueError)):
        from_json(kind, data | change)


@pytest.mark.parametrize("data", [None, [], "bill", 1])
def test_no_object_at_all(data: Any) -> None:
    with pytest.raises(TypeError, match="Bill"):
        from_json(Bill, data)


def test_a_record_holds_no_array() -> None:
    with pytest.raises(TypeError, match="ndarray has no place in a record"):
        to_json({"a": [np.zeros(2)]})
    with pytest.raises(TypeError, match="type has no place"):
        to_json(Port)


def test_a_recognition_gives_values_by_name() -> None:
    one = HyperParameter("stages", 7, "tensors", "encoder.*")
    recognition = Recognition("f", "F", (), (one,))
    assert recognition["stages"] == 7
    with pytest.raises(KeyError, match="heads"):
        recognition["heads"]


def test_evidence_needs_no_torch() -> None:
    code = "import sys, lading.record.schema, lading.errors; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
