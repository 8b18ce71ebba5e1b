"""What Apple's loader refuses: each rule on a program that breaks it and on one that does not; and
no file that breaks one is signed."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lading.coreml.mil.program import Block, Constant, Function, Op, Program, Value, ValueType
from lading.formats import Artifact
from lading.formats.coreml.limits import TABLE, broken
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from lading.proof.probes import make
from tests import toys
from tests.standin import Changed, Fake


def value(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Value:
    return Value(name, ValueType("tensor", dtype, shape))


def constant(data: Any) -> Constant:
    array = np.asarray(data)
    dtype = "string" if array.dtype.kind == "U" else str(array.dtype)
    return Constant(
        ValueType("tensor", dtype, array.shape), str(data) if dtype == "string" else array
    )


def op(kind: str, made: Value, **inputs: Any) -> Op:
    return Op(kind, kind, {name: (one,) for name, one in inputs.items()}, (made,))


def said(
    operations: Sequence[Op],
    inputs: Sequence[Value],
    outputs: Sequence[str] = ("y",),
    version: int = 8,
) -> str:
    block = Block(tuple(inputs), tuple(outputs), tuple(operations))
    program = Program({"main": Function("main", tuple(inputs), "CoreML7", block)})
    model: Any = SimpleNamespace(leaves=[SimpleNamespace(program=program, specification=version)])
    return broken(model)


VOLUME = value("x", (1, 1, 6, 6, 6))


def padded(*amounts: int, mode: str = "reflect", x: Value = VOLUME) -> str:
    pad = op("pad", value("y", x.type.shape or ()), x="x", pad=constant(np.array(amounts)),
             mode=constant(mode))  # fmt: skip
    return said([pad], [x])


@pytest.mark.parametrize(
    ("right", "wrong", "how"),
    [
        (padded(0, 0, 0, 0, 0, 0, 1, 1, 1, 1), padded(0, 0, 0, 0, 1, 0, 0, 0, 0, 0), "axis 2 of 5"),
        (padded(1, 1, 1, 1), padded(1, 1, 0, 0, 0, 0, mode="replicate"), "axis 2 of 5"),
        (padded(1, 1, 1, 1, 1, 1, mode="constant"), padded(1, 1, 1, 1, 1, 1), "axis 2 of 5"),
        (padded(5, 5), padded(6, 0), "by 6 of an axis of 6"),
        (padded(6, 6, mode="replicate"), padded(0, 7, mode="replicate"), "by 7 of an axis of 6"),
        (said([op("relu", value("y", (1,) * 5), x="x")], [VOLUME]),
         said([op("reshape", value("y", (1,) * 6), x="x")], [VOLUME]), "6 axes"),
        (said([op("relu", value("y", (1,)), x="x")], [VOLUME]),
         said([op("slice_by_index", value("y", (0, 3)), x="x")], [VOLUME]), "no element"),
        (said([op("linear", value("y", (1, 2), "int32"), x="x", weight="w")], [VOLUME]),
         said([op("linear", value("y", (1, 2), "int32"), x="x", weight=constant(np.eye(2)))],
              [VOLUME]), "an int32 linear"),
        (said([op("relu", value("y", (1,)), x="x")], [VOLUME]),
         said([op("fill", value("y", (1,)), shape=constant(np.array([1])))], []), "no input"),
        (said([op("identity", value("y", (1,)), x="x")], [VOLUME]),
         said([], [VOLUME], ["x"]), "an output that is an input"),
    ],
)  # fmt: skip
def test_every_limit_has_a_program_that_breaks_it(right: str, wrong: str, how: str) -> None:
    assert right == ""
    assert wrong.startswith("Core ML does not load it: ")
    assert how in wrong
    assert "https://" in wrong


def test_a_version_that_does_not_hold_the_operations_is_refused() -> None:
    relu = [op("relu", value("y", (1,)), x="x")]
    assert [bool(said(relu, [VOLUME], version=n)) for n in (7, 8, 9)] == [True, False, False]
    assert "CoreML7, which needs 8" in said(relu, [VOLUME], version=7)


def test_every_limit_has_its_report() -> None:
    assert all(url.startswith("https://") for limit in TABLE for url in limit.reports)
    assert all(limit.reports for limit in TABLE)


def test_a_file_that_is_not_loaded_is_not_signed_whatever_it_gives() -> None:
    class Refused(Fake):
        def unloadable(self) -> str:
            return "Core ML does not load it: for this test"

    one = toys.interface()
    artifact: Artifact = Refused(one, Changed(one))
    (found,) = every_runtime(
        Original(one, make(one)[:1]), artifact, artifact.record, lambda *_: None
    )
    assert (found.verdict, found.reason) == ("fail", "Core ML does not load it: for this test")
