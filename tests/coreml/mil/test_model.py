"""Whole networks and the contract of `predict`, against torch and against the file's promises."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import lading.coreml
from lading.coreml.mil import Model, Taps
from lading.errors import InputError, ProgramError, RequestError


def reference(module: nn.Module, *inputs: torch.Tensor) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        result = module.eval()(*inputs)
    return np.asarray(result.numpy())


class Block(nn.Module):
    """A convolution block as in nnU-Net, in 1, 2 or 3 dimensions, down and up again."""

    def __init__(self, rank: int, activation: nn.Module) -> None:
        super().__init__()
        conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][rank - 1]
        up = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d][rank - 1]
        norm = [nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d][rank - 1]
        self.down = conv(2, 6, 3, stride=2, padding=1)
        self.norm = norm(6, affine=True)
        self.act = activation
        self.dilated = conv(6, 6, 3, padding=2, dilation=2, groups=3)
        self.up = up(6, 3, 2, stride=2)
        self.head = conv(5, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.norm(self.down(x)))
        y = self.up(y + self.act(self.dilated(y)))
        return self.head(torch.cat([x, y], 1)).softmax(1)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_blocks_in_float32_equal_torch(converted: Callable[..., Model], rank: int) -> None:
    torch.manual_seed(rank)
    module = Block(rank, nn.LeakyReLU(0.01))
    x = torch.randn(1, 2, *[8] * rank)
    got = converted(module, x).predict({"x0": x.numpy()})["y"]
    assert got.dtype == np.float32
    # coremltools turns 3-D instance_norm into its formula: a few roundings apart, 2**-24 each.
    np.testing.assert_allclose(got, reference(module, x), rtol=0, atol=0 if rank == 2 else 1e-6)


def test_half_rounds_each_value_and_the_policies_bracket_it(
    converted: Callable[..., Model],
) -> None:
    torch.manual_seed(0)
    module = Block(2, nn.ReLU())
    x = torch.randn(1, 2, 16, 16)
    model = converted(module, x, half=True)
    want = reference(module, x)
    declared = model.predict({"x0": x.numpy()})["y"]
    lifted = model.predict({"x0": x.numpy()}, precision="float32")["y"]
    assert declared.dtype == np.float16
    assert lifted.dtype == np.float32
    # Probabilities are at most 1: half of float16's spacing there is 2**-12; some ten roundings.
    np.testing.assert_allclose(declared, want, rtol=0, atol=10 * 2**-12)
    # The weights stay float16, 2**-11 relative each; what is computed with them is not rounded.
    assert np.abs(lifted - want).max() < np.abs(declared - want).max() * 1.5
    assert np.unique(lifted.astype(np.float16).astype(np.float32) == lifted).tolist() != [True]


def activations() -> list[nn.Module]:
    return [
        nn.PReLU(2),
        nn.ELU(0.7),
        nn.GELU(),
        nn.GELU(approximate="tanh"),
        nn.SiLU(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Softplus(),
        nn.Softsign(),
        nn.Hardsigmoid(),
        nn.Hardswish(),
        nn.ReLU6(),
        nn.LogSoftmax(1),
        nn.BatchNorm2d(2),
        nn.GroupNorm(2, 2),
        nn.LayerNorm([6, 7]),
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.AvgPool2d(2, 2, ceil_mode=True),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True),
        nn.ReflectionPad2d((1, 2, 3, 0)),
        nn.ReplicationPad2d((1, 2, 3, 0)),
        nn.ConstantPad2d((1, 2, 3, 0), 0.5),
        nn.PixelShuffle(1),
        nn.Linear(7, 3),
        nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(2, 4, 4, stride=3, padding=2, dilation=2, groups=2, bias=False),
        nn.Conv2d(2, 2, (3, 2), padding="same"),
    ]


@pytest.mark.parametrize("layer", activations(), ids=lambda m: f"{m}".replace(" ", ""))
def test_layers_equal_torch(converted: Callable[..., Model], layer: nn.Module) -> None:
    torch.manual_seed(1)
    x = torch.randn(1, 2, 6, 7) * 3
    if isinstance(layer, nn.BatchNorm2d):
        layer.running_mean, layer.running_var = torch.randn(2), torch.rand(2) + 0.5
    got = converted(layer, x).predict({"x0": x.numpy()})["y"]
    # float32 with operations in another order: some units in the last place of values up to 10.
    np.testing.assert_allclose(got, reference(layer, x), rtol=2e-6, atol=2e-6)


class Arithmetic(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        z = (x - y) / (y.abs() + 1) + torch.maximum(x, y) * torch.minimum(x, y)
        z = torch.where(x > y, z, torch.sqrt(z.square() + 1).log()) + torch.rsqrt(y.abs() + 1)
        z = z.pow(2).mean((1, 2), keepdim=True) + z.sum(-1, keepdim=True) + z.amax(1, keepdim=True)
        z = torch.stack(z.chunk(2, dim=1), 0).transpose(0, 1).reshape(1, -1, 4)
        z = torch.matmul(z, z.transpose(1, 2)).exp().clamp(0, 3)[:, 1:, ::2]
        flags = torch.logical_or(torch.logical_and(z > 1, ~(z < 2)), z == 0)
        return torch.cat([z, flags.float(), z.argmax(1, keepdim=True).expand_as(z).float()], 1)


def test_arithmetic_equals_torch(converted: Callable[..., Model]) -> None:
    torch.manual_seed(2)
    x, y = torch.randn(1, 4, 5, 4) / 4, torch.randn(1, 4, 5, 4) / 4
    module = Arithmetic()
    got = converted(module, x, y).predict({"x0": x.numpy(), "x1": y.numpy()})["y"]
    np.testing.assert_allclose(got, reference(module, x, y), rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------------------------------- images
def test_grayscale_and_rgb_pictures_go_in(converted: Callable[..., Model]) -> None:
    import coremltools as ct

    for channels, layout, mode in ((1, "GRAYSCALE", "L"), (3, "RGB", "RGB"), (3, "BGR", "RGB")):
        module = nn.Conv2d(channels, 2, 3)
        x = torch.rand(1, channels, 5, 6)
        image = ct.ImageType(
            "x0",
            x.shape,
            scale=1 / 127.5,
            bias=[-1.0] * channels,
            color_layout=getattr(ct.colorlayout, layout),
        )
        model = converted(module, x, inputs=[image])
        pixels = np.random.default_rng(0).integers(0, 256, (5, 6, channels), dtype=np.uint8)
        picture = Image.fromarray(pixels.squeeze())
        got = model.predict({"x0": picture})["y"]
        planes = pixels[..., ::-1] if layout == "BGR" else pixels
        x = torch.from_numpy(planes.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        np.testing.assert_allclose(got, reference(module, x), rtol=1e-5, atol=1e-5)
        assert model.inputs[0].kind == "image"
        assert model.inputs[0].color == ("grayscale" if channels == 1 else "rgb")
        with pytest.raises(InputError, match=f"of mode {mode}, 6 x 5"):
            model.predict({"x0": pixels})
        with pytest.raises(InputError, match=rf"convert\('{mode}'\)"):
            model.predict({"x0": picture.convert("CMYK")})
        with pytest.raises(InputError, match="shape"):
            model.predict({"x0": picture.resize((9, 9))})


def test_pictures_come_out_clipped_and_rounded(converted: Callable[..., Model]) -> None:
    import coremltools as ct

    x = torch.tensor([[-3.0, 0.4, 0.6, 254.6, 300.0]]).expand(1, 3, 1, 5).clone()
    x[:, 1] = 7
    layouts = (("RGB", [0, 7, 0]), ("BGR", [0, 7, 0]))
    for layout, first in layouts:
        out = [ct.ImageType("y", color_layout=getattr(ct.colorlayout, layout))]
        model = converted(nn.Hardtanh(-1e3, 1e3), x, outputs=out)
        picture = model.predict({"x0": x.numpy()})["y"]
        assert picture.mode == "RGB"
        assert picture.size == (5, 1)
        assert np.asarray(picture)[0, 0].tolist() == first
        assert np.asarray(picture)[0, :, 0].tolist() == [0, 0, 1, 255, 255]
        assert model.outputs[0].kind == "image"


# -------------------------------------------------------------------------------------- contract
@pytest.fixture
def adder(converted: Callable[..., Model]) -> Model:
    class Add(nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left + right

    import coremltools as ct

    return converted(
        Add(),
        torch.zeros(2, 3),
        torch.zeros(2, 3),
        half=True,
        inputs=[
            ct.TensorType("left", shape=(2, 3), dtype=np.float16),
            ct.TensorType("right", shape=(2, 3), dtype=np.float16),
        ],
    )


def test_inputs_are_cast_to_what_is_declared(adder: Model) -> None:
    one = np.ones((2, 3))
    got = adder.predict({"left": one, "right": (one * 3).astype(np.int64)})["y"]
    assert got.dtype == np.float16
    assert (got == 4).all()
    assert [port.dtype for port in (*adder.inputs, *adder.outputs)] == ["float16"] * 3


def test_an_unknown_input_gets_the_nearest_name(adder: Model) -> None:
    one = np.ones((2, 3))
    with pytest.raises(InputError) as caught:
        adder.predict({"left": one, "rigth": one})
    assert str(caught.value) == (
        "input 'rigth'\n"
        "  found     no input of that name; the model takes left, right\n"
        "  expected  'right'\n"
        "  remedy    write 'right'"
    )


def test_wrong_inputs_are_refused_with_what_would_be_right(adder: Model) -> None:
    one = np.ones((2, 3))
    with pytest.raises(InputError, match="give 'right' a value"):
        adder.predict({"left": one})
    with pytest.raises(InputError, match=r"shape \(3, 2\)") as caught:
        adder.predict({"left": one.T, "right": one})
    assert caught.value.expected == "float16 of shape (2, 3)"
    with pytest.raises(InputError, match=r"70000.0, beyond float16 \(largest 65504.0\)"):
        adder.predict({"left": one * 70000, "right": one})
    with pytest.raises(InputError, match="give numbers"):
        adder.predict({"left": np.full((2, 3), "a"), "right": one})
    with pytest.raises(RequestError, match="precision 'fp8'"):
        adder.predict({"left": one, "right": one}, precision="fp8")  # type: ignore[arg-type]
    assert np.isinf(adder.predict({"left": one * np.inf, "right": one})["y"]).all()


def test_flexible_shapes(converted: Callable[..., Model]) -> None:
    import coremltools as ct

    x = torch.randn(1, 1, 8, 8)
    module = nn.Conv2d(1, 2, 3, padding=1)
    free = ct.RangeDim(4, 16, default=8)
    shape = ct.Shape((1, 1, free, free))
    model = converted(module, x, inputs=[ct.TensorType("x0", shape=shape)])
    y = torch.randn(1, 1, 5, 16)
    assert model.predict({"x0": y.numpy()})["y"].shape == (1, 2, 5, 16)
    with pytest.raises(InputError, match=r"float32 of shape \(1, 1, 4..16, 4..16\)"):
        model.predict({"x0": np.zeros((1, 1, 3, 8))})
    listed = ct.EnumeratedShapes([(1, 1, 8, 8), (1, 1, 12, 6)])
    model = converted(module, x, inputs=[ct.TensorType("x0", shape=listed)])
    assert model.predict({"x0": np.zeros((1, 1, 12, 6))})["y"].shape == (1, 2, 12, 6)
    with pytest.raises(InputError, match=r"\(1, 1, 8, 8\) or \(1, 1, 12, 6\)"):
        model.predict({"x0": np.zeros((1, 1, 6, 12))})


def test_optional_inputs_take_their_default(converted: Callable[..., Model]) -> None:
    import coremltools as ct

    class Add(nn.Module):
        def forward(self, x0: torch.Tensor, x1: torch.Tensor) -> torch.Tensor:
            return x0 + x1

    a = torch.zeros(2)
    model = converted(
        Add(),
        a,
        a,
        inputs=[
            ct.TensorType("x0", shape=(2,)),
            ct.TensorType("x1", shape=(2,), default_value=np.full(2, 2.5, np.float32)),
        ],
    )
    assert model.predict({"x0": np.ones(2)})["y"].tolist() == [3.5, 3.5]
    assert model.predict({"x0": np.ones(2), "x1": np.ones(2)})["y"].tolist() == [2, 2]


def test_metadata_and_program(converted: Callable[..., Model], tmp_path: Path) -> None:
    import coremltools as ct

    converted(nn.ReLU(), torch.zeros(3))
    path = next(tmp_path.glob("*.mlpackage"))
    proxy = ct.models.MLModel(str(path), skip_model_load=True)
    proxy.user_defined_metadata["lading.family"] = "test"
    proxy.author = "A"
    proxy.save(str(tmp_path / "b.mlpackage"))
    model = lading.coreml.load(tmp_path / "b.mlpackage")
    assert model.metadata["lading.family"] == "test"
    assert model.metadata["com.apple.author"] == "A"
    function = model.program.functions["main"]
    assert [op.type for op in function.block.operations] == ["relu"]
    assert str(function.inputs[0].type) == "float32[3]"


# ------------------------------------------------------------------------------------------ taps
def test_taps_take_measure_time_and_stop(converted: Callable[..., Model]) -> None:
    class Big(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return ((x * 300) * (x * 300)).exp().relu()

    x = torch.tensor([[0.0, 1.0, 2.0, -1e-3, 1e-6]])
    model = converted(Big(), x, half=True)
    ops = [op for op in model.program.functions["main"].block.operations if op.type != "const"]
    product = [op.outputs[0].name for op in ops if op.type == "mul"][-1]
    taps = Taps(take=[product], statistics=True, times=True)
    plain = model.predict({"x0": x.numpy()})["y"]
    got = model.predict({"x0": x.numpy()}, taps=taps)["y"]
    np.testing.assert_array_equal(got, plain)
    kept = taps.values[product]
    assert kept.dtype == np.float16
    assert np.isinf(kept).tolist() == [[False, True, True, False, False]]
    seen = taps.statistics_of[product]
    assert (seen.op, seen.count, seen.overflowed, seen.underflowed) == ("mul", 5, 2, 0)
    assert (seen.minimum, seen.nans) == (0.0, 0)
    assert set(taps.seconds) == {op.outputs[0].name for op in ops}
    taps = Taps(until=product)
    assert model.predict({"x0": x.numpy()}, taps=taps) == {}
    assert list(taps.values) == [product]
    with pytest.raises(ProgramError, match="no value of that name"):
        model.predict({"x0": x.numpy()}, taps=Taps(take=["nowhere"]))


def test_dead_values_are_freed(converted: Callable[..., Model]) -> None:
    class Skip(nn.Module):
        """Ten convolutions one after the other, and the first one's result added to the last."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(10))

        def forward(self, x: torch.Tensor) -> Any:
            kept = x = self.body[0](x)
            for layer in self.body[1:]:
                x = layer(x)
            return x + kept

    x = torch.randn(1, 4, 32, 32)
    model = converted(Skip(), x)
    taps = Taps(memory=True)
    for _ in range(2):  # a second run finds what the first left: nothing
        model.predict({"x0": x.numpy()}, taps=taps)
    one = 4 * x.numel()
    seen = list(taps.memory_of.values())
    assert [memory.live for memory in seen] == [one] + [2 * one] * 9 + [one]
    assert max(memory.pair for memory in seen) == 2 * one
    assert not Taps().memory_of


def test_threads_share_a_model(converted: Callable[..., Model]) -> None:
    module = Block(2, nn.LeakyReLU(0.01))
    xs = [torch.randn(1, 2, 16, 16) for _ in range(8)]
    model = converted(module, xs[0])
    wants = [model.predict({"x0": x.numpy()})["y"] for x in xs]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(5):
            if not np.array_equal(model.predict({"x0": xs[i].numpy()})["y"], wants[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_inputs_and_weights_stay_as_they_are(converted: Callable[..., Model]) -> None:
    x = torch.randn(1, 2, 4, 4)
    model = converted(nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 1)), x)
    given = x.numpy().copy()
    first = model.predict({"x0": given})["y"]
    first_again = first.copy()
    first += 1
    np.testing.assert_array_equal(given, x.numpy())
    np.testing.assert_array_equal(model.predict({"x0": given})["y"], first_again)


# ------------------------------------------------------------------------------------- bad files
@pytest.fixture
def package(converted: Callable[..., Model], tmp_path: Path) -> Path:
    converted(nn.Conv2d(2, 3, 3), torch.zeros(1, 2, 5, 5))
    return next(tmp_path.glob("*.mlpackage"))


def test_a_missing_or_foreign_file(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no such file"):
        lading.coreml.load(tmp_path / "no.mlpackage")
    (tmp_path / "x.mlmodel").write_bytes(b"\xff\xff\xff garbage")
    with pytest.raises(ProgramError, match="not a Core ML specification"):
        lading.coreml.load(tmp_path / "x.mlmodel")
    (tmp_path / "empty.mlpackage").mkdir()
    with pytest.raises(ProgramError, match="without Manifest"):
        lading.coreml.load(tmp_path / "empty.mlpackage")
    (tmp_path / "empty.mlpackage" / "Manifest.json").write_text("{}")
    with pytest.raises(ProgramError, match="itemInfoEntries"):
        lading.coreml.load(tmp_path / "empty.mlpackage")


def test_a_single_file_with_a_program(converted: Callable[..., Model], tmp_path: Path) -> None:
    converted(nn.Hardtanh(-1.0, 2.0), torch.zeros(3))  # no weights, so no file of weights
    inner = next(tmp_path.rglob("model.mlmodel"))
    single = shutil.copy(inner, tmp_path / "single.mlmodel")
    got = lading.coreml.load(single).predict({"x0": np.array([-5.0, 1.0, 5.0])})
    assert got["y"].tolist() == [-1, 1, 2]


def test_a_manifest_that_leaves_the_package(package: Path, tmp_path: Path) -> None:
    manifest = package / "Manifest.json"
    text = manifest.read_text().replace("com.apple.CoreML/model.mlmodel", "../../../etc/hosts")
    manifest.write_text(text)
    with pytest.raises(ProgramError, match="outside the package"):
        lading.coreml.load(package)


def test_a_missing_blob_and_a_truncated_one(package: Path) -> None:
    weights = next(package.rglob("weight.bin"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-20])
    with pytest.raises(ProgramError, match=r"const -> .*weight.* \(main\)"):
        lading.coreml.load(package)
    weights.write_bytes(whole[:40])
    with pytest.raises(ProgramError, match="a header of 64 bytes"):
        lading.coreml.load(package)
    weights.write_bytes(b"\0" * len(whole))
    with pytest.raises(ProgramError, match="version 0"):
        lading.coreml.load(package)
    shutil.rmtree(weights.parent)
    with pytest.raises(ProgramError, match="no such file"):
        lading.coreml.load(package)


def edited(package: Path, change: Callable[[Any], None]) -> Model:
    """The package with its protobuf changed."""
    from coremltools.proto import Model_pb2

    path = next(package.rglob("model.mlmodel"))
    spec = Model_pb2.Model()
    spec.ParseFromString(path.read_bytes())
    change(spec)
    path.write_bytes(spec.SerializeToString())
    return lading.coreml.load(package)


def block_of(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def test_an_unknown_operation_is_an_error_never_a_skip(package: Path) -> None:
    def change(spec: Any) -> None:
        block_of(spec).operations[-1].type = "convolve"

    model = edited(package, change)
    with pytest.raises(ProgramError, match=r"convolve -> y \(main, operation \d+\)") as caught:
        model.predict({"x0": np.zeros((1, 2, 5, 5))})
    assert caught.value.found == "convolve: no such operation here"
    assert caught.value.expected == "a known operation, such as conv"


def test_a_wrong_parameter_or_name_is_named(package: Path) -> None:
    def change(spec: Any) -> None:
        inputs = block_of(spec).operations[-1].inputs
        inputs["stride"].CopyFrom(inputs["strides"])
        del inputs["strides"]

    with pytest.raises(ProgramError, match="an input stride"):
        edited(package, change).predict({"x0": np.zeros((1, 2, 5, 5))})

    def rename(spec: Any) -> None:
        inputs = block_of(spec).operations[-1].inputs
        inputs["strides"].CopyFrom(inputs["stride"])
        del inputs["stride"]
        inputs["x"].arguments[0].name = "elsewhere"

    with pytest.raises(ProgramError, match="x = elsewhere"):
        edited(package, rename).predict({"x0": np.zeros((1, 2, 5, 5))})


def test_a_wrong_declared_shape_is_an_error(package: Path) -> None:
    def change(spec: Any) -> None:
        output = block_of(spec).operations[-1].outputs[0]
        output.type.tensorType.dimensions[2].constant.size = 4

    with pytest.raises(ProgramError, match="conv -> y") as caught:
        edited(package, change).predict({"x0": np.zeros((1, 2, 5, 5))})
    assert caught.value.found == "shape (1, 3, 3, 3)"
    assert caught.value.expected == "the declared float32[1,3,4,3]"


def test_a_model_of_another_type(package: Path) -> None:
    def change(spec: Any) -> None:
        spec.identity.SetInParent()

    with pytest.raises(ProgramError, match="a model of type identity"):
        edited(package, change)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, lading.coreml.mil; print({'torch', 'coremltools', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_grey_pictures_of_halves(converted: Callable[..., Model]) -> None:
    import coremltools as ct

    grey = ct.colorlayout.GRAYSCALE_FLOAT16
    x = torch.rand(1, 1, 4, 5)
    model = converted(
        nn.Hardtanh(-1e3, 1e3),
        x,
        half=True,
        inputs=[ct.ImageType("x0", x.shape, color_layout=grey)],
        outputs=[ct.ImageType("y", color_layout=grey)],
    )
    picture = Image.fromarray(x[0, 0].numpy())
    assert picture.mode == "F"
    got = model.predict({"x0": picture})["y"]
    assert got.mode == "F"
    np.testing.assert_array_equal(np.asarray(got), x[0, 0].half().float().numpy())
    assert model.inputs[0].dtype == "float16"


def test_an_infinity_that_came_in_is_no_overflow(converted: Callable[..., Model]) -> None:
    model = converted(nn.Tanhshrink(), torch.zeros(5), half=True)
    ops = model.program.functions["main"].block.operations
    name = [op.outputs[0].name for op in ops if op.type == "sub"][-1]
    taps = Taps(statistics=True)
    x = np.array([np.inf, np.nan, 1.0, 2e-3, 0.0], np.float32)
    model.predict({"x0": x}, taps=taps)
    seen = taps.statistics_of[name]
    # 2e-3 - tanh(2e-3) on the grid is 0 already as computed, so nothing was lost by rounding.
    assert (seen.overflowed, seen.underflowed, seen.nans) == (0, 0, 1)
    assert seen.maximum == np.inf
