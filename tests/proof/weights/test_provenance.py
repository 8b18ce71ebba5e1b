"""Every constant traced: identical, permuted, folded, generated, packed, changed, unknown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from lading.checkpoint import Checkpoint
from lading.conversion.graphs import Graphs
from lading.formats import Held, open_artifact
from lading.formats.onnx import FORMAT as ONNX
from lading.interface import Options, wrap
from lading.interface.settings import Settings
from lading.proof.weights.again import Again
from lading.proof.weights.changed import off_grid
from lading.proof.weights.followed import Followed, equal
from lading.proof.weights.provenance import MADE, OTHER, STRANGER, UNTRACED, owner
from lading.proof.weights.provenance import trace as traced
from lading.record import CheckpointRecord, Constant, Port, Provenance, Task


def trace(path: Path, checkpoint: Checkpoint, *required: Collection[str]) -> Provenance:
    return traced(open_artifact(path), checkpoint, *required)


def checkpoint(tensors: Mapping[str, torch.Tensor], name: str = "w.pth") -> Checkpoint:
    return Checkpoint(CheckpointRecord(name, "", 0, "torch zip"), dict(tensors))


def artifact(folder: Path, arrays: Mapping[str, Any]) -> Path:
    """An ONNX file that reads these arrays and does nothing with them."""
    stored = [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in arrays.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_read"]) for name in arrays]
    path = folder / "net.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], stored)), str(path))
    return path


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def only(found: Provenance) -> Constant:
    (one,) = found.constants
    return one


WEIGHTS = {"a.weight": random(6, 4, 3, 3), "a.bias": random(6, seed=1), "b.weight": random(8, 6)}


@pytest.mark.parametrize("end", [-np.inf, -65504.0, -60000.0])
def test_the_least_number_of_a_mask_is_the_end_of_float16(tmp_path: Path, end: float) -> None:
    mask = torch.full((6, 6), torch.finfo(torch.float32).min).triu(1)
    held = {"mask": np.where(mask.numpy() < 0, end, 0.0).astype("float16")}
    found = trace(artifact(tmp_path, held), checkpoint({"mask": mask}), ("mask",))
    assert (found.finding == MADE) == (end != -60000.0)
    assert equal(held["mask"], mask.numpy()) == (end != -60000.0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_cast_a_permutation_and_a_reshape(tmp_path: Path, dtype: str) -> None:
    arrays = {
        "w": WEIGHTS["a.weight"].numpy().astype(dtype).transpose(2, 3, 1, 0),
        "v": WEIGHTS["a.bias"].numpy().astype(dtype).reshape(1, 6, 1, 1),
        "m": WEIGHTS["b.weight"].numpy().astype(dtype).T,
    }
    found = trace(artifact(tmp_path, arrays), checkpoint(WEIGHTS), WEIGHTS)
    assert (found.finding, found.missing) == (MADE, ())
    fates = {one.name: (one.fate, one.tensors) for one in found.constants}
    assert fates == {
        "w": ("permuted", ("a.weight",)),
        "v": ("identical", ("a.bias",)),
        "m": ("permuted", ("b.weight",)),
    }


def test_values_below_the_least_step_of_float16(tmp_path: Path) -> None:
    """coremltools keeps them from zero in small constants, so that an epsilon stays one."""
    import coremltools as ct

    torch.manual_seed(0)
    network = nn.Conv2d(2, 6, 3)
    with torch.no_grad():
        assert network.bias is not None
        network.bias[:3] = torch.tensor([1.3e-8, -2e-8, 0.0])
    traced = torch.jit.trace(network.eval(), torch.zeros(1, 2, 8, 8))
    model = ct.convert(traced, inputs=[ct.TensorType("x", (1, 2, 8, 8))], convert_to="mlprogram")
    path = tmp_path / "net.mlpackage"
    model.save(str(path))
    state = {name: value.detach() for name, value in network.state_dict().items()}
    found = trace(path, checkpoint(state), state)
    assert (found.finding, found.missing) == (MADE, ())
    changed = {**state, "bias": state["bias"] + 1e-6}
    assert trace(path, checkpoint(changed), changed).finding == OTHER


def test_parts_of_a_tensor_and_tensors_joined(tmp_path: Path) -> None:
    fused, bias = random(24, 8), random(24, seed=2)
    q, k, v = fused.chunk(3)
    arrays = {"q": q.T, "k": k, "v": v, "qb": bias[:8], "kb": bias[8:16], "vb": bias[16:]}
    found = trace(artifact(tmp_path, arrays), checkpoint({"w": fused, "b": bias}), ("w", "b"))
    assert found.finding == MADE
    assert {one.fate for one in found.constants} == {"permuted"}
    joined = {"all": torch.cat([q, k]), "rest": v}
    found = trace(artifact(tmp_path, joined), checkpoint({"q": q, "k": k, "v": v}))
    assert {one.name: one.tensors for one in found.constants}["all"] == ("q", "k")


def known(network: nn.Module, *shape: int) -> tuple[Followed, Again]:
    """A network of one input: what it computes of its tensors, and its fresh conversions."""
    port = Port("x", "tensor", "float32", shape)
    with torch.no_grad():
        given = network(torch.zeros(shape))
    out = Port("y", "tensor", "float32", tuple(given.shape))
    interface = wrap(network.eval(), Task("module", (port,), (out,)), Options())
    return Followed(interface), Again(Graphs(interface))


class Normed(nn.Module):
    """A convolution and the norm that a converter joins to it."""

    def __init__(self, transposed: bool, eps: float) -> None:
        super().__init__()
        self.conv = (nn.ConvTranspose2d if transposed else nn.Conv2d)(4, 6, 3)
        self.norm = nn.BatchNorm2d(6, eps)

    def forward(self, x: torch.Tensor) -> Any:
        return self.norm(self.conv(x))


@pytest.mark.parametrize(
    ("dtype", "transposed", "eps"), [("float32", False, 1e-5), ("float16", True, 1e-3)]
)
def test_a_batch_norm_in_its_convolution(
    tmp_path: Path, dtype: str, transposed: bool, eps: float
) -> None:
    """Joined by another tool: no exporter of ONNX does it, Core ML's converter does."""
    torch.manual_seed(0)
    network = Normed(transposed, eps).eval()
    conv, norm = network.conv, network.norm
    for tensor in (norm.bias.data, norm.running_mean):
        tensor.normal_()
    for tensor in (norm.weight.data, norm.running_var):
        tensor.uniform_(0.5, 2)
    scale = norm.weight / (norm.running_var + eps).sqrt()
    shape = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
    arrays = {
        "w": (conv.weight * scale.reshape(shape)).detach().numpy().astype(dtype),
        "b": ((conv.bias - norm.running_mean) * scale + norm.bias).detach().numpy().astype(dtype),
    }
    state = network.state_dict()
    required = [name for name in state if "num_batches" not in name]
    about = (checkpoint(state), required, None, *known(network, 1, 4, 8, 8))
    found = traced(open_artifact(artifact(tmp_path, arrays)), *about)
    assert found.finding == MADE, found.evidence
    assert all(one.fate == "folded" for one in found.constants)
    assert "converted once more" in found.constants[0].evidence
    # by the tensors alone: rows times numbers are no evidence against it, and none for it
    alone = trace(artifact(tmp_path, {**arrays, "g": norm.weight.detach()}), checkpoint(state))
    assert (alone.finding, alone.refuted) == (UNTRACED, False)
    arrays["b"] = arrays["b"] * np.asarray(1.01, dtype)
    found = traced(open_artifact(artifact(tmp_path, arrays)), *about)
    assert found.finding == OTHER, found.evidence


def test_how_an_operation_works_needs_no_fresh_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scales of a resizing are several numbers and no weight."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Upsample(scale_factor=(2, 3)), nn.Sigmoid())
    followed, again = known(network, 1, 3, 4, 4)
    path = tmp_path / "a.onnx"
    ONNX.convert(again.graphs.take("export")[0], Settings(), path)
    monkeypatch.setattr(Again, "_converted", lambda *_: pytest.fail("converted once more"))
    state = network.state_dict()
    found = traced(open_artifact(path), checkpoint(state), [*state], None, followed, again)
    assert found.finding == MADE
    (scales,) = (one for one in found.constants if one.evidence == "how Resize works")
    assert (scales.shape, scales.fate) == ((4,), "generated")


def test_a_tensor_times_a_per_cent_is_another(tmp_path: Path) -> None:
    tensors = {"q.weight": random(16, 16)}
    changed = trace(artifact(tmp_path, {"q": tensors["q.weight"] * 1.01}), checkpoint(tensors))
    assert changed.finding == OTHER
    assert "256 of 256 values differ, by 1.00%" in only(changed).evidence


class Computing(nn.Module):
    """Constants by its own arithmetic, of tensors and of its code; a head for training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(random(8, 8, seed=3))
        self.rate = nn.Parameter(random(8, seed=4))
        self.auxiliary = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        angles = torch.outer(torch.arange(6.0), 1e4 ** -(torch.arange(8) / 8))
        y = (x + angles.sin()) @ (self.weight + torch.eye(8)) * -self.rate.exp()
        return (y, self.auxiliary(y)) if self.training else y  # type: ignore[return-value]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_the_network_computes_of_its_tensors_and_by_its_code(
    tmp_path: Path, dtype: str
) -> None:
    network = Computing().eval()
    angles = torch.outer(torch.arange(6.0), 1e4 ** -(torch.arange(8) / 8))
    arrays = {
        "w": (network.weight + torch.eye(8)).detach().numpy().T.astype(dtype),
        "r": -network.rate.exp().detach().numpy().astype(dtype),
        "t": angles.sin().numpy().astype(dtype),
    }
    about = (checkpoint(network.state_dict()), list(network.state_dict()), None)
    followed = known(network, 6, 8)[0]
    found = traced(open_artifact(artifact(tmp_path, arrays)), *about, followed)
    assert (found.finding, found.missing) == (MADE, ())
    assert "2 loaded, not read at inference: auxiliary.bias, auxiliary.weight" in found.evidence
    told = {one.name: (one.fate, one.tensors) for one in found.constants}
    assert told == {
        "w": ("folded", ("weight",)),
        "r": ("folded", ("rate",)),
        "t": ("generated", ()),
    }
    # what the network needs and nothing holds is missed; what it does not read is not
    del arrays["r"]
    found = traced(open_artifact(artifact(tmp_path, arrays)), *about, followed)
    assert (found.refuted, found.missing) == (True, ("rate",))
    arrays["r"] = (-(network.rate * 1.1).exp()).detach().numpy().astype(dtype)
    found = traced(open_artifact(artifact(tmp_path, arrays)), *about, *known(network, 6, 8))
    assert found.refuted, found.evidence


def test_what_is_made_in_place_depends_on_what_it_is_made_of(tmp_path: Path) -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(random(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            table = torch.zeros(4, 4)
            table[1:] = self.weight[1:] * 2
            given = torch.zeros(4, 4)
            given.copy_(x)
            return x @ table + given

    followed, _ = known(Written().eval(), 4, 4)
    table = random(4, 4).numpy() * 2
    table[0] = 0
    derived = followed.find(table)
    assert derived is not None
    assert derived.tensors == ("network.weight",)
    given = followed.interface.example()["x"].numpy()
    assert followed.find(given) is None  # an input, whatever it was copied into


def test_gates_of_a_recurrent_layer_in_another_order(tmp_path: Path) -> None:
    """Input, forget, cell, output are torch's; input, forget, output, cell another format's."""
    weight = random(24, 8)
    i, f, g, o = weight.chunk(4)
    arrays = {"w": torch.cat([i, f, o, g])}
    found = trace(artifact(tmp_path, arrays), checkpoint({"rnn.weight_ih_l0": weight}))
    assert (found.finding, only(found).fate) == (MADE, "permuted")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.reshape(-1)[7].mul_(1.01), "1 of 216 values differ"),
        (lambda w: w.copy_(w[[1, 0, 2, 3, 4, 5]]), "in another order"),
        (lambda w: w.copy_(w.flip(3)), "in another order"),
        (lambda w: w.mul_(w.abs() > 0.5), "values differ, by"),
        (lambda w: w.copy_(random(6, 4, 3, 3, seed=9)), "216 of 216 values differ"),
        (lambda w: w.zero_(), "held by no constant: a.weight"),
    ],
)
def test_a_changed_tensor_is_found(tmp_path: Path, change: Any, words: str) -> None:
    arrays = {name: tensor.clone() for name, tensor in WEIGHTS.items()}
    change(arrays["a.weight"])
    found = trace(artifact(tmp_path, arrays), checkpoint(WEIGHTS), WEIGHTS)
    assert found.finding == OTHER
    assert words in found.evidence


def test_a_tensor_that_no_constant_carries_counts_where_it_is_needed(tmp_path: Path) -> None:
    arrays = {name: WEIGHTS[name] for name in ("a.weight", "b.weight")}
    path = artifact(tmp_path, arrays)
    assert trace(path, checkpoint(WEIGHTS), WEIGHTS).finding == OTHER
    assert trace(path, checkpoint(WEIGHTS), ("a.weight", "b.weight")).finding == MADE
    unasked = trace(path, checkpoint(WEIGHTS))
    assert (unasked.finding, unasked.missing) == (MADE, ("a.bias",))


def test_what_nothing_reads_carries_nothing(tmp_path: Path) -> None:
    path = artifact(tmp_path, WEIGHTS)
    model = onnx.load(str(path))
    del model.graph.node[1]
    onnx.save(model, str(path))
    found = trace(path, checkpoint(WEIGHTS), WEIGHTS)
    assert (found.finding, found.missing) == (OTHER, ("a.bias",))


def test_other_weights_and_another_network(tmp_path: Path) -> None:
    path = artifact(tmp_path, WEIGHTS)
    others = {name: torch.randn_like(tensor) for name, tensor in WEIGHTS.items()}
    strangers = {"x": random(5, 5), "y": random(40)}
    assert trace(path, checkpoint(others), others).finding == OTHER
    assert trace(path, checkpoint(strangers), strangers).finding == STRANGER
    assert trace(artifact(tmp_path, {}), checkpoint(WEIGHTS), WEIGHTS).finding == STRANGER


def test_the_owner_is_the_one_that_explains_most(tmp_path: Path) -> None:
    path = artifact(tmp_path, WEIGHTS)
    less = {name: WEIGHTS[name] for name in ("a.weight",)}
    others = {name: torch.randn_like(tensor) for name, tensor in WEIGHTS.items()}
    found = [
        trace(path, checkpoint(tensors, name))
        for name, tensors in (("less", less), ("others", others), ("whole", WEIGHTS))
    ]
    made = owner(found)
    assert made is not None
    assert made.checkpoint == "whole"
    assert owner(found[1:2]) is None


def quantised(folder: Path, weight: torch.Tensor) -> Path:
    """An ONNX file whose weight is held in 8 bits with a scale per channel."""
    scale = (weight.abs().amax(dim=1) / 127).numpy()
    numbers = np.rint(weight.numpy() / scale[:, None]).clip(-127, 127).astype(np.int8)
    stored = [numpy_helper.from_array(v, k) for k, v in (("n", numbers), ("s", scale))]
    node = helper.make_node("DequantizeLinear", ["n", "s"], ["w"], axis=0)
    path = folder / "packed.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [], stored)), str(path))
    return path


def test_a_packed_weight_is_told_as_what_it_is(tmp_path: Path) -> None:
    weight = random(16, 32)
    found = trace(quantised(tmp_path, weight), checkpoint({"w": weight}), ("w",))
    assert found.finding == MADE
    assert only(found).fate == "packed"
    assert "each value the nearest on its grid" in only(found).evidence


def test_quantised_twice_is_not_on_the_grid(tmp_path: Path) -> None:
    weight = random(16, 32)
    coarse = (weight * 8).round() / 8
    found = trace(quantised(tmp_path, coarse), checkpoint({"w": weight}), ("w",))
    assert found.finding == OTHER
    assert "not the nearest on their grid" in found.evidence


def test_a_neural_network_file_by_its_protobuf(tmp_path: Path) -> None:
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    builder = NeuralNetworkBuilder(
        [("x", datatypes.Array(6))], [("y", None)], disable_rank5_shape_mapping=True
    )
    builder.add_bias("bias", np.zeros(6, np.float32), "x", "shifted", shape_bias=[6])
    builder.add_inner_product(
        "fc", WEIGHTS["b.weight"].numpy(), None, 6, 8, has_bias=False,
        input_name="shifted", output_name="y",
    )  # fmt: skip
    spec = builder.spec
    half, layer = spec.neuralNetwork.layers
    del half.bias.bias.floatValue[:]
    half.bias.bias.float16Value = WEIGHTS["a.bias"].numpy().astype(np.float16).tobytes()
    path = tmp_path / "net.mlmodel"
    path.write_bytes(spec.SerializeToString())
    needed = ("b.weight", "a.bias")
    found = trace(path, checkpoint(WEIGHTS), needed)
    assert found.finding == MADE
    assert [one.tensors for one in found.constants] == [("a.bias",), ("b.weight",)]
    layer.innerProduct.weights.floatValue[3] *= 1.01
    path.write_bytes(spec.SerializeToString())
    assert trace(path, checkpoint(WEIGHTS), needed).finding == OTHER


def held(values: Any, **more: Any) -> Held:
    return Held("w", values, str(values.dtype), **more)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_grid_by_the_arithmetic_of_float16_is_the_tensor_and_a_second_rounding_is_not(
    bits: int,
) -> None:
    """As coremltools does it: weight, scale, quotient and product in float16; trained weights have
    tails."""
    wide = np.random.default_rng(0).standard_t(3, (64, 576)) * 0.05
    half, most = wide.astype(np.float16), 2 ** (bits - 1) - 1
    scale = (np.abs(half).max(1, keepdims=True) / np.float16(most)).astype(np.float16)
    unpacked = (np.rint(half / scale).clip(-most, most) * scale).astype(np.float16)
    one = held(unpacked, packed="constexpr_affine_dequantize", step=scale.astype(np.float32))
    flat = unpacked.astype(np.float64).reshape(-1)
    assert off_grid(one, flat, wide.reshape(-1)) == 0
    coarse = np.rint(wide / (scale * 1.13)) * scale * 1.13
    assert (off_grid(one, flat, coarse.reshape(-1)) or 0) > 1000
    assert off_grid(held(unpacked, packed="unknown"), flat, wide.reshape(-1)) is None


def test_a_palette_for_each_group_of_channels() -> None:
    draw = np.random.default_rng(1)
    tables = np.sort(draw.standard_normal((2, 1, 8)).astype(np.float16), axis=-1)
    wide = draw.standard_normal((8, 30))
    levels = tables.repeat(4, axis=0)[:, 0]
    place = np.abs(wide[..., None] - levels[:, None]).argmin(-1)
    unpacked = np.take_along_axis(levels, place, 1)
    one = held(unpacked, packed="constexpr_lut_to_dense", table=tables)
    assert off_grid(one, unpacked.astype(np.float64).reshape(-1), wide.reshape(-1)) == 0
    unpacked[:, 7] = levels[:, 7]
    assert (off_grid(one, unpacked.astype(np.float64).reshape(-1), wide.reshape(-1)) or 0) > 4
