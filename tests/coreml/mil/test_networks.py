"""Whole networks of torch, converted by plain coremltools, run from disk, compared with torch.

The table is in `networks/`; here is how each kind is compared. The network of full size is timed
besides.
"""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import lading.coreml
from lading.coreml.mil import Model
from lading.coreml.mil.program import Constant
from lading.errors import InputError
from tests.coreml.mil.networks import attention, convolutional, recurrent
from tests.coreml.mil.networks.compressed import PACKED, Packed
from tests.coreml.mil.networks.table import Call, Network, noise

Array = np.ndarray[Any, Any]

#: Converted, saved, loaded and compared; each line is another network.
NETWORKS = [*convolutional.NETWORKS, *recurrent.NETWORKS, *attention.NETWORKS]

#: Sums in another order, and normalisation folded into weights: a few units of 2**-23 for each of
#: some ten layers, of the largest output.
FLOAT32 = 1e-5

#: Every value rounded to 2**-11 of itself, some thirty values one after the other: the root of
#: the sum of squares, as a part of the output's own norm.
FLOAT16 = 30**0.5 * 2**-11


@pytest.fixture(scope="module", autouse=True)
def plain_attention_and_fast_conversion() -> Iterator[None]:
    """torch's fused encoder layer is no graph that a conversion could see."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    gc.freeze()  # a conversion ends in a full collection: over all that there was before
    yield
    gc.unfreeze()
    torch.backends.mha.set_fastpath_enabled(before)


def test_there_are_more_than_thirty() -> None:
    names = [one.name for one in NETWORKS] + [one.network.name for one in PACKED]
    assert len(names) == len(set(names))
    assert len(NETWORKS) >= 30
    assert len({one.make for one in NETWORKS}) >= 30
    assert len(PACKED) >= 10


def made(network: Network) -> tuple[nn.Module, Sequence[Tensor]]:
    torch.manual_seed(0)
    return network.make().eval(), network.inputs()


def arrays(examples: Sequence[Tensor]) -> dict[str, Array]:
    return {f"x{i}": x.numpy() for i, x in enumerate(examples)}


def convert(module: nn.Module, examples: Sequence[Tensor], network: Network, **options: Any) -> Any:
    """The `MLModel` of plain coremltools: traced or exported, with the names x0, x1, ... and y."""
    import coremltools as ct

    given: dict[str, Any] = {
        "compute_precision": ct.precision.FLOAT16 if network.half else ct.precision.FLOAT32,
        "minimum_deployment_target": getattr(ct.target, network.target),
        "outputs": [ct.TensorType("y")],
        "skip_model_load": True,
    }
    if not network.half:  # the declared dtypes of inputs and outputs follow from iOS 16 on
        given["outputs"] = [ct.TensorType("y", dtype=np.float32)]
    given["inputs"] = [
        ct.TensorType(f"x{i}", tuple(x.shape), dtype=np.int32 if x.dtype == torch.int32 else None)
        for i, x in enumerate(examples)
    ]
    given.update(options)
    with torch.no_grad():
        if network.export:
            program = torch.export.export(module, tuple(examples)).run_decompositions({})
            return ct.convert(program, **given)
        trace: Any = torch.jit.trace
        traced = trace(module, tuple(examples), check_trace=False)
        return ct.convert(traced, **given)


def saved(model: Any, folder: Path, name: str = "net") -> Path:
    path = folder / f"{name}.mlpackage"
    model.save(str(path))
    return path


def torchs(module: nn.Module, *examples: Tensor) -> Array:
    with torch.no_grad():
        return np.asarray(module(*examples).numpy())


def close(got: Array, want: Array, half: bool = False) -> None:
    assert got.shape == want.shape
    assert np.abs(want).max() > 1e-3  # a network that answers nothing agrees with everything
    assert np.ptp(want) > 0
    if half:
        assert np.linalg.norm(got - want) <= FLOAT16 * np.linalg.norm(want)
    else:
        assert np.abs(got - want).max() <= FLOAT32 * np.abs(want).max()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda one: one.name)
def test_networks_are_torchs(network: Network, tmp_path: Path) -> None:
    module, examples = made(network)
    path = saved(convert(module, examples, network), tmp_path)
    got = lading.coreml.load(path).predict(arrays(examples))
    assert list(got) == ["y"]
    close(got["y"], torchs(module, *examples), network.half)


# -------------------------------------------------------------------------------------- compressed
def unpacked(model: Any) -> dict[str, Array]:
    """The weights of a packed `MLModel` by name, as coremltools unpacks them itself."""
    import coremltools.optimize.coreml as cto

    dense = cto.decompress_weights(model)
    weights = cto.get_weights_metadata(dense, weight_threshold=64)
    return {name.removeprefix("op_"): data.val for name, data in weights.items()}


@pytest.mark.parametrize("packed", PACKED, ids=lambda one: one.network.name)
def test_packed_networks_are_torchs_with_the_unpacked_weights(
    packed: Packed, tmp_path: Path
) -> None:
    module, examples = made(packed.network)
    before = torchs(module, *examples)
    small = packed.pack(convert(module, examples, packed.network))
    model = lading.coreml.load(saved(small, tmp_path))
    operations = list(model.program.functions["main"].block.walk())
    assert {one.type for one in operations} >= packed.holds
    stored = {
        part.type.dtype
        for one in operations
        for parts in (*one.inputs.values(), one.attributes.values())
        for part in parts
        if isinstance(part, Constant)
    }
    assert not packed.dtype or packed.dtype in stored
    replaced = 0
    weights = unpacked(small)
    for name, parameter in module.named_parameters():
        known = name.replace(".", "_")  # the conversion's name; then what has been done to it
        weight = next((one for key, one in weights.items() if key.startswith(known)), None)
        if weight is not None:
            assert weight.shape == parameter.shape
            replaced += not np.array_equal(weight, parameter.detach().numpy())
            parameter.data = torch.from_numpy(weight.astype(np.float32))
    if not packed.network.name.startswith("coarse"):  # what loses nothing
        assert replaced >= 2
        assert np.abs(torchs(module, *examples) - before).max() > 1e-4
    got = model.predict(arrays(examples))["y"]
    close(got, torchs(module, *examples), packed.network.half)


# ------------------------------------------------------------------------------- shapes that change
def test_a_convolutional_network_of_any_size(tmp_path: Path) -> None:
    import coremltools as ct

    network = Network("any size", lambda: convolutional.unet("transposed"), noise((1, 1, 16, 24)))
    module, examples = made(network)
    side = ct.RangeDim(8, 48, default=16)
    inputs = [ct.TensorType("x0", (1, 1, side, side))]
    path = saved(convert(module, examples, network, inputs=inputs), tmp_path)
    model = lading.coreml.load(path)
    for shape in ((1, 1, 8, 12), (1, 1, 24, 24), (1, 1, 48, 16)):
        x = torch.randn(shape)
        close(model.predict({"x0": x.numpy()})["y"], torchs(module, x))
    with pytest.raises(InputError, match="56"):
        model.predict({"x0": np.zeros((1, 1, 56, 16), np.float32)})


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_sequences_of_any_length(kind: str, tmp_path: Path) -> None:
    import coremltools as ct

    def make() -> nn.Module:
        if kind == "gru":
            return recurrent.whole(nn.GRU(5, 6, 2, batch_first=True), 6, 3)
        return attention.encoder()

    network = Network(kind, make, noise((1, 7, 5)))
    module, examples = made(network)
    inputs = [ct.TensorType("x0", (1, ct.RangeDim(1, 30, default=7), 5))]
    path = saved(convert(module, examples, network, inputs=inputs), tmp_path)
    model = lading.coreml.load(path)
    for length in (1, 2, 13, 30):
        x = torch.randn(1, length, 5)
        close(model.predict({"x0": x.numpy()})["y"], torchs(module, x))


def test_exported_with_a_dynamic_batch(tmp_path: Path) -> None:
    import coremltools as ct

    network = Network("batch", convolutional.lenet, noise((2, 1, 28, 28)), target="iOS17")
    module, examples = made(network)
    batch = torch.export.Dim("batch", min=1, max=6)
    program = torch.export.export(module, tuple(examples), dynamic_shapes=({0: batch},))
    model = ct.convert(
        program.run_decompositions({}),
        inputs=[ct.TensorType("x0", (ct.RangeDim(1, 6, default=2), 1, 28, 28))],
        outputs=[ct.TensorType("y")],
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS17,
        skip_model_load=True,
    )
    model = lading.coreml.load(saved(model, tmp_path))
    for count in (1, 5):
        x = torch.randn(count, 1, 28, 28)
        close(model.predict({"x0": x.numpy()})["y"], torchs(module, x))


def test_shapes_from_a_list(tmp_path: Path) -> None:
    import coremltools as ct

    network = Network("listed", convolutional.super_resolution, noise((1, 1, 8, 10)))
    module, examples = made(network)
    shapes = [(1, 1, 8, 10), (1, 1, 12, 9), (2, 1, 5, 5)]
    listed = ct.EnumeratedShapes(shapes=shapes, default=shapes[0])
    inputs = [ct.TensorType("x0", listed)]
    model = lading.coreml.load(saved(convert(module, examples, network, inputs=inputs), tmp_path))
    for shape in shapes:
        x = torch.randn(shape)
        close(model.predict({"x0": x.numpy()})["y"], torchs(module, x))
    with pytest.raises(InputError, match="8, 9"):
        model.predict({"x0": np.zeros((1, 1, 8, 9), np.float32)})


# ---------------------------------------------------------------------------------------- pictures
def test_pictures_through_a_whole_network(tmp_path: Path) -> None:
    import coremltools as ct

    network = Network("pictures in", convolutional.resnet, noise((1, 3, 32, 32)))
    module, examples = made(network)
    image = ct.ImageType("x0", (1, 3, 32, 32), scale=1 / 64, bias=[-2.0, -1.9, -1.8])
    labels = ct.ClassifierConfig([f"class {i}" for i in range(10)])
    model = convert(
        nn.Sequential(module, nn.Softmax(1)), examples, network, inputs=[image],
        classifier_config=labels, outputs=None,
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    got = lading.coreml.load(saved(model, tmp_path)).predict({"x0": Image.fromarray(pixels)})
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 64
    x = x - torch.tensor([2.0, 1.9, 1.8])[:, None, None]
    want = torchs(module, x).squeeze()
    table = next(value for value in got.values() if isinstance(value, dict))
    label = next(value for value in got.values() if isinstance(value, str))
    assert label == f"class {want.argmax()}"
    close(np.array(list(table.values())), torch.tensor(want).softmax(0).numpy())


def test_pictures_from_a_network_to_a_picture(tmp_path: Path) -> None:
    import coremltools as ct

    def brighten(m: Any, x: Tensor) -> Any:
        return m.net(x).sigmoid() * 255

    network = Network("pictures out", lambda: convolutional.unet("bilinear"), noise((1, 1, 16, 24)))
    module, examples = made(network)
    module = Call(brighten, net=module)
    image = {"color_layout": ct.colorlayout.GRAYSCALE}
    model = convert(
        module, examples, network, inputs=[ct.ImageType("x0", (1, 1, 16, 24), 1 / 255, **image)],
        outputs=[ct.ImageType("y", color_layout=ct.colorlayout.RGB)],
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    got = lading.coreml.load(saved(model, tmp_path)).predict({"x0": Image.fromarray(pixels)})["y"]
    want = torchs(module, torch.from_numpy(pixels)[None, None] / 255)[0].transpose(1, 2, 0)
    assert got.size == (24, 16)
    # The nearest level of 255, and where it is a tie of fractions either.
    assert np.abs(np.asarray(got) - want).max() <= 0.5 + 255 * FLOAT32
    assert np.ptp(np.asarray(got)) > 20


# ------------------------------------------------------------------------------------------ states
class Remembering(nn.Module):
    """A decoder's layer, a token at a call: it keeps the keys and values of the tokens before.

    The length of the mask says how many tokens there have been.
    """

    keys: Any
    values: Any

    def __init__(self) -> None:
        super().__init__()
        self.words, self.qkv = nn.Embedding(20, 16), nn.Linear(16, 48)
        self.out = nn.Linear(16, 20)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, 2, 10, 8, dtype=torch.float16))

    def forward(self, token: Tensor, mask: Tensor) -> Any:
        x = self.words(token)
        q, k, v = (attention.heads(one, 2) for one in self.qkv(x).chunk(3, 2))
        end = mask.shape[-1]
        begin = end - token.shape[-1]
        self.keys[:, :, begin:end] = k.half()
        self.values[:, :, begin:end] = v.half()
        k = self.keys[:, :, :end].float()
        v = self.values[:, :, :end].float()
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(x + y.transpose(1, 2).flatten(2))


def test_a_decoder_that_remembers_is_the_one_that_reads_all(tmp_path: Path) -> None:
    import coremltools as ct

    torch.manual_seed(0)
    module = Remembering().eval()
    token, mask = torch.zeros(1, 1, dtype=torch.int32), torch.zeros(1, 1, 1, 3)
    network = Network("kv-cache", Remembering, noise(), target="iOS18")
    model = convert(
        module, [token, mask], network,
        inputs=[
            ct.TensorType("x0", (1, 1), dtype=np.int32),
            ct.TensorType("x1", (1, 1, 1, ct.RangeDim(1, 10, default=3))),
        ],
        states=[
            ct.StateType(ct.TensorType(shape=(1, 2, 10, 8), dtype=np.float16), name)
            for name in ("keys", "values")
        ],
    )  # fmt: skip
    loaded = lading.coreml.load(saved(model, tmp_path))
    ids = torch.randint(0, 20, (1, 10), dtype=torch.int32)
    with torch.no_grad():
        x = module.words(ids)
        q, k, v = (attention.heads(one, 2) for one in module.qkv(x).chunk(3, 2))
        y = F.scaled_dot_product_attention(q, k.half().float(), v.half().float(), is_causal=True)
        want = module.out(x + y.transpose(1, 2).flatten(2)).numpy()
    states = [loaded.make_state(), loaded.make_state()]
    for step in range(10):
        for state in states:  # two conversations, turn by turn
            given = {"x0": ids[:, step : step + 1].numpy(), "x1": np.zeros((1, 1, 1, step + 1))}
            got = loaded.predict(given, state=state)["y"]
            # A key next to the middle of two halves may be rounded either way: one ulp of it.
            assert np.abs(got[:, 0] - want[:, step]).max() <= 2**-10 * np.abs(want).max()
    kept = states[0].read_state("keys")
    assert np.abs(kept - k.half().numpy()).max() <= 2**-10 * np.abs(kept).max()


class Averaging(nn.Module):
    """Standardises by the mean and square that it has seen so far, running on."""

    mean: Any
    square: Any

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(3, 4, 3)
        self.register_buffer("mean", torch.zeros(1, 4, 1, dtype=torch.float16))
        self.register_buffer("square", torch.ones(1, 4, 1, dtype=torch.float16))

    def forward(self, x: Tensor) -> Any:
        x = self.body(x)
        self.mean.mul_(0.5).add_(x.mean(2, keepdim=True) * 0.5)
        self.square.mul_(0.5).add_(x.square().mean(2, keepdim=True) * 0.5)
        return (x - self.mean) / (self.square + 0.1).sqrt()


def test_running_statistics(tmp_path: Path) -> None:
    import coremltools as ct

    torch.manual_seed(0)
    module = Averaging().eval()
    states = [
        ct.StateType(ct.TensorType(shape=(1, 4, 1), dtype=np.float16), name)
        for name in ("mean", "square")
    ]
    network = Network("statistics", Averaging, noise((1, 3, 16)), target="iOS18", half=True)
    model = convert(module, network.inputs(), network, states=states)
    loaded = lading.coreml.load(saved(model, tmp_path))
    state = loaded.make_state()
    state.write_state("square", np.ones((1, 4, 1)))
    module.mean, module.square = torch.zeros(1, 4, 1), torch.ones(1, 4, 1)
    for _ in range(4):
        x = torch.randn(1, 3, 16) * 2 + 1
        got = loaded.predict({"x0": x.numpy()}, state=state)["y"]
        close(got, torchs(module, x), half=True)


# --------------------------------------------------------------------------------------- functions
def test_two_adapters_on_one_base(tmp_path: Path) -> None:
    import coremltools as ct

    network = Network("base", attention.mixer, noise((2, 3, 32, 32)), target="iOS18")
    module, examples = made(network)
    last: Any = list(module.children())[-1]
    description = ct.utils.MultiFunctionDescriptor()
    want = {}
    for name in ("cats", "dogs"):
        nn.init.normal_(last.weight)
        want[name] = torchs(module, *examples)
        path = saved(convert(module, examples, network), tmp_path, name)
        description.add_function(str(path), "main", name)
    description.default_function_name = "cats"
    both = tmp_path / "both.mlpackage"
    ct.utils.save_multifunction(description, str(both))
    assert np.abs(want["cats"] - want["dogs"]).max() > 0.1
    for name in ("", "cats", "dogs"):
        model = lading.coreml.load(both, function_name=name or None)
        close(model.predict(arrays(examples))["y"], want[name or "cats"])
    single, together = (
        sum(file.stat().st_size for file in (tmp_path / one).rglob("weight.bin"))
        for one in ("cats.mlpackage", "both.mlpackage")
    )
    assert together < 1.5 * single  # the base lies there once


def test_a_pipeline_of_networks(tmp_path: Path) -> None:
    import coremltools as ct

    first = Network("first", lambda: convolutional.unet("nearest"), noise((1, 1, 16, 16)))
    module, examples = made(first)
    one = convert(module, examples, first, outputs=[ct.TensorType("middle")])
    middle = torch.from_numpy(torchs(module, *examples))
    second = Network("second", lambda: nn.Conv2d(3, 5, 3), lambda: [middle])
    head, _ = made(second)
    inputs = [ct.TensorType("middle", tuple(middle.shape))]
    two = convert(head, [middle], second, inputs=inputs)
    line = saved(ct.utils.make_pipeline(one, two), tmp_path)
    got = lading.coreml.load(line).predict(arrays(examples))
    assert list(got) == ["y"]
    close(got["y"], torchs(head, middle))


# ------------------------------------------------------------------------------------ full size
@pytest.mark.full
def test_a_full_nnunet_gives_torchs_bits_at_torchs_speed(converted: Callable[..., Model]) -> None:
    architectures = importlib.import_module("dynamic_network_architectures.architectures.unet")
    torch.manual_seed(0)
    network = architectures.PlainConvUNet(
        input_channels=1,
        n_stages=7,
        features_per_stage=[32, 64, 128, 256, 512, 512, 512],
        conv_op=nn.Conv2d,
        kernel_sizes=3,
        strides=[1, 2, 2, 2, 2, 2, 2],
        n_conv_per_stage=2,
        num_classes=3,
        n_conv_per_stage_decoder=2,
        conv_bias=True,
        norm_op=nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
    ).eval()
    x = torch.randn(1, 1, 256, 256)
    wide, half = converted(network, x), converted(network, x, half=True)
    runs: dict[str, Callable[[], np.ndarray]] = {
        "torch": lambda: network(x).numpy(),
        "float32": lambda: wide.predict({"x0": x.numpy()})["y"],
        "float16": lambda: half.predict({"x0": x.numpy()})["y"],
    }
    seconds: dict[str, float] = {}
    with torch.no_grad():
        results = {name: run() for name, run in runs.items()}
        for _ in range(5):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                took = time.perf_counter() - start
                seconds[name] = min(took, seconds.get(name, took))
    np.testing.assert_array_equal(results["float32"], results["torch"])
    same = results["float16"].argmax(1) == results["torch"].argmax(1)
    # An untrained network's logits nearly tie everywhere; trained ones agree far better.
    assert same.mean() > 0.995
    # The best of five alternating runs: 1.15 and 1.4 are the goals on a quiet machine, where 0.97
    # and 0.92 were measured; half as much again allows for a busy one.
    assert seconds["float32"] < 1.15 * 1.5 * seconds["torch"]
    assert seconds["float16"] < 1.4 * 1.5 * seconds["torch"]
