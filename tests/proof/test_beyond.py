"""What a file says of its inputs beside their names: whole numbers, sizes, what may be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lading.errors import RequestError
from lading.interface import Options, wrap
from lading.interface.matching import matched
from lading.proof.compare import every_runtime
from lading.proof.original import Original
from lading.proof.probes import make
from lading.record import Comparison, Port, Task
from tests import toys
from tests.standin import Changed, Fake

Sizes = Callable[[tuple[int, ...]], bool]


def test_a_file_of_whole_numbers_is_no_file_of_a_network_of_others() -> None:
    one = toys.interface()
    record = Fake(one, Changed(one)).record
    whole = replace(record, inputs=(replace(record.inputs[0], dtype="int32"),))
    with pytest.raises(RequestError, match="loses all others"):
        matched(whole, one)


def judged(shape: tuple[int, ...], wrong: Sizes = lambda shape: False, **claims: Any) -> Comparison:
    """A file that takes more than the default size, and is wrong where `wrong` says."""
    one = wrap(toys.net(), toys.task(), Options())

    def change(outputs: dict[str, Any]) -> None:
        if wrong(outputs["logits"].shape):
            outputs["logits"] *= np.float32(0.0)

    port = replace(one.inputs[0], shape=shape, multiples=(), **claims)
    artifact = Fake(one, Changed(one, change), inputs=(port,))
    record, one = matched(artifact.record, one)
    original = Original(one, make(one))
    (found,) = every_runtime(original, artifact, record, lambda *_: None)
    return found


@pytest.mark.parametrize(
    ("shape", "wrong"),
    [
        ((-1, 1, 16, 16), lambda shape: shape[0] > 2),
        ((-1, 1, 16, 16), lambda shape: shape[0] == 2),
        ((1, 1, -1, -1), lambda shape: shape[2] > 40),
        ((1, 1, -1, -1), lambda shape: shape[2] != shape[3]),
        ((1, 1, -1, -1), lambda shape: shape[2] < 16),
        ((1, 1, 16, -1), lambda shape: 16 < shape[3] < 40),
    ],
    ids=["large batch", "batch", "large", "not square", "small", "inner"],
)
def test_open_sizes_are_run_and_the_others_are_said_to_be_open(
    shape: tuple[int, ...], wrong: Sizes
) -> None:
    assert judged(shape, wrong).verdict == "fail"
    right = judged(shape)
    assert right.verdict == "pass", right.reason
    assert [left.what for left in right.unproved] == ["claims"]
    assert right.unproved[0].why.endswith("and at no other size that it takes")


class Two(torch.nn.Module):
    """Two inputs, one of which is as long as the other is wide."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * mask[:, None, :]


@pytest.mark.parametrize(
    "wrong",
    [lambda n: n[2] > 12, lambda n: n[2] < 6, lambda n: n[0] > 2, lambda n: n[1] == 3],
    ids=["long", "short", "batch", "nothing of it"],
)
def test_open_sizes_of_several_inputs_are_run_together(wrong: Sizes) -> None:
    x = Port("x", "tensor", "float32", (1, 4, 8))
    mask = Port("mask", "tensor", "float32", (1, 8))
    task = Task("module", (x, mask), (Port("y", "tensor", "float32", (1, 4, 8)),))
    one = wrap(Two(), task, Options())

    def change(outputs: dict[str, Any]) -> None:
        if wrong(outputs["y"].shape):
            outputs["y"] *= np.float32(0.0)

    ports = (replace(x, shape=(-1, 4, -1)), replace(mask, shape=(-1, -1)))
    artifact = Fake(one, Changed(one, change), inputs=ports)
    record, one = matched(artifact.record, one)
    original = Original(one, make(one))
    (found,) = every_runtime(original, artifact, record, lambda *_: None)
    assert found.verdict == ("pass" if not wrong((1, 4, 24)) and not wrong((5, 4, 4)) else "fail")
    (left,) = found.unproved
    assert "batch=5 x.2=24" in left.why
    assert "does not run" not in left.why


def test_every_listed_size_is_run() -> None:
    listed = tuple((1, 1, n, n) for n in (16, 32, 18))
    assert judged(listed[0], enumerated=listed).unproved == ()
    wrong = judged(listed[0], lambda shape: shape[2] == 18, enumerated=listed)
    assert "size 1x1x18x18" in wrong.reason


def test_a_size_at_which_the_original_does_not_run_is_named() -> None:
    listed = tuple((1, 1, n, n) for n in (16, 17))
    (left,) = judged(listed[0], enumerated=listed).unproved
    assert left.why == "the original itself does not run at 1×1×17×17"


def test_what_may_be_left_out_was_not_compared() -> None:
    one = toys.interface()
    artifact = Fake(one, Changed(one), details={"optional": "image"})
    original = Original(one, make(one)[:1])
    (found,) = every_runtime(original, artifact, artifact.record, lambda *_: None)
    assert [left.why for left in found.unproved] == [
        "image may be left out, and what is given then was not compared"
    ]


def test_what_was_covered_is_in_the_comparison() -> None:
    one = toys.interface()
    artifact = Fake(one, Changed(one))
    original = Original(one, make(one))
    (found,) = every_runtime(original, artifact, artifact.record, lambda *_: None)
    (covered,) = found.covered
    assert covered.input == "image"
    assert covered.low < -1000 < 1000 < covered.high
