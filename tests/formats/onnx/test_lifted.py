"""Convolutions along one axis, written along two: the same values under the same names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from torch import nn

from lading.conversion.capture import capture
from lading.formats.onnx import FORMAT
from lading.formats.onnx.lifted import lift
from lading.interface import Interface, Options, wrap
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.record import Port, Task

N, C, L = 2, 4, 12


class Drawn:
    """A network along one axis, operation by operation; every value is [N, C, length]."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.lengths = {"x": L}

    def held(self, *shape: int) -> str:
        values = self.chance.standard_normal(shape).astype(np.float32)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.abs(values) + 0.1, name))
        return name

    def add(self, kind: str, inputs: list[str], length: int, **told: Any) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"node_{name}", **told))
        self.lengths[name] = length

    def model(self, outputs: list[str]) -> Any:
        def port(name: str, length: int) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [N, C, length])

        graph = helper.make_graph(
            self.nodes, "g",
            [port("x", L)],
            [port(name, self.lengths[name]) for name in outputs], self.weights,
        )  # fmt: skip
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        return onnx.shape_inference.infer_shapes(made)


@st.composite
def networks(draw: st.DrawFn) -> Any:
    made = Drawn(draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(1, 9))):
        x = draw(st.sampled_from(sorted(made.lengths)))
        length = made.lengths[x]
        alike = sorted(name for name, other in made.lengths.items() if other == length)
        y = draw(st.sampled_from(alike))
        kind = draw(st.sampled_from(
            ["conv", "conv", "conv", "each", "number", "channels", "two", "join", "pool", "norm",
             "other", "padded"]
        ))  # fmt: skip
        if kind == "conv":
            size, group = draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 4]))
            step, apart = draw(st.integers(1, 2)), draw(st.integers(1, 2))
            pads = [draw(st.integers(0, 2)), draw(st.integers(4, 6))]
            new = (length + sum(pads) - apart * (size - 1) - 1) // step + 1
            weight, bias = made.held(C, C // group, size), made.held(C)
            some = [x, weight] + [bias] * draw(st.booleans())
            made.add("Conv", some, new, kernel_shape=[size], strides=[step], dilations=[apart],
                     pads=pads, group=group)  # fmt: skip
        elif kind == "padded":
            made.add("Conv", [x, made.held(C, C, 3)], length, auto_pad="SAME_UPPER")
        elif kind == "each":
            made.add(draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Erf", "Abs"])), [x], length)
        elif kind == "number":
            made.add("Mul", [made.held(), x], length)
        elif kind == "channels":
            made.add("Add", [x, made.held(C, 1)], length)
        elif kind == "two":
            made.add("Add", [x, y], length)
        elif kind == "join":
            some = [x, y] if draw(st.booleans()) else [x]
            made.add("Concat", some, length, axis=1)
            made.add("Conv", [f"v{len(made.nodes) - 1}", made.held(C, C * len(some), 1)], length)
            del made.lengths[f"v{len(made.nodes) - 2}"]  # of other channels
        elif kind == "pool":
            over = draw(st.sampled_from(["MaxPool", "AveragePool"]))
            made.add(over, [x], length, kernel_shape=[3], strides=[1], pads=[1, 1])
        elif kind == "norm":
            made.add("BatchNormalization", [x, *(made.held(C) for _ in range(4))], length)
        elif length > 1:
            made.add("Softmax", [x], length, axis=2)
    names = st.sampled_from([name for name in made.lengths if name != "x"])
    return made.model(draw(st.lists(names, min_size=1, max_size=3, unique=True)))


def values(model: Any) -> list[Any]:
    """By ONNX Runtime, as the file says it: onnx's own evaluator has no padded 1-D maximum."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    raw = model.SerializeToString()
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(5).standard_normal((N, C, L)).astype(np.float32)
    return list(session.run(None, {"x": x}))


@given(networks())
def test_it_computes_what_it_did(model: Any) -> None:
    before = values(model)
    weights = {one.name: numpy_helper.to_array(one).tobytes() for one in model.graph.initializer}
    named = {name: node.op_type for node in model.graph.node for name in node.output}
    wide = {one.name: one.dims[-1] for one in model.graph.initializer if len(one.dims) == 3}
    along_one = [
        node for node in model.graph.node
        if node.op_type == "Conv" and not any(one.name == "auto_pad" for one in node.attribute)
        and wide[node.input[1]] > 1
    ]  # fmt: skip
    outputs = [value.name for value in model.graph.output]
    assert lift(model) == len(along_one)
    assert [value.name for value in model.graph.output] == outputs
    onnx.checker.check_model(model, full_check=True)
    for one, other in zip(before, values(model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    now = {one.name: numpy_helper.to_array(one).tobytes() for one in model.graph.initializer}
    assert weights.items() <= now.items()
    # who made a value makes it still, under its name, but where it leaves the graph
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    assert all(makers[name] == kind for name, kind in named.items() if name not in outputs)


def read(text: str, **weights: tuple[int, ...]) -> Any:
    model = parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> g {text}')
    for name, shape in weights.items():
        values_of = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        model.graph.initializer.append(numpy_helper.from_array(values_of, name))
    onnx.checker.check_model(model, full_check=True)
    return model


def computed(model: Any, **fed: Any) -> Any:
    return list(ReferenceEvaluator(model).run(None, fed))[0]  # noqa: RUF015


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_between_two_convolutions_nothing_turns_back() -> None:
    model = read(
        """(float[2,4,12] x) => (float[2,4,1] y) <float slope = {0.5}> {
            a = Conv(x, w)
            least = Constant <value = float {0}> ()
            b = Clip(a, least)
            c = Mul(slope, b)
            d = MaxPool <kernel_shape = [3], strides = [1], pads = [1, 1]> (c)
            e = Conv <pads = [1, 1]> (d, v)
            f = Add(d, e)
            y = GlobalAveragePool(f) }""",
        w=(4, 4, 3), v=(4, 4, 3),
    )  # fmt: skip
    assert lift(model) == 2
    assert kinds(model) == [
        "Unsqueeze", "Conv", "Constant", "Clip", "Mul", "MaxPool", "Conv", "Add",
        "GlobalAveragePool", "Squeeze",
    ]  # fmt: skip


LONG = (1 << 22) // (4 * 4 * 3)


@pytest.mark.parametrize(
    ("length", "groups", "count"),
    [
        (LONG, 1, 1),
        (LONG + 1, 1, 0),  # ONNX Runtime would give all of it to one thread
        (4 * LONG, 2, 1),
        (4 * LONG + 2, 2, 0),
        (16 * LONG, 4, 1),
        (17 * LONG, 4, 0),  # less than a block of channels by themselves
        (0, 1, 0),  # nobody says how long
        (0, 4, 0),
    ],
)
def test_short_lines(length: int, groups: int, count: int) -> None:
    assert lift(of_a_line(4, length, groups)) == count


@pytest.mark.parametrize("length", [0, 1 << 22])
def test_a_block_of_channels_by_themselves_whatever_its_length(length: int) -> None:
    assert lift(of_a_line(16, length, 16)) == 1
    assert lift(of_a_line(16, length, 8)) == 0


def of_a_line(channels: int, length: int, groups: int) -> Any:
    size, given = (length or "n"), (length + 2 if length else "m")
    return read(
        f"(float[1,{channels},{given}] x) => (float[1,{channels},{size}] y) "
        f"{{ y = Conv <group = {groups}> (x, w) }}",
        w=(channels, channels // groups, 3),
    )  # fmt: skip


def test_what_a_matrix_multiplies_is_left() -> None:
    model = read("(float[2,4,12] x) => (float[2,4,12] y) { y = Conv(x, w) }", w=(4, 4, 1))
    assert lift(model) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("y = Conv(x, w) z = Relu(w)", "something else reads the weight"),
        ("y = Conv(w, w)", "as well as a convolution"),
        ('y = Conv <auto_pad = "SAME_UPPER"> (x, w)', "the border is not said in numbers"),
    ],
)
def test_what_is_left(text: str, why: str) -> None:
    first = "float[4,4,12]" if "w, w" not in text else "float[4,4,3]"
    outputs = "float[a,b,c] y" + (", float[d,e,f] z" if "z =" in text else "")
    model = read(f"({first} x) => ({outputs}) {{ {text} }}", w=(4, 4, 3))
    before = model.SerializeToString()
    assert lift(model) == 0, why
    assert model.SerializeToString() == before


def test_a_weight_that_a_caller_may_feed_is_left() -> None:
    model = read(
        "(float[4,4,12] x, float[4,4,3] w) => (float[a,b,c] y) { y = Conv(x, w) }", w=(4, 4, 3)
    )
    assert lift(model) == 0


def test_a_branch_reads_the_values_that_it_read() -> None:
    model = read(
        """(float[2,4,12] x, bool which) => (float[a,b,c] y) {
            a = Conv(x, w)
            r = Relu(a)
            y = If (which) <
                then_branch = one () => (float[d,e,f] p) { p = Softmax <axis = 2> (r) },
                else_branch = two () => (float[g,h,i] q) { q = Identity(r) } > }""",
        w=(4, 4, 3),
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 12)).astype(np.float32)
    before = [computed(model, x=x, which=np.array(which)) for which in (True, False)]
    assert lift(model) == 1
    onnx.checker.check_model(model, full_check=True)
    for which, wanted in zip((True, False), before, strict=True):
        now = computed(model, x=x, which=np.array(which))
        np.testing.assert_allclose(now, wanted, rtol=1e-5)


def test_names_that_are_taken_stay_their_owners() -> None:
    model = read(
        """(float[2,4,12] x) => (float[a,b,c] y) {
            x_2d = Sigmoid(x)
            row_axis = Conv(x, w)
            row_axis_1d = Softmax <axis = 2> (row_axis)
            m = ReduceSum(x_2d)
            y = Add(row_axis_1d, m) }""",
        w=(4, 4, 3),
    )
    before = computed(model, x=np.ones((2, 4, 12), np.float32))
    assert lift(model) == 1
    onnx.checker.check_model(model, full_check=True)
    after = computed(model, x=np.ones((2, 4, 12), np.float32))
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert max(Counter(name for n in model.graph.node for name in n.output).values()) == 1


SEVERAL = """
import sys
from tests.formats.onnx.test_lifted import lift, read
names = "abcdefgh"
lines = " ".join(f"{name} = Conv(x, w)" for name in names)
outputs = ", ".join(f"float[2,4,10] {name}" for name in (*names, "s"))
model = read(f"(float[2,4,12] x) => ({outputs}) {{ {lines} s = Softmax(a) }}", w=(4, 4, 3))
assert lift(model) == len(names)
sys.stdout.buffer.write(model.SerializeToString(deterministic=True))
"""


def test_the_same_bytes_in_every_process() -> None:
    made = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SEVERAL], check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in "123"
    }  # fmt: skip
    assert len(made) == 1


class Line(nn.Module):
    """Convolutions along one axis as networks of sounds have them. [N, 4, 32] -> [N, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm1d(8)
        self.second = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.norm(self.first(x)))
        x = x + nn.functional.leaky_relu(self.second(x), 0.1)
        x = nn.functional.max_pool1d(x, 2)
        scores: torch.Tensor = self.head(x.mean(-1))
        return scores


def line() -> Interface:
    torch.manual_seed(3)
    sound = Port("sound", "tensor", "float32", (1, 4, 32), meaning="samples")
    scores = Port("logits", "tensor", "float32", (1, 3), meaning="logits", class_axis=1)
    task = Task("classification", (sound,), (scores,), labels=("a", "b", "c"))
    return wrap(Line().eval(), task, Options())


@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_file_of_ours_says_so(tmp_path: Path, route: Any) -> None:
    one, path = line(), tmp_path / "net.onnx"
    record = FORMAT.convert(capture(one, route, FORMAT.axes(one.options)), Settings(), path)
    assert record.details["1-D convolutions"] == "2, written as 2-D ones of one row"
    spelt = {"export": "1, the half of each last", "trace": None}  # which has it last itself
    assert record.details.get("GELU") == spelt[route]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    shapes = [
        list(w.dims) for n in model.graph.node if n.op_type == "Conv"
        for w in model.graph.initializer if w.name == n.input[1]
    ]  # fmt: skip
    assert shapes == [[8, 4, 1, 5], [8, 2, 1, 3]]
    x = np.random.default_rng(1).standard_normal((1, 4, 32)).astype(np.float32)
    got, wanted = FORMAT.open(path).side().run({"sound": x}), TorchSide(one).run({"sound": x})
    np.testing.assert_allclose(got["logits"], wanted["logits"], rtol=1e-4, atol=1e-5)
    macs = {w.name: w.macs for w in FORMAT.open(path).work() if w.op == "Conv"}
    assert set(macs.values()) == {8 * 16 * 2 * 3, 8 * 16 * 4 * 5}
