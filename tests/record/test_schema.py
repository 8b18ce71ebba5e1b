"""The schema takes every bill that the records can say, and nothing else."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from lading.record import (
    SCHEMA,
    ArtifactRecord,
    Bill,
    CaptureRecord,
    CheckpointRecord,
    Claim,
    Comparison,
    Conflict,
    Finding,
    HyperParameter,
    LedgerLine,
    LedgerSummary,
    Measurement,
    ProbeRecord,
    RepairRecord,
    Sign,
    from_json,
    schema,
    to_json,
)
from tests.toys import task


def bill() -> Bill:
    """One with something in every field."""
    one = task()
    claims = (Claim("tensors", 7, "encoder.*"), Claim("embedded", 6, "init_args.plans"))
    measured = Measurement("logits", "psnr", math.inf, 60.0, "because", "noise-0")
    return Bill(
        schema=SCHEMA,
        lading="0.1",
        verdict="fail",
        checkpoint=CheckpointRecord("a.pth", "00", 12, "zip", ("unwrapped network_weights",)),
        family="nnunet",
        signs=(Sign("an encoder", True), Sign("a decoder", False, "nothing")),
        hyperparameters=(HyperParameter("stages", [1, [2.5]], "tensors", "encoder.*", ("8",)),),
        conflicts=(Conflict("stages", claims, "tensors"),),
        task=one,
        ledger=(LedgerLine("a", (8, 1), "float32", "loaded", "", "00"),),
        ledger_summary=LedgerSummary(1, 1, 1, 0, 0, 0, 8),
        capture=CaptureRecord(
            "trace", "export failed", (RepairRecord("r", ("a",), "b", "c"),), ("onnx by export: x",)
        ),
        artifacts=(
            ArtifactRecord(
                "onnx",
                "a.onnx",
                12,
                "00",
                "fp32",
                one.inputs,
                one.outputs,
                "trace",
                {"opset": "18"},
            ),
        ),
        probes=(ProbeRecord("noise-0", "noise", "Philox key 0", "00"),),
        comparisons=(
            Comparison(
                "a.onnx",
                "onnxruntime",
                "torch",
                1,
                (measured,),
                (Finding("a", "b", "c"),),
                "fail",
                "x",
            ),
        ),
        request={"path": "a.pth", "to": ["onnx"], "force": False},
        notices=("slow",),
        environment={"numpy": "2.3.5"},
    )


@pytest.fixture(scope="module")
def validator() -> Any:
    told = json.loads(schema.dumps())
    kind = jsonschema.validators.validator_for(told)
    kind.check_schema(told)
    return kind(told)


@pytest.fixture
def data() -> Any:
    return json.loads(json.dumps(to_json(bill()), allow_nan=False))


def test_a_bill_is_valid_and_comes_back(validator: Any, data: Any) -> None:
    validator.validate(data)
    assert from_json(Bill, data) == bill()


def test_no_capture_is_valid(validator: Any, data: Any) -> None:
    validator.validate(data | {"capture": None})


def _put(path: str, value: Any) -> Callable[[Any], None]:
    *way, last = [int(p) if p.isdigit() else p for p in path.split("/")]

    def change(data: Any) -> None:
        for part in way:
            data = data[part]
        data[last] = value

    return change


def _drop(path: str) -> Callable[[Any], None]:
    *way, last = [int(p) if p.isdigit() else p for p in path.split("/")]

    def change(data: Any) -> None:
        for part in way:
            data = data[part]
        del data[last]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_put("verdict", "maybe"), "'maybe' is not one of"),
        (_put("schema", SCHEMA + 1), "was expected"),
        (_put("colour", "red"), "'colour' was unexpected"),
        (_put("task/inputs/0/colour", "red"), "'colour' was unexpected"),
        (_put("ledger/0/shape", ["8"]), "'8' is not of type 'integer'"),
        (_put("ledger/0/shape", "8"), "'8' is not of type 'array'"),
        (_put("ledger/0/fate", "lost"), "'lost' is not one of"),
        (_put("comparisons/0/measurements/0/value", "many"), "'many' is not valid"),
        (_put("comparisons/0/measurements/0/value", None), "None is not valid"),
        (_put("comparisons/0/measurements/0/kind", "logits psnr"), "'logits psnr' is not one of"),
        (_drop("comparisons/0/measurements/0/better"), "'better' is a required property"),
        (_put("checkpoint", None), "None is not of type 'object'"),
        (_put("environment/numpy", 2), "2 is not of type 'string'"),
        (_put("artifacts", {}), "{} is not of type 'array'"),
        (_drop("verdict"), "'verdict' is a required property"),
        (_drop("ledger/0/sha256"), "'sha256' is a required property"),
        (_drop("comparisons/0/measurements/0/gate"), "'gate' is a required property"),
    ],
)
def test_what_is_no_bill_is_refused(
    validator: Any, data: Any, change: Callable[[Any], None], said: str
) -> None:
    wrong = copy.deepcopy(data)
    change(wrong)
    errors = [error.message for error in validator.iter_errors(wrong)]
    assert len(errors) == 1, errors
    assert said in errors[0]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", 1, 1.5])
def test_numbers_that_json_cannot_say(validator: Any, data: Any, value: Any) -> None:
    _put("comparisons/0/measurements/0/value", value)(data)
    validator.validate(data)


def test_the_text_is_the_same_every_time() -> None:
    assert schema.dumps() == schema.dumps()
    assert json.loads(schema.dumps()) == schema.of_bill()


def test_a_kind_without_a_json_form_is_an_error() -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        schema._of(bytes)
