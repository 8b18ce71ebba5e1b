"""The network with every style against the genuine classes, and through both captures."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from lading.network.families.nnunet.names import canonical
from lading.network.families.nnunet.network import NONLINS, Plan, Style, UNet

unet = importlib.import_module("dynamic_network_architectures.architectures.unet")

KINDS = ("plain", "residual", "bottleneck")


def pair(
    kind: str = "plain",
    dimension: int = 2,
    norm: str = "instance",
    eps: float = 1e-5,
    nonlin: str = "LeakyReLU",
    slope: float = 0.01,
    nonlin_first: bool = False,
) -> tuple[UNet, nn.Module]:
    """Ours, loaded with the genuine network's random weights; and the genuine network."""
    d, stages = dimension, 3
    style = Style(d, True, norm, True, eps, nonlin, slope, nonlin_first)
    kernels, strides = ((3,) * d,) * stages, ((1,) * d, (2,) * d, (1,) * (d - 1) + (2,))
    deep = (2, 3, 4) if kind == "bottleneck" else ()
    residual = kind != "plain"
    plan = Plan(
        "ResidualEncoderUNet" if residual else "PlainConvUNet", style, 2, 3, (4, 6, 6),
        kernels, strides, (1, 2, 2), (1, 2), 5 if residual else 0, deep,
    )  # fmt: skip
    norms: dict[str, Any] = {
        "instance": getattr(nn, f"InstanceNorm{d}d"),
        "batch": getattr(nn, f"BatchNorm{d}d"),
        "none": None,
    }
    more: dict[str, Any] = {"n_conv_per_stage": [1, 2, 2], "nonlin_first": nonlin_first}
    if residual:
        more = {
            "n_blocks_per_stage": [1, 2, 2],
            "stem_channels": 5,
            "block": unet.BottleneckD if deep else unet.BasicBlockD,
            "bottleneck_channels": list(deep) or None,
        }
    torch.manual_seed(0)
    genuine: nn.Module = getattr(unet, plan.architecture)(
        2, stages, [4, 6, 6], getattr(nn, f"Conv{d}d"), [list(k) for k in kernels],
        [list(s) for s in strides], num_classes=3, n_conv_per_stage_decoder=[1, 2],
        conv_bias=True, norm_op=norms[norm], norm_op_kwargs={"eps": eps, "affine": True},
        nonlin=NONLINS[nonlin],
        nonlin_kwargs={"negative_slope": slope} if nonlin == "LeakyReLU" else {},
        deep_supervision=False, **more,
    )  # fmt: skip
    state = genuine.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif value.is_floating_point():
                value.normal_(0.1, 0.5)
    ours = UNet(plan)
    wanted = ours.state_dict()
    assert wanted.keys() <= {canonical(name) for name in state}
    ours.load_state_dict({name: state[name] for name in wanted}, strict=True)
    return ours.eval(), genuine.eval()


def image(dimension: int = 2) -> torch.Tensor:
    return torch.randn((2, 2) + (8,) * dimension, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_same_bits(kind: str, dimension: int, norm: str) -> None:
    ours, genuine = pair(kind, dimension, norm, eps=1e-3, slope=0.2)
    with torch.no_grad():
        assert torch.equal(ours(image(dimension)), genuine(image(dimension)))


@pytest.mark.parametrize("nonlin", NONLINS)
@pytest.mark.parametrize("nonlin_first", [False, True])
def test_same_bits_with_every_activation(nonlin: str, nonlin_first: bool) -> None:
    ours, genuine = pair(nonlin=nonlin, nonlin_first=nonlin_first)
    with torch.no_grad():
        assert torch.equal(ours(image()), genuine(image()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_captures_without_a_warning(kind: str, norm: str) -> None:
    ours, _ = pair(kind, norm=norm)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # an earlier test's garbage, collected now
        # torch 2.13 announces the end of its own tracer; it says nothing about the network
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.trace.*deprecated")
        exported = torch.export.export(ours, (image(),)).module()
        traced = torch.jit.trace(ours, image())
        assert torch.equal(exported(image()), ours(image()))
        assert torch.equal(traced(image()), ours(image()))


def test_the_input_stays_as_it_was() -> None:
    ours, _ = pair()
    given, kept = image(), image()
    with torch.no_grad():
        ours(given)
    assert torch.equal(given, kept)
