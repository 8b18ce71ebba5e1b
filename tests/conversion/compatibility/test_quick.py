"""The quick conversion writes the bytes of the plain one, and refuses what is no program."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.conversion import apple
from lading.conversion.capture import capture
from lading.conversion.compatibility import quick
from lading.formats import format_named
from lading.interface.settings import Settings
from tests.mutants import networks, strangers
from tests.mutants.court import Subject

SUBJECTS = [
    *(("random", seed) for seed in (1, 4, 7)),
    *(("stranger", name) for name in ("tokens", "gains", "rows")),
]


def subject(kind: str, which: Any) -> Subject:
    return networks.module(which) if kind == "random" else strangers.subject(which)


def written(one: Subject, precision: Any, path: Path) -> dict[str, bytes]:
    form = format_named("coreml")
    form.convert(capture(one.interface(), "export"), Settings(precision), path)
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted(path.rglob("*")) if file.is_file()}  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("kind", "which"), SUBJECTS)
def test_every_byte_is_the_same(
    kind: str, which: Any, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = subject(kind, which)
    fast = written(one, precision, tmp_path / "fast.mlpackage")
    monkeypatch.setattr(apple, "quick", contextlib.nullcontext)
    slow = written(one, precision, tmp_path / "slow.mlpackage")
    assert fast == slow
    assert any(name.endswith(".mlmodel") for name in fast)


def test_a_program_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coremltools.converters.mil.mil.program import Program

    def wrong(self: Any, check_essential_scope: bool = False) -> None:
        raise ValueError("a value is read that nobody makes")

    monkeypatch.setattr(Program, "validate", wrong)
    with pytest.raises(Exception, match="nobody makes"):
        written(networks.module(0), "fp32", tmp_path / "m.mlpackage")


@given(st.lists(st.floats(width=32) | st.sampled_from([65504.0, 65505.0, 1e38, math.inf])))
def test_overflow_is_what_coremltools_says(numbers: list[float]) -> None:
    from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

    held = SimpleNamespace(op_type="const", val=SimpleNamespace(val=np.float32(numbers)))
    var = SimpleNamespace(op=held, is_tensor_or_scalar_of=lambda dtype: True)
    op = SimpleNamespace(inputs={"x": var})
    assert quick._overflows(op) == FP16ComputePrecision.fp16_overflow(op)


def test_nothing_of_it_stays() -> None:
    from coremltools.converters.mil.mil.program import Program

    before = Program.validate, Program.__str__
    with quick.quick():
        assert Program.validate is not before[0]
    assert (Program.validate, Program.__str__) == before
