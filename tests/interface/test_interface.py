"""What is put around the network, against plain numpy; what makes no sense is refused in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lading.errors import RequestError
from lading.interface import Options, Sizes, wrap
from lading.record import Port, Task
from tests.toys import interface, net, noise, task


def run(module: nn.Module, values: Any) -> Any:
    with torch.inference_mode():
        return module(torch.from_numpy(values)).numpy()


# ------------------------------------------------------------------------------------------- wrap
def test_the_bare_network_is_left_as_it_is() -> None:
    network = net()
    one = wrap(network, task(), Options())
    x = noise((1, 1, 16, 16))
    np.testing.assert_array_equal(run(one.module, x), run(network, x))
    assert one.module.network is network
    assert (one.inputs, one.outputs) == (task().inputs, task().outputs)
    assert not one.module.training


def test_everything_at_once() -> None:
    options = Options("labels", ("zscore",), "rgb", 0.5, (1.0, 2.0, 3.0))
    one = interface(options, channels=3)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    bias = np.array([1.0, 2.0, 3.0], np.float32).reshape(1, 3, 1, 1)
    scaled = (x * np.float32(0.5) + bias).astype(np.float64)
    centred = scaled - scaled.mean(axis=(2, 3), keepdims=True)
    inner = (centred / scaled.std(axis=(2, 3), keepdims=True)).astype(np.float32)
    scores = run(net(3), inner)
    got = run(one.module, x)
    assert (got == scores.argmax(axis=1)).mean() > 0.99  # ties aside
    assert one.inputs[0] == replace(
        task(3).inputs[0], kind="image", color="rgb", scale=0.5, bias=(1.0, 2.0, 3.0),
        meaning="RGB values", value_range=(0.0, 255.0),
    )  # fmt: skip


def test_ports_of_scores_probabilities_and_labels() -> None:
    logits, probabilities, labels = (
        interface(Options(output=kind)).outputs[0] for kind in ("logits", "probabilities", "labels")
    )
    assert logits == task().outputs[0]
    assert probabilities == replace(
        logits, name="probabilities", meaning="probabilities", value_range=(0.0, 1.0)
    )
    assert labels == Port(
        "labels", "tensor", "int32", (1, 16, 16), meaning="labels", value_range=(0.0, 2.0)
    )
    regions = interface(Options("labels"), activation="sigmoid", region_order=(2, 7, 1))
    assert regions.outputs[0].value_range == (0.0, 7.0)


@pytest.mark.parametrize(
    ("options", "meaning", "value_range"),
    [
        (Options(), "normalised grey levels", ()),
        (Options(bake=("zscore",)), "grey levels", (0.0, 255.0)),
        (Options(image="grayscale", bake=("zscore",)), "grey levels", (0.0, 255.0)),
        (Options(image="grayscale", scale=1 / 255, bias=(-0.5,)), "grey levels", (0.0, 255.0)),
    ],
)
def test_the_input_says_what_its_numbers_are(
    options: Options, meaning: str, value_range: tuple[float, ...]
) -> None:
    port = interface(options).inputs[0]
    assert (port.meaning, port.value_range) == (meaning, value_range)
    assert port.kind == ("image" if options.image else "tensor")


def test_one_bias_serves_every_channel() -> None:
    one = interface(Options(image="rgb", scale=2.0, bias=(3.0,)), channels=3)
    assert one.inputs[0].bias == (3.0, 3.0, 3.0)


def test_a_network_that_takes_grey_levels_takes_pictures_as_they_are() -> None:
    one = interface(Options(image="grayscale"), normalisation="")
    x = noise((1, 1, 16, 16))
    np.testing.assert_array_equal(run(one.module, x), run(net(), x))


def test_the_outputs_follow_the_inputs_sizes() -> None:
    listed = interface(Options(sizes=Sizes(listed=((8, 8), (16, 16), (32, 24)))))
    assert listed.inputs[0].enumerated == ((1, 1, 16, 16), (1, 1, 8, 8), (1, 1, 32, 24))
    assert listed.outputs[0].enumerated == ((1, 3, 16, 16), (1, 3, 8, 8), (1, 3, 32, 24))
    enumerated = interface(Options("labels", sizes=Sizes(listed=((8, 8),))))
    assert enumerated.outputs[0].enumerated == ((1, 16, 16), (1, 8, 8))


def test_examples_lie_in_the_range_of_their_port() -> None:
    """Of numbers too: they may be read as indices."""
    one = interface()
    (port,) = one.inputs
    ranged = replace(one, inputs=(replace(port, value_range=(20.0, 30.0)),))
    values = ranged.example()["image"]
    assert values.min() >= 20
    assert values.max() <= 30
    assert values.std() > 1


def test_examples_are_the_same_every_time() -> None:
    one = interface()
    first, again, other = one.example(), one.example(), one.example(seed=1)
    assert list(first) == ["image"]
    assert first["image"].shape == (1, 1, 16, 16)
    assert torch.equal(first["image"], again["image"])
    assert not torch.equal(first["image"], other["image"])
    assert one.example(2)["image"].shape == (2, 1, 16, 16)


# ------------------------------------------------------------------------------------------- sizes
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("256x256", Sizes(listed=((256, 256),))),
        (" 256 x 256 , 512x384", Sizes(listed=((256, 256), (512, 384)))),
        ("20", Sizes(listed=((20,),))),
        ("8x9x10", Sizes(listed=((8, 9, 10),))),
        ("128..512x64..64", Sizes(ranges=((128, 512), (64, 64)))),
        ("1..9", Sizes(ranges=((1, 9),))),
    ],
)
def test_sizes(text: str, expected: Sizes) -> None:
    assert Sizes.parse(text) == expected


@given(st.lists(st.lists(st.integers(1, 9999), min_size=1, max_size=3), min_size=1, max_size=4))
def test_sizes_are_read_as_written(listed: list[list[int]]) -> None:
    text = ",".join("x".join(map(str, one)) for one in listed)
    assert Sizes.parse(text) == Sizes(listed=tuple(map(tuple, listed)))


@pytest.mark.parametrize(
    "text",
    ["", "x", "256", "0x256", "256x", "a", "256*256", "512..128x1..2", "0..8", "8..9,10", "-1x4",
     "1..2x3", "1x2..3"],
)  # fmt: skip
def test_what_is_no_size(text: str) -> None:
    if text == "256":  # one axis: a size in itself
        assert Sizes.parse(text).listed == ((256,),)
        return
    with pytest.raises(RequestError) as caught:
        Sizes.parse(text)
    assert caught.value.found == repr(text)


@settings(max_examples=300)
@given(st.text(alphabet="0123456789x., ", max_size=12))
def test_any_text_is_sizes_or_refused(text: str) -> None:
    try:
        sizes = Sizes.parse(text)
    except RequestError:
        return
    assert bool(sizes.listed) != bool(sizes.ranges)
    assert all(n > 0 for one in sizes.listed + sizes.ranges for n in one)


# ---------------------------------------------------------------------------------------- refusals
def refused(options: Options, channels: int = 1, **changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        interface(options, channels, **changes)
    return str(caught.value)


def test_a_picture_for_the_wrong_channels() -> None:
    assert refused(Options(image="rgb")) == (
        "--input-image rgb\n"
        "  found     a network that takes 1 channel(s) in 2-D\n"
        "  expected  a 2-D network with 3 channel(s)\n"
        "  remedy    leave --input-image out and feed a float array"
    )
    assert "takes 3 channel(s)" in refused(Options(image="grayscale"), channels=3)


def test_a_picture_for_a_volume() -> None:
    volume = replace(task().inputs[0], shape=(1, 1, 8, 8, 8), multiples=())
    with pytest.raises(RequestError, match="in 3-D"):
        wrap(net(), task(inputs=(volume,)), Options(image="grayscale"))


def test_the_wrong_number_of_biases() -> None:
    assert refused(Options(image="rgb", bias=(1.0, 2.0)), channels=3) == (
        "--bias 1.0,2.0\n"
        "  found     2 numbers\n"
        "  expected  one number, or one per channel (3)\n"
        "  remedy    give as many numbers as the network has channels"
    )


def test_raw_pixels_for_a_network_that_expects_normalised_ones() -> None:
    assert refused(Options(image="grayscale")) == (
        "--input-image grayscale\n"
        "  found     a network that expects zscore values, fed with 0-255\n"
        "  expected  the normalisation inside the model, or a scale and bias\n"
        "  remedy    add --bake zscore (or --scale and --bias)"
    )


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(bias=(0.0, 1.0))])
def test_scale_and_bias_without_a_picture(options: Options) -> None:
    text = refused(options)
    assert text.endswith(
        "  found     no picture to apply them to\n"
        "  expected  --input-image beside them\n"
        "  remedy    add --input-image grayscale (or rgb), or leave --scale and --bias out"
    )


def test_baking_what_the_network_does_not_want() -> None:
    assert refused(Options(bake=("zscore",)), normalisation="ct") == (
        "--bake zscore\n"
        "  found     normalisation 'ct' in the checkpoint\n"
        "  expected  zscore\n"
        "  remedy    leave --bake out and normalise before the model"
    )
    assert refused(Options(bake=("minmax",))).startswith("--bake minmax\n")


@pytest.mark.parametrize("output", ["probabilities", "labels"])
def test_classes_of_a_network_without_classes(output: Any) -> None:
    port = replace(task().outputs[0], meaning="noise", class_axis=None)
    assert refused(Options(output=output), outputs=(port,), kind="diffusion") == (
        f"--output {output}\n"
        "  found     a diffusion network whose output is noise\n"
        "  expected  a network that scores classes\n"
        "  remedy    use --output logits"
    )
    assert "--output" in refused(Options(output=output), activation="")


def test_sizes_with_the_wrong_number_of_axes() -> None:
    assert refused(Options(sizes=Sizes(listed=((16, 16, 16),)))) == (
        "--shapes 16x16x16\n"
        "  found     3 axes\n"
        "  expected  2 axes, as the network is 2-D\n"
        "  remedy    write the spatial sizes only, without batch and channels"
    )
    assert "1 axes" in refused(Options(sizes=Sizes(ranges=((8, 16),))))


def test_sizes_that_are_no_multiple() -> None:
    assert refused(Options(sizes=Sizes(listed=((16, 17),)))) == (
        "--shapes 16x17\n"
        "  found     17 on axis 1\n"
        "  expected  a multiple of 2: the network halves it that often\n"
        "  remedy    use 16 or 18"
    )
    assert refused(Options(sizes=Sizes(listed=((16, 1),)))).endswith("remedy    use 2")
    assert "17 on axis 0" in refused(Options(sizes=Sizes(ranges=((16, 17), (16, 16)))))


def test_of_a_range_the_sizes_are_listed_at_which_the_network_runs() -> None:
    """A file that takes 8 to 12 takes 9 as well, and there the network stops."""
    one = interface(Options("labels", sizes=Sizes(ranges=((12, 18), (16, 16)))))
    heights = (16, 12, 14, 18)
    assert not one.inputs[0].ranges
    assert one.inputs[0].enumerated == tuple((1, 1, height, 16) for height in heights)
    assert one.outputs[0].enumerated == tuple((1, height, 16) for height in heights)


def test_more_sizes_than_a_list_holds() -> None:
    assert refused(Options(sizes=Sizes(ranges=((8, 32), (16, 64))))) == (
        "--shapes 8..32x16..64\n"
        "  found     325 sizes that the network runs at, multiples of 2x2\n"
        "  expected  128 at most, as each is listed in the file: a range would hold sizes at which "
        "the network itself does not run\n"
        "  remedy    narrow the range, or list the sizes that the app feeds"
    )


def test_a_range_without_the_default_size() -> None:
    assert refused(Options(sizes=Sizes(ranges=((32, 64), (16, 16))))) == (
        "--shapes 32..64\n"
        "  found     a range without the default size 16\n"
        "  expected  a range that holds 16\n"
        "  remedy    widen the range, or change the default with --set patch_size=..."
    )


def test_zscore_is_not_baked_where_the_checkpoint_asks_for_something_else() -> None:
    """CT or masked normalisation has no name here; a z-score instead would be quietly wrong."""
    with pytest.raises(RequestError) as caught:
        interface(Options(bake=("zscore",)), normalisation="")
    assert caught.value.subject == "--bake zscore"
    assert caught.value.found == "normalisation 'none' in the checkpoint"


# ---------------------------------------------------------------------------------- several inputs
class Guided(nn.Module):
    """Two inputs, one of them whole numbers."""

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return x * timesteps.reshape(-1, 1, 1, 1)


def guided(options: Options) -> Any:
    x = Port("x", "tensor", "float32", (1, 1, 8, 8), multiples=(1, 1, 4, 4))
    t = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 999.0))
    out = replace(x, name="prediction")
    return wrap(Guided(), Task("diffusion", (x, t), (out,)), options)


def test_several_inputs_keep_their_ports() -> None:
    wrapped = guided(Options())
    assert [port.name for port in wrapped.inputs] == ["x", "timesteps"]
    x, t = wrapped.example().values()
    assert (tuple(t.shape), t.dtype) == ((1,), torch.int32)
    assert torch.equal(wrapped.module(x, t), x * t)
    many = wrapped.example(batch=3)
    assert (many["x"].shape[0], many["timesteps"].shape[0]) == (3, 3)


def test_a_time_of_real_numbers() -> None:
    wrapped = guided(Options(timesteps="float32"))
    assert wrapped.inputs[1].dtype == wrapped.task.inputs[1].dtype == "float32"
    drawn = [float(wrapped.example(seed=seed)["timesteps"]) for seed in range(5)]
    assert 0.0 <= min(drawn) < max(drawn) <= 999.0


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        (Options(output="labels"), "--output labels"),
        (Options(classifier=True), "--classifier"),
        (Options(bake=("zscore",)), "--bake zscore"),
        (Options(image="rgb"), "--input-image rgb"),
        (Options(scale=2.0), "--scale"),
        (Options(bias=(1.0,)), "--bias"),
        (Options(sizes=Sizes.parse("16x16")), "--shapes"),
        (Options(dynamic=("size",)), "--dynamic size"),
    ],
)
def test_what_several_inputs_cannot_have(options: Options, subject: str) -> None:
    with pytest.raises(RequestError) as caught:
        guided(options)
    assert caught.value.subject == subject
    assert caught.value.found == "a diffusion network with the inputs x, timesteps"
    assert caught.value.remedy == f"leave {subject.split()[0]} out"


def test_no_time_no_dtype_of_it() -> None:
    with pytest.raises(RequestError) as caught:
        interface(Options(timesteps="float32"))
    assert caught.value.subject == "--timesteps"


def test_a_picture_s_whole_numbers_are_computed_with_as_any_number() -> None:
    """A Core ML file takes 8 bits where the network computes a mean and a deviation of them."""
    one = interface(Options("labels", ("zscore",), "grayscale"))
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    (value,) = one.arguments({one.inputs[0].name: pixels})
    assert value.dtype == torch.float32
    with torch.no_grad():
        assert one.module(value).shape == (1, 16, 16)
