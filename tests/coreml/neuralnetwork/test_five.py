"""Networks as before iOS 13, every array [Seq, Batch, C, H, W] inside: layers against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lading.coreml import neuralnetwork
from lading.coreml.neuralnetwork import five
from lading.errors import InputError, ProgramError

RNG = np.random.default_rng(3)
PICTURE = RNG.normal(size=(4, 6, 5)).astype(np.float32)
VECTOR = RNG.normal(size=6).astype(np.float32)
C, HW = RNG.normal(size=4).astype(np.float32), RNG.normal(size=(1, 6, 5)).astype(np.float32)
KERNEL = RNG.normal(size=(3, 3, 4, 7)).astype(np.float32)  # H, W, C_in, C_out
MATRIX, OFFSET = RNG.normal(size=(3, 120)).astype(np.float32), np.ones(3, np.float32)


def old(tmp_path: Path, add: Callable[[Any], None], **shapes: tuple[int, ...]) -> Any:
    """A file with inputs of these shapes and an output y, whose layers `add(builder)` makes."""
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    inputs = [(name, datatypes.Array(*shape)) for name, shape in shapes.items()]
    builder = NeuralNetworkBuilder(inputs, [("y", None)], use_float_arraytype=True)
    add(builder)
    assert builder.spec.specificationVersion < 4
    assert builder.spec.neuralNetwork.arrayInputShapeMapping == 0
    path = tmp_path / "old.mlmodel"
    path.write_bytes(builder.spec.SerializeToString())
    return neuralnetwork.load(path)


def conv(b: Any, **more: Any) -> None:
    settings = {
        "kernel_channels": 4, "output_channels": 7, "height": 3, "width": 3, "stride_height": 2,
        "stride_width": 1, "border_mode": "valid", "groups": 1, "W": KERNEL, "b": np.ones(7),
        "has_bias": True, "padding_top": 1, "padding_bottom": 1,
    } | more  # fmt: skip
    b.add_convolution("it", **settings, input_name="x", output_name="y")


def pool(b: Any, kind: str, border: str = "VALID", **more: Any) -> None:
    b.add_pooling("it", 3, 2, 2, 2, kind, border, "x", "y", **more)


W4 = torch.tensor(KERNEL).permute(3, 2, 0, 1)
T4 = torch.tensor(KERNEL).permute(2, 3, 0, 1)
X = torch.tensor(PICTURE)
GAMMA = C[:, None, None]

#: What is added, and what it gives of a picture (C, H, W).
PICTURES: dict[str, tuple[Callable[[Any], Any], Callable[[torch.Tensor], Any]]] = {
    "convolution": (conv, lambda x: F.conv2d(F.pad(x, (0, 0, 1, 1)), W4, torch.ones(7), (2, 1))),
    "same convolution": (
        lambda b: conv(b, border_mode="same", padding_top=0, padding_bottom=0),
        lambda x: F.conv2d(F.pad(x, (1, 1, 0, 1)), W4, torch.ones(7), (2, 1)),
    ),
    "deconvolution": (
        lambda b: conv(b, is_deconv=True, padding_top=0, padding_bottom=0),
        lambda x: F.conv_transpose2d(x[None], T4, torch.ones(7), (2, 1))[0],
    ),
    "max pooling": (lambda b: pool(b, "MAX"), lambda x: F.max_pool2d(x, (3, 2), 2)),
    "same pooling": (
        lambda b: pool(b, "MAX", "SAME"),
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-9e9), (3, 2), 2),
    ),
    "pooling with the last pixel": (
        lambda b: pool(b, "MAX", "INCLUDE_LAST_PIXEL"),
        lambda x: F.max_pool2d(x, (3, 2), 2, ceil_mode=True),
    ),
    "average without padding": (
        lambda b: pool(b, "AVERAGE", padding_top=1, padding_left=1, padding_bottom=1,
                       padding_right=1, exclude_pad_area=True),
        lambda x: F.avg_pool2d(x, (3, 2), 2, 1, count_include_pad=False),
    ),
    "L2 pooling": (
        lambda b: pool(b, "L2"), lambda x: (F.avg_pool2d(x * x, (3, 2), 2) * 6).sqrt()
    ),
    "global pooling": (
        lambda b: pool(b, "AVERAGE", is_global=True), lambda x: x.mean((1, 2), keepdim=True)
    ),
    "batch norm": (
        lambda b: b.add_batchnorm("it", 4, C, 2 * C, 3 * C, C**2, "x", "y", epsilon=1e-3),
        lambda x: (x - 3 * GAMMA) / (torch.tensor(GAMMA) ** 2 + 1e-3).sqrt() * GAMMA + 2 * GAMMA,
    ),
    "instance norm": (
        lambda b: b.add_batchnorm("it", 4, C, 2 * C, input_name="x", output_name="y",
                                  compute_mean_var=True, instance_normalization=True),
        lambda x: F.instance_norm(x[None])[0] * GAMMA + 2 * GAMMA,
    ),
    "PReLU": (
        lambda b: b.add_activation("it", "PRELU", "x", "y", C),
        lambda x: F.prelu(x[None], torch.tensor(C))[0],
    ),
    "leaky ReLU": (
        lambda b: b.add_activation("it", "LEAKYRELU", "x", "y", [0.3]),
        lambda x: F.leaky_relu(x, 0.3),
    ),
    "ELU": (lambda b: b.add_activation("it", "ELU", "x", "y", 0.7), lambda x: F.elu(x, 0.7)),
    "parametric softplus": (
        lambda b: b.add_activation("it", "PARAMETRICSOFTPLUS", "x", "y", [C, 2 * C]),
        lambda x: F.softplus(x * 2 * GAMMA) * GAMMA,
    ),
    "inner product": (
        lambda b: b.add_inner_product("it", MATRIX, OFFSET, 120, 3, True, "x", "y"),
        lambda x: torch.tensor(MATRIX) @ x.flatten() + 1,
    ),
    "flattening": (
        lambda b: b.add_flatten("it", 1, "x", "y"), lambda x: x.permute(1, 2, 0).flatten()
    ),
    "softmax": (lambda b: b.add_softmax("it", "x", "y"), lambda x: x.softmax(0)),
    "concatenation": (
        lambda b: b.add_elementwise("it", ["x", "x"], "y", "CONCAT"), lambda x: torch.cat([x, x])
    ),
    "sum with a constant": (
        lambda b: (b.add_load_constant("c", "c", C, [4, 1, 1]),
                   b.add_elementwise("it", ["x", "c"], "y", "ADD")),
        lambda x: x + GAMMA,
    ),
    "product with a plane": (
        lambda b: (b.add_load_constant("c", "c", HW, [1, 6, 5]),
                   b.add_elementwise("it", ["x", "c"], "y", "MULTIPLY")),
        lambda x: x * HW,
    ),
    "greatest": (
        lambda b: (b.add_elementwise("m", ["x"], "m", "MULTIPLY", -1.0),
                   b.add_elementwise("it", ["x", "m"], "y", "MAX")),
        lambda x: x.abs(),
    ),
    "average of two": (
        lambda b: (b.add_elementwise("m", ["x"], "m", "ADD", 1.0),
                   b.add_elementwise("it", ["x", "m"], "y", "AVE")),
        lambda x: x + 0.5,
    ),
    "scale and bias": (
        lambda b: b.add_scale("it", C, HW, True, "x", "y", [4], [1, 6, 5]),
        lambda x: x * GAMMA + HW,
    ),
    "bias": (lambda b: b.add_bias("it", C, "x", "y", [4]), lambda x: x + GAMMA),
    "padding": (
        lambda b: b.add_padding("it", 1, 2, 0, 1, input_name="x", output_name="y",
                                padding_type="reflection"),
        lambda x: F.pad(x, (1, 2, 0, 1), "reflect"),
    ),
    "up-sampling": (
        lambda b: b.add_upsample("it", 2, 3, "x", "y"),
        lambda x: x.repeat_interleave(2, 1).repeat_interleave(3, 2),
    ),
    "local response norm": (
        lambda b: b.add_lrn("it", "x", "y", 0.5, 0.75, 3, 2.0),
        lambda x: F.local_response_norm(x[None], 3, 0.5, 0.75, 2.0)[0],
    ),
    "mean and variance": (
        lambda b: b.add_mvn("it", "x", "y", across_channels=True, epsilon=1e-5),
        lambda x: F.layer_norm(x, x.shape, eps=1e-5),
    ),
    "L2 norm": (
        lambda b: b.add_l2_normalize("it", "x", "y", 1e-6),
        lambda x: x / (x.square().sum() + 1e-6).sqrt(),
    ),
    "reshaping": (
        lambda b: b.add_reshape("it", "x", "y", (3, 8, 5), 0), lambda x: x.reshape(3, 8, 5)
    ),
    "reshaping, channels last": (
        lambda b: b.add_reshape("it", "x", "y", (3, 8, 5), 1),
        lambda x: x.permute(1, 2, 0).reshape(8, 5, 3).permute(2, 0, 1),
    ),
    "permuting": (
        lambda b: b.add_permute("it", [0, 3, 1, 2], "x", "y"), lambda x: x.permute(2, 0, 1)
    ),
    "cropping": (
        lambda b: b.add_crop("it", 1, 1, 2, 0, [0, 0], ["x"], "y"), lambda x: x[:, 2:, 1:4]
    ),
    "slicing": (
        lambda b: b.add_slice("it", "x", "y", "height", 1, -1, 2), lambda x: x[:, 1:-1:2]
    ),
    "splitting": (
        lambda b: (b.add_split("s", "x", ["a", "c"]),
                   b.add_elementwise("it", ["a", "c"], "y", "MULTIPLY")),
        lambda x: x[:2] * x[2:],
    ),
    "reducing": (
        lambda b: b.add_reduce("it", "x", "y", "HW", "sumsquare"),
        lambda x: x.square().sum((1, 2), keepdim=True),
    ),
    "where it is greatest": (
        lambda b: b.add_reduce("it", "x", "y", "C", "argmax"),
        lambda x: x.argmax(0, keepdim=True).float(),
    ),
    "unary": (
        lambda b: b.add_unary("it", "x", "y", "exp", shift=0.5, scale=0.1),
        lambda x: (0.1 * x + 0.5).exp(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_layers_of_pictures(name: str, tmp_path: Path) -> None:
    add, wanted = PICTURES[name]
    model = old(tmp_path, add, x=PICTURE.shape)
    expected = wanted(X).numpy()
    got = model.predict({"x": PICTURE})["y"]
    assert got.shape == (expected.shape if got.ndim == expected.ndim else (len(expected),))
    np.testing.assert_allclose(got, expected.reshape(got.shape), rtol=1e-5, atol=1e-5)
    # Each of several instances alone: two steps of a sequence, a batch of three.
    many = RNG.normal(size=(2, 3, *PICTURE.shape)).astype(np.float32)
    each = model.predict({"x": many})["y"]
    assert each.shape[:2] == (2, 3)
    alone = wanted(torch.tensor(many[1, 2])).numpy()
    np.testing.assert_allclose(each[1, 2].ravel(), alone.ravel(), rtol=1e-5, atol=1e-5)
    half = model.predict({"x": PICTURE}, precision="float16")["y"]
    assert np.abs(half - got).max() < 0.02 * max(1.0, np.abs(got).max())


def test_embedding_dot_and_a_sequence_repeated(tmp_path: Path) -> None:
    table = RNG.normal(size=(6, 9)).astype(np.float32)

    def add(b: Any) -> None:
        b.add_embedding("e", table, None, 9, 6, False, "i", "v")
        b.add_elementwise("d", ["v", "x"], "d", "COS")
        b.add_sequence_repeat("y", 2, "d", "y")

    model = old(tmp_path, add, x=(6,), i=(1,))
    got = model.predict({"x": VECTOR, "i": [[[4.0]], [[7.0]], [[0.0]]]})["y"]
    rows = table[:, [4, 7, 0]].T
    cosines = rows @ VECTOR / np.linalg.norm(rows, axis=1) / np.linalg.norm(VECTOR)
    assert got.shape == (6, 1, 1)
    np.testing.assert_allclose(got.ravel(), np.tile(cosines, 2), rtol=1e-5)


# -------------------------------------------------------------------------------------- sequences
def gates(module: Any, name: str, order: tuple[int, ...]) -> list[Any]:
    parts = getattr(module, name).detach().numpy()
    return [np.split(parts, len(order))[place] for place in order]


def sequence(steps: int = 5, batch: int = 2) -> np.ndarray[Any, Any]:
    return RNG.normal(size=(steps, batch, 3)).astype(np.float32)


def lstm_weights(module: Any, end: str = "") -> tuple[Any, Any, Any]:
    """torch has the gates input, forget, cell, output."""
    order = (0, 1, 3, 2)
    biases = zip(gates(module, f"bias_ih_l0{end}", order), gates(module, f"bias_hh_l0{end}", order),
                 strict=True)  # fmt: skip
    return (
        gates(module, f"weight_hh_l0{end}", order),
        gates(module, f"weight_ih_l0{end}", order),
        [a + b for a, b in biases],
    )


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_lstm(whole: bool, reverse: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = torch.nn.LSTM(3, 4)
    weights = lstm_weights(module)
    model = old(
        tmp_path,
        lambda b: b.add_unilstm("it", *weights, 4, 3, ["x"], ["y", "h", "c"], output_all=whole,
                                reverse_input=reverse),
        x=(3,),
    )  # fmt: skip
    x = sequence()
    with torch.no_grad():
        wanted = module(torch.tensor(x[::-1].copy() if reverse else x))[0].numpy()
    got = model.predict({"x": x})["y"]
    assert got.shape == ((5, 2, 4) if whole else (1, 2, 4))
    np.testing.assert_allclose(got, wanted if whole else wanted[-1:], rtol=1e-5, atol=1e-6)
    taps = neuralnetwork.Taps(take=["c"])
    model.predict({"x": x}, taps=taps)
    assert taps.values["c"].shape == (1, 2, 4, 1, 1)


@pytest.mark.parametrize("whole", [True, False])
def test_lstm_of_both_directions(whole: bool, tmp_path: Path) -> None:
    torch.manual_seed(2)
    module = torch.nn.LSTM(3, 4, bidirectional=True)
    there, back = lstm_weights(module), lstm_weights(module, "_reverse")

    def add(b: Any) -> None:
        names = ["y", "h", "c", "h_back", "c_back"]
        b.add_bidirlstm("it", *there, *back, 4, 3, ["x"], names, output_all=whole)

    x = sequence()
    with torch.no_grad():
        wanted, (last, cells) = module(torch.tensor(x))
    model = old(tmp_path, add, x=(3,))
    taps = neuralnetwork.Taps(take=["h", "h_back", "c_back"])
    got = model.predict({"x": x}, taps=taps)["y"]
    expected = wanted.numpy() if whole else torch.cat([last[0], last[1]], -1)[None].numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    for name, value in (("h", last[0]), ("h_back", last[1]), ("c_back", cells[1])):
        np.testing.assert_allclose(taps.values[name][0, ..., 0, 0], value, rtol=1e-5, atol=1e-6)


def test_the_states_go_in_and_a_bias_on_the_forget_gate(tmp_path: Path) -> None:
    torch.manual_seed(3)
    module = torch.nn.LSTM(3, 4)
    hidden, inputs, biases = lstm_weights(module)
    biases[1] = biases[1] - 1

    def add(b: Any) -> None:
        names = ["x", "h_in", "c_in"], ["y", "h", "c"]
        b.add_unilstm("it", hidden, inputs, biases, 4, 3, *names, forget_bias=True)

    model = old(tmp_path, add, x=(3,), h_in=(4,), c_in=(4,))
    x, h, c = sequence(batch=1), RNG.normal(size=4), RNG.normal(size=4)
    states = (torch.tensor(h)[None, None].float(), torch.tensor(c)[None, None].float())
    with torch.no_grad():
        wanted = module(torch.tensor(x), states)[0][-1, 0].numpy()
    got = model.predict({"x": x, "h_in": h, "c_in": c})["y"]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def hard(x: Any) -> Any:
    return np.clip(0.2 * x + 0.5, 0, 1)


def relu(x: Any) -> Any:
    return np.clip(x, 0, 50)


@pytest.mark.parametrize(("inner", "outer"), [(sigmoid, np.tanh), (hard, relu)])
def test_gru(inner: Any, outer: Any, tmp_path: Path) -> None:
    """By the description: the reset gate multiplies the state before the matrix does."""
    R, W = RNG.normal(size=(3, 4, 4)), RNG.normal(size=(3, 4, 3))
    biases, x = RNG.normal(size=(3, 4)), sequence()
    names = {"inner_activation": "SIGMOID" if inner is sigmoid else "SIGMOID_HARD",
             "activation": "TANH" if outer is np.tanh else "RELU"}  # fmt: skip
    model = old(
        tmp_path,
        lambda b: b.add_gru("it", R, W, biases, 4, 3, ["x"], ["y", "h"], output_all=True, **names),
        x=(3,),
    )
    h, steps = np.zeros((2, 4)), []
    for step in x:
        z = inner(step @ W[0].T + h @ R[0].T + biases[0])
        r = inner(step @ W[1].T + h @ R[1].T + biases[1])
        o = outer(step @ W[2].T + (h * r) @ R[2].T + biases[2])
        h = (1 - z) * o + z * h
        steps.append(h)
    got = model.predict({"x": x})["y"]
    np.testing.assert_allclose(got, np.stack(steps), rtol=1e-4, atol=1e-5)


def test_a_simple_recurrent_layer_clips_before_it_is_linear(tmp_path: Path) -> None:
    W, R = 30 * RNG.normal(size=(4, 3)), RNG.normal(size=(4, 4))
    model = old(
        tmp_path,
        lambda b: b.add_simple_rnn("it", R, W, np.ones(4), 4, 3, "LINEAR", ["x"], ["y", "h"], True),
        x=(3,),
    )
    x, h, steps = sequence(), np.zeros((2, 4)), []
    for step in x:
        h = np.clip(step @ W.T + h @ R.T + 1, -50, 50)
        steps.append(h)
    assert (np.abs(np.stack(steps)) == 50).any()
    np.testing.assert_allclose(model.predict({"x": x})["y"], np.stack(steps), rtol=1e-4, atol=1e-4)


def test_gates_that_are_coupled_are_refused(tmp_path: Path) -> None:
    module = torch.nn.LSTM(3, 4)
    with pytest.raises(ProgramError) as caught:
        old(
            tmp_path,
            lambda b: b.add_unilstm("it", *lstm_weights(module), 4, 3, ["x"], ["y", "h", "c"],
                                    coupled_input_forget_gate=True),
            x=(3,),
        )  # fmt: skip
    assert caught.value.subject == "layer it (uniDirectionalLSTM)"


# ------------------------------------------------------------------------------------- in and out
def doubled(b: Any) -> None:
    b.add_elementwise("it", ["x"], "y", "MULTIPLY", 2.0)


@pytest.mark.parametrize(
    ("declared", "given", "out"),
    [
        ((6,), (6,), (6,)),
        ((6,), (4, 2, 6), (4, 2, 6)),
        ((6,), (4, 2, 6, 1, 1), (4, 2, 6)),
        ((4, 6, 5), (4, 6, 5), (4, 6, 5)),
        ((4, 6, 5), (1, 1, 4, 6, 5), (4, 6, 5)),
        ((4, 6, 5), (1, 3, 4, 6, 5), (1, 3, 4, 6, 5)),
        ((3, 1, 1), (3, 1, 1), (3,)),
    ],
)
def test_shapes(declared: Any, given: Any, out: Any, tmp_path: Path) -> None:
    x = RNG.normal(size=given).astype(np.float32)
    got = old(tmp_path, doubled, x=declared).predict({"x": x})["y"]
    assert got.shape == out
    assert np.array_equal(got.ravel(), 2 * x.ravel())


@pytest.mark.parametrize("given", [(5,), (1, 6), (2, 2, 5), (1, 1, 6, 1, 2), (1, 1, 1, 6)])
def test_other_shapes_are_refused(given: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        old(tmp_path, doubled, x=(6,)).predict({"x": np.zeros(given)})
    assert caught.value.expected == "float32 of shape (6,)"


def test_outputs_have_their_declared_rank(tmp_path: Path) -> None:
    from lading.coreml.mil.features import Feature, Interface

    value = np.zeros((1, 1, 3, 1, 1))
    for shape, out in (((3,), (3,)), ((3, 1, 1), (3, 1, 1)), ((), (3,))):
        described = Interface((), (Feature("y", "multiArray", "float32", shape),))
        assert five.leave(described, {"y": value})["y"].shape == out
        many = five.leave(described, {"y": np.zeros((2, 1, 3, 1, 1))})["y"]
        assert many.shape == ((2, 1, 3, 1, 1) if len(shape) == 3 else (2, 1, 3))


def test_an_input_of_two_axes_is_refused(tmp_path: Path) -> None:
    model = old(tmp_path, doubled, x=(6,))
    spec_path = model.network.path
    from lading.coreml.mil import description

    spec = description.proto().Model()
    spec.ParseFromString(spec_path.read_bytes())
    spec.description.input[0].type.multiArrayType.shape.append(2)
    spec_path.write_bytes(spec.SerializeToString())
    with pytest.raises(ProgramError) as caught:
        neuralnetwork.load(spec_path)
    assert caught.value.found == "a shape of 2 axes, [6, 2]"


def test_a_picture_classified(tmp_path: Path) -> None:
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    matrix = RNG.normal(size=(3, 60)).astype(np.float32) / 100
    builder = NeuralNetworkBuilder(
        [("x", datatypes.Array(3, 5, 4))], [("y", datatypes.Array(3))], mode="classifier"
    )
    builder.add_inner_product("ip", matrix, None, 60, 3, False, "x", "z")
    builder.add_softmax("shares", "z", "y")
    builder.set_class_labels(["cat", "dog", "cow"], "kind", "y")
    builder.set_pre_processing_parameters(
        image_input_names=["x"], red_bias=1.0, green_bias=2.0, blue_bias=3.0, image_scale=0.5
    )
    path = tmp_path / "classes.mlmodel"
    path.write_bytes(builder.spec.SerializeToString())
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    outputs = neuralnetwork.load(path).predict({"x": Image.fromarray(pixels)})
    planes = pixels.transpose(2, 0, 1) * 0.5 + np.array([1, 2, 3])[:, None, None]
    scores = matrix @ planes.ravel()
    shares = np.exp(scores - scores.max())
    labels = ["cat", "dog", "cow"]
    assert outputs["kind"] == labels[int(scores.argmax())]
    np.testing.assert_allclose(list(outputs["y"].values()), shares / shares.sum(), rtol=1e-4)
