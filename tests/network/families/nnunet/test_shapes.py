"""Round trip: the genuine class, random settings -> its state dict alone -> the same settings."""

from __future__ import annotations

import importlib
import math
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lading.checkpoint import Checkpoint
from lading.checkpoint.ledger import close
from lading.network.families import recognise
from lading.network.families.nnunet.names import canonical, spellings
from lading.record import CheckpointRecord
from lading.record.values import show

unet = importlib.import_module("dynamic_network_architectures.architectures.unet")

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {
    ("instance", 2): nn.InstanceNorm2d,
    ("instance", 3): nn.InstanceNorm3d,
    ("batch", 2): nn.BatchNorm2d,
    ("batch", 3): nn.BatchNorm3d,
}
DROPOUT = {2: nn.Dropout2d, 3: nn.Dropout3d}
RECORD = CheckpointRecord("weights.pth", "0" * 64, 1, "zip")


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of a small network; every kind that nnU-Net v2's two classes can take."""
    residual, dimension = draw(st.booleans()), draw(st.sampled_from([2, 2, 3]))
    stages = draw(st.integers(2, 4))

    def per_stage(values: st.SearchStrategy[Any], n: int = stages) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    def row(*values: int) -> st.SearchStrategy[list[int]]:
        return st.lists(st.sampled_from(values), min_size=dimension, max_size=dimension)

    wish: dict[str, Any] = {
        "architecture": "ResidualEncoderUNet" if residual else "PlainConvUNet",
        "dimension": dimension,
        "n_stages": stages,
        "input_channels": draw(st.integers(1, 3)),
        "num_classes": draw(st.integers(1, 4)),
        "features_per_stage": per_stage(st.integers(1, 6)),
        "kernel_sizes": per_stage(row(1, 3, 3, 5)),
        "down_strides": per_stage(row(1, 2, 2), stages - 1),
        "n_conv_per_stage_decoder": per_stage(st.integers(1, 2), stages - 1),
        "conv_bias": draw(st.booleans()),
        "norm": draw(st.sampled_from(["instance", "instance", "batch", "none"])),
        "norm_affine": draw(st.sampled_from([True, True, False])),
    }
    depths = per_stage(st.integers(1, 3))
    if residual:
        wish["n_blocks_per_stage"] = depths
        wish["stem_channels"] = draw(st.integers(1, 5))
        wish["bottleneck_channels"] = draw(st.sampled_from([[], per_stage(st.integers(1, 4))]))
    else:
        wish["n_conv_per_stage"] = depths
        wish["nonlin_first"] = draw(st.booleans())
        wish["dropout"] = draw(st.booleans())
    return wish


def genuine(wish: dict[str, Any]) -> nn.Module:
    """The network by the genuine class, every number in it random, in eval mode."""
    dimension, norm = wish["dimension"], wish["norm"]
    more: dict[str, Any] = {}
    if wish["architecture"] == "PlainConvUNet":
        more = {
            "n_conv_per_stage": wish["n_conv_per_stage"],
            "nonlin_first": wish["nonlin_first"],
            "dropout_op": DROPOUT[dimension] if wish["dropout"] else None,
            "dropout_op_kwargs": {"p": 0.5},
        }
    else:
        deep = wish["bottleneck_channels"]
        more = {
            "n_blocks_per_stage": wish["n_blocks_per_stage"],
            "stem_channels": wish["stem_channels"],
            "block": unet.BottleneckD if deep else unet.BasicBlockD,
            "bottleneck_channels": deep or None,
        }
    net: nn.Module = getattr(unet, wish["architecture"])(
        input_channels=wish["input_channels"],
        n_stages=wish["n_stages"],
        features_per_stage=wish["features_per_stage"],
        conv_op=CONV[dimension],
        kernel_sizes=wish["kernel_sizes"],
        strides=[[1] * dimension, *wish["down_strides"]],
        num_classes=wish["num_classes"],
        n_conv_per_stage_decoder=wish["n_conv_per_stage_decoder"],
        conv_bias=wish["conv_bias"],
        norm_op=NORM.get((norm, dimension)),
        norm_op_kwargs={"eps": 1e-5, "affine": wish["norm_affine"]},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
        **more,
    )
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif value.is_floating_point():
                value.normal_(0.1, 0.5)
    return net.eval()


def checkpoint_of(net: nn.Module, **more: Any) -> Checkpoint:
    """The state dict as a reader gives it."""
    tensors, first, aliases = net.state_dict(), {}, {}
    for name, tensor in tensors.items():
        owner = first.setdefault(tensor.data_ptr(), name)
        if owner != name:
            aliases[name] = owner
    return Checkpoint(RECORD, tensors, aliases, **more)


def unprovable(wish: dict[str, Any]) -> dict[str, str]:
    """What no tensor shows, and a user would have to say."""
    said = {}
    tracked = wish["norm"] == "batch"
    if wish["norm"] == "instance" and not wish["norm_affine"]:
        said["norm"] = "instance"
    seen = wish["norm"] != "none" and (wish["norm_affine"] or tracked)
    if wish.get("nonlin_first") and wish["norm"] != "none" and not (seen and wish["dropout"]):
        said["nonlin_first"] = "true"
    return said


@settings(
    max_examples=160,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(wishes())
def test_tensors_alone(wish: dict[str, Any]) -> None:
    """Same settings, tensors as evidence, a closed ledger, and the same bits come out."""
    net = genuine(wish)
    checkpoint = checkpoint_of(net)
    steps = [math.prod(column) for column in zip(*wish["down_strides"], strict=True)]
    said = unprovable(wish) | {"patch_size": show([2 * step for step in steps])}
    family, read = recognise(checkpoint, said)
    known = {one.name: one for one in read.hyperparameters}
    assert not read.conflicts
    for name, value in wish.items():
        if name == "dropout" or (
            wish["norm"] == "none" and name in ("norm_affine", "nonlin_first")
        ):
            continue
        assert known[name].value == value, name
        if name not in ("norm", "nonlin_first"):
            assert known[name].evidence == "tensors", name
    rebuilt = family.build(read)
    ledger = close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    assert ledger.summary.unused == 2 * (wish["n_stages"] - 2)
    shape = rebuilt.task.inputs[0].shape
    image = torch.randn((2, *shape[1:]), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got, expected = rebuilt.module(image), net(image)
    assert torch.equal(got, expected)
    assert got.shape[1:] == rebuilt.task.outputs[0].shape[1:]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(wishes())
def test_names(wish: dict[str, Any]) -> None:
    """Every name of a genuine state dict is one of the module's, by `canonical` and `spellings`."""
    net = genuine(wish)
    checkpoint = checkpoint_of(net)
    family, read = recognise(checkpoint, unprovable(wish))
    rebuilt = family.build(read)
    own = {*rebuilt.module.state_dict(), *rebuilt.unused}
    assert {canonical(name) for name in checkpoint.tensors} == own
    known = spellings(own)
    for name in checkpoint.tensors:
        assert name in own or known[name] == canonical(name)


def test_only_a_deduplicated_spelling_is_left() -> None:
    """A writer that drops shared tensors may keep none of the canonical names."""
    wish = _plain()
    net = genuine(wish)
    whole = net.state_dict()
    last: dict[int, str] = {tensor.data_ptr(): name for name, tensor in whole.items()}
    kept = {name: whole[name] for name in sorted(last.values())}
    assert not any(name.startswith("encoder.") for name in kept)
    checkpoint = Checkpoint(RECORD, kept)
    family, read = recognise(checkpoint, {})
    rebuilt = family.build(read)
    ledger = close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    assert ledger.summary.names == ledger.summary.tensors == len(kept)
    line = next(line for line in ledger.lines if line.name.startswith("decoder.encoder."))
    assert line.reason == f"as {canonical(line.name)}"
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(rebuilt.module(image), net(image))


def test_strided_residual_first_stage() -> None:
    """A pooled skip shows that the first stage is strided, though not by how much."""
    wish = _residual()
    net = unet.ResidualEncoderUNet(
        1, 3, [4, 6, 8], nn.Conv2d, 3, [2, 2, 2], [1, 1, 1], 2, [1, 1], True, nn.InstanceNorm2d,
        {"affine": True}, nonlin=nn.LeakyReLU, stem_channels=3,
    ).eval()  # fmt: skip
    checkpoint = checkpoint_of(net)
    family, read = recognise(checkpoint, {})
    first = next(one for one in read.hyperparameters if one.name == "first_stride")
    assert (first.value, first.evidence) == ([2, 2], "assumed")
    assert "skip.1" in first.source
    rebuilt = family.build(read)
    close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    assert rebuilt.task.inputs[0].shape[2:] == (256, 256)
    assert rebuilt.task.outputs[0].shape == (1, 2, 128, 128)
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(rebuilt.module(image), net(image))
    read = recognise(checkpoint_of(genuine(wish)), {})[1]
    first = next(one for one in read.hyperparameters if one.name == "first_stride")
    assert (first.value, first.evidence) == ([1, 1], "tensors")


def _plain(**more: Any) -> dict[str, Any]:
    return {
        "architecture": "PlainConvUNet", "dimension": 2, "n_stages": 3, "input_channels": 1,
        "num_classes": 3, "features_per_stage": [4, 6, 8], "kernel_sizes": [[3, 3]] * 3,
        "down_strides": [[2, 2]] * 2, "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2], "conv_bias": True, "norm": "instance",
        "norm_affine": True, "nonlin_first": False, "dropout": False,
    } | more  # fmt: skip


def _residual() -> dict[str, Any]:
    wish = _plain(architecture="ResidualEncoderUNet", stem_channels=3, bottleneck_channels=[])
    return wish | {"n_blocks_per_stage": wish.pop("n_conv_per_stage")}
