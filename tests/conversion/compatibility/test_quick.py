"""The quick conversion writes the bytes of the plain one, and refuses what is no program."""

from __future__ import annotations

import contextlib
import gc
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


@pytest.mark.parametrize("nested", [False, True])
def test_what_packed_weights_flow_into_is_known_where_there_are_any(nested: bool) -> None:
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil.passes.helper import block_context_manager

    def packed() -> Any:
        return Builder.constexpr_affine_dequantize(
            quantized_data=np.int8([[1, 2], [3, 4]]), axis=0, scale=np.float32(0.5),
            zero_point=np.int8(0), name="packed",
        )  # fmt: skip

    @Builder.program(input_specs=[Builder.TensorSpec((2, 2))])
    def program(x: Any) -> Any:
        if not nested:
            return Builder.relu(x=Builder.add(x=x, y=packed()), name="y")
        some = Builder.greater(x=Builder.reduce_sum(x=x, keep_dims=False), y=0.0)
        return Builder.cond(pred=some, _true_fn=packed, _false_fn=lambda: x, name="y")

    @block_context_manager
    def left(block: Any) -> None:
        """As a pass leaves it."""

    (y,) = program.functions["main"].outputs
    read = y.op.inputs["x"] if not nested else y.op.blocks[0].outputs[0]
    known = set(read.nonreplaceable_vars_upstream)
    assert [one.name for one in known] == ["packed"]
    with quick.quick():
        read.nonreplaceable_vars_upstream = set()
        left(program.functions["main"])
        assert read.nonreplaceable_vars_upstream == known


@pytest.fixture
def thawed() -> None:
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_collections_within_leave_out_what_was_there_before() -> None:
    with quick.quick():
        assert gc.get_freeze_count() > 10_000
        with quick.quick():
            pass
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("thawed")
def test_what_a_user_froze_stays_so() -> None:
    gc.freeze()
    try:
        before = gc.get_freeze_count()  # less whatever is let go of meanwhile
        made = [[] for _ in range(before)]
        with quick.quick():
            assert gc.get_freeze_count() <= before
        assert before / 2 < gc.get_freeze_count() <= before < len(made) + 1
    finally:
        gc.unfreeze()


def test_nothing_of_it_stays() -> None:
    from coremltools.converters.mil.mil.program import Program

    before = Program.validate, Program.__str__
    with quick.quick():
        assert Program.validate is not before[0]
    assert (Program.validate, Program.__str__) == before
