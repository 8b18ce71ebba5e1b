"""Hazards: each rule on a program that has it and on one that has not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading import cli
from lading.coreml.mil.program import Constant, Op, Value, ValueType
from lading.formats import open_artifact
from lading.formats.coreml.hazards import TABLE, _Program
from lading.record import ArtifactRecord, Port

PLAIN = ArtifactRecord(
    "coreml", "x.mlpackage", 1, "", "fp16",
    (Port("x", "tensor", "float32", (1, 3, 8, 8)),),
    (Port("y", "tensor", "float32", (1, 3, 8, 8)),), "export",
)  # fmt: skip


def op(kind: str, shape: tuple[int, ...] = (1, 4), dtype: str = "float16", **inputs: Any) -> Op:
    bound = {name: (one,) for name, one in inputs.items()}
    return Op(kind, kind, bound, (Value(f"{kind}_out", ValueType("tensor", dtype, shape)),))


def number(value: float) -> Constant:
    return Constant(ValueType("tensor", "float16", ()), np.asarray(value, np.float32))


def applying(*operations: Op, record: ArtifactRecord = PLAIN, **constants: Constant) -> set[str]:
    program = _Program(record, operations, constants)
    return {hazard.name for hazard, rule in TABLE if list(rule(program))}


OUT = PLAIN.outputs[0]
IN = PLAIN.inputs[0]


@pytest.mark.parametrize(
    ("name", "operations", "changes", "harmless"),
    [
        ("norm over three spatial axes", [op("instance_norm", (1, 2, 4, 4, 4))], {},
         [op("instance_norm", (1, 2, 4, 4))]),
        ("softplus or mish in fp16", [op("softplus")], {}, [op("softplus", dtype="float32")]),
        ("log of a softmax in fp16", [op("softmax"), op("log", x="softmax_out")], {},
         [op("softmax"), op("log", x="other")]),
        ("log-sum-exp in fp16", [op("reduce_log_sum_exp")], {}, [op("reduce_sum")]),
        ("square in fp16", [op("mul", x="a", y="a")], {}, [op("mul", x="a", y="b")]),
        ("square in fp16", [op("pow", x="a", y=number(2.0))], {},
         [op("pow", x="a", y=number(3.0))]),
        ("fp16 output whose rows are no multiple of 32", [],
         {"outputs": (replace(OUT, dtype="float16", shape=(1, 13)),)},
         []),
        ("enumerated shapes with several batch sizes", [],
         {"inputs": (replace(IN, enumerated=((1, 3, 8, 8), (4, 3, 8, 8))),)}, []),
        ("2 to the power of a value", [op("pow", x=number(2.0), y="a")], {},
         [op("pow", x=number(3.0), y="a")]),
        ("palettised weights", [op("constexpr_lut_to_dense")], {},
         [op("constexpr_affine_dequantize")]),
        ("3-D convolution over a large volume", [op("conv", (1, 8, 128, 128, 128))], {},
         [op("conv", (1, 8, 8, 8, 8)), op("conv", (1, 64, 512, 512))]),
    ],
)  # fmt: skip
def test_each_rule(
    name: str, operations: list[Op], changes: dict[str, Any], harmless: list[Op]
) -> None:
    assert name in applying(*operations, record=replace(PLAIN, **changes))
    assert name not in applying(*harmless)


def test_a_mask() -> None:
    assert "-inf in a mask" in applying(mask=number(float("-inf")))
    assert "-inf in a mask" in applying(mask=number(-1e9))
    assert "-inf in a mask" not in applying(mask=number(-1e4))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_mask_of_any_width(dtype: type[np.floating[Any]]) -> None:
    """A NaN beside it hides nothing, and is none; nor is the least float16."""
    for values, there in (([-np.inf, 1.0], True), ([np.nan, -np.inf], True), ([np.nan], False),
                          ([-65504.0, np.inf], False), ([], False)):  # fmt: skip
        data = np.asarray(values, dtype)
        mask = Constant(ValueType("tensor", "float16", data.shape), data)
        assert ("-inf in a mask" in applying(mask=mask)) == there


def test_every_hazard_has_its_papers() -> None:
    names = [hazard.name for hazard, _ in TABLE]
    assert len(set(names)) == len(names) >= 10
    for hazard, _ in TABLE:
        assert hazard.symptom
        assert hazard.versions
        assert hazard.remedy
        for address in re.findall(r"\S+", hazard.issue.replace(" and ", " ")):
            assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+/(issues|pull)/\d+", address)


def test_a_program_that_has_one_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from torch import nn

    from lading.conversion.capture import capture
    from lading.formats.coreml import FORMAT
    from lading.interface.settings import Settings
    from tests import toys

    one = toys.interface()
    network: Any = one.module.network
    network.head = nn.Sequential(network.head, nn.Softplus())
    path = tmp_path / "soft.mlpackage"
    FORMAT.convert(capture(one, "trace"), Settings(), path)
    found = open_artifact(path).hazards()
    assert [hazard.name for hazard in found] == ["softplus or mish in fp16"]
    assert found[0].where
    assert cli.main(["inspect", str(path)]) == 0
    assert "hazard     softplus or mish in fp16" in capsys.readouterr().out
