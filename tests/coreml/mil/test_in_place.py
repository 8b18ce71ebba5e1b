"""A result is written where its input lies only where nobody else can see that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder

from lading.coreml import mil
from lading.coreml.mil import registry
from tests.coreml.mil.conftest import save_built

SHAPE = (1, 3, 8, 8)
WEIGHT = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32)


def conv(x: Any, name: str = "c") -> Any:
    return Builder.conv(x=x, weight=WEIGHT, pad_type="same", name=name)


def leaky(x: Any, name: str = "y") -> Any:
    return Builder.leaky_relu(x=x, alpha=0.25, name=name)


def alone(x: Any) -> Any:
    return leaky(conv(x))


def silu_of_a_norm(x: Any) -> Any:
    return Builder.silu(x=Builder.instance_norm(x=x, name="c"), name="y")


def of_the_input(x: Any) -> Any:
    return leaky(x)


def read_before_and_after(x: Any) -> Any:
    c = conv(x)
    before = Builder.mul(x=c, y=2.0, name="before")
    y = leaky(c)
    return Builder.add(x=Builder.add(x=before, y=y, name="both"), y=c, name="z")


def an_output_itself(x: Any) -> Any:
    c = conv(x)
    return leaky(c), c


def seen_through_a_view(x: Any) -> Any:
    c = conv(x)
    flat = Builder.reshape(x=c, shape=(3, 64), name="flat")
    y = Builder.reshape(x=leaky(c), shape=(3, 64), name="long")
    return Builder.sub(x=y, y=flat, name="z")


def of_what_may_share_its_memory(x: Any) -> Any:
    c = conv(x)
    y = Builder.reshape(x=leaky(Builder.reshape(x=c, shape=(3, 64))), shape=SHAPE, name="long")
    return Builder.add(x=y, y=c, name="z")


def again_and_again_in_a_loop(x: Any) -> Any:
    c = conv(x)

    def more(i: Any, a: Any) -> Any:
        return Builder.less(x=i, y=3.0)

    def step(i: Any, a: Any) -> Any:
        return Builder.add(x=i, y=1.0), Builder.add(x=a, y=leaky(c, "inner"))

    return Builder.while_loop(_cond=more, _body=step, loop_vars=(0.0, x), name="loop")[1]


PROGRAMS = (
    alone,
    silu_of_a_norm,
    of_the_input,
    read_before_and_after,
    an_output_itself,
    seen_through_a_view,
    of_what_may_share_its_memory,
    again_and_again_in_a_loop,
)
TAKEN = {alone: 1, silu_of_a_norm: 1}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__name__)
def test_the_same_as_with_memory_for_each_result(
    program: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_built(program, {"x": (SHAPE, "fp32")}, "iOS17", tmp_path)
    x = {"x": np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)}
    before, find, over = x["x"].copy(), registry.find, list[str]()

    def watched(name: str, *rest: Any) -> registry.Operation:
        one = find(name, *rest)
        variant = one.over
        if variant is None:
            return one
        return replace(one, over=lambda *given, **named: (
            over.append(name), variant(*given, **named))[1])  # fmt: skip

    monkeypatch.setattr(registry, "find", watched)
    made = [mil.load(path).predict(x) for _ in range(2)]
    taken = len(over)
    monkeypatch.setattr(registry, "find", lambda *asked: replace(find(*asked), over=None))
    for name, wanted in mil.load(path).predict(x).items():
        for got in made:
            np.testing.assert_array_equal(got[name], wanted)
    np.testing.assert_array_equal(x["x"], before)
    assert taken == 2 * TAKEN.get(program, 0)


@pytest.mark.parametrize("name", [n for n, many in registry.operations().items() if many[0].over])
def test_every_variant_gives_the_same_bits(name: str) -> None:
    import torch

    operation = registry.find(name, "CoreML8")
    assert operation.over is not None
    more = {p: 0.3 for p in operation.parameters if p != "x"}
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    x[:4] = torch.tensor([0.0, -0.0, float("inf"), float("nan")])
    wanted = operation.function(x.clone(), **more)
    got = operation.over(x, **more)
    assert got.data_ptr() == x.data_ptr()
    assert torch.equal(got.view(torch.int32), wanted.view(torch.int32))
