"""Whole small networks, converted by coremltools and run here, against torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lading.coreml import neuralnetwork
from tests.conftest import genuine_unet

Forward = Callable[..., torch.Tensor]


class Run(nn.Module):
    """Parts and how they are put together: `forward(parts, *inputs)`."""

    def __init__(self, forward: Forward, **parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.how = forward

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.how(self.parts, *inputs)


def picture(channels: int = 3, size: int = 8) -> torch.Tensor:
    return torch.randn(1, channels, size, size)


def attention(parts: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
    """Two heads over the positions of [1, C, H, W], around which x is added."""
    shape = x.shape
    rows = parts["norm"](x).flatten(2)
    q, k, v = parts["qkv"](rows).reshape(2, -1, rows.shape[2]).chunk(3, dim=1)
    shares = torch.softmax(q.transpose(1, 2) @ k * q.shape[1] ** -0.5, dim=-1)
    heads = v @ shares.transpose(1, 2)
    return x + parts["out"](heads.reshape(1, -1, rows.shape[2])).reshape(shape)


def diffusion(parts: nn.ModuleDict, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A residual block with scale and shift from sines of the time, down and up again."""
    angles = t[:, None].float() * torch.exp(-torch.arange(4) / 4)[None]
    time = parts["time"](torch.cat([angles.cos(), angles.sin()], 1))
    scale, shift = F.silu(time)[:, :, None, None].chunk(2, dim=1)
    fine = parts["first"](x)
    h = F.silu(parts["norm"](fine) * (1 + scale) + shift)
    low = F.avg_pool2d(parts["second"](h), 2)
    high = F.interpolate(low, scale_factor=2, mode="nearest")
    return parts["last"](torch.cat([high, fine], 1))


def pooled_text(parts: nn.ModuleDict, ids: torch.Tensor) -> torch.Tensor:
    """N-grams of 2 and 3 cut to the shortest, max and mean over the positions."""
    x = parts["words"](ids).transpose(1, 2)
    grams = [parts["two"](x), parts["three"](x)]
    shortest = min(one.shape[2] for one in grams)
    joined = torch.cat([one[:, :, :shortest] for one in grams], 1)
    h = F.gelu(parts["norm"](joined))
    return parts["head"](torch.cat([h.amax(2), h.mean(2)], 1))


def encoder(**settings: object) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, **settings)  # type: ignore[arg-type]
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[torch.Tensor, ...]]]] = {
    "residual CNN": (
        lambda: Run(
            lambda p, x: p["head"](
                F.adaptive_avg_pool2d(F.relu(p["b"](F.relu(p["bn"](p["a"](x)))) + p["a"](x)), 1)
                .flatten(1)
            ),
            a=nn.Conv2d(3, 8, 3, padding=1), bn=nn.BatchNorm2d(8), b=nn.Conv2d(8, 8, 3, padding=1),
            head=nn.Linear(8, 5),
        ),
        lambda: (picture(),),
    ),
    "depthwise CNN": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4), nn.Hardswish(),
            nn.Conv2d(4, 6, 1, bias=False), nn.ReLU6(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        ),
        lambda: (picture(4, 9),),
    ),
    "dilated CNN": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2, padding=2), nn.PReLU(4), nn.ELU()),
        lambda: (picture(),),
    ),
    "pooling with a ceiling": (
        lambda: nn.Sequential(
            nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
            nn.AvgPool2d(2, 1, count_include_pad=True),
        ),
        lambda: (picture(2, 11),),
    ),
    "average that leaves padding out": (
        lambda: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), lambda: (picture(2, 9),)
    ),
    "autoencoder": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), nn.Tanh(),
        ),
        lambda: (picture(1),),
    ),
    "deconvolution in groups": (
        lambda: nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), lambda: (picture(4),)
    ),
    "nnU-Net": (lambda: deep_less(genuine_unet((4, 8, 12))), lambda: (picture(1, 16),)),
    "diffusion UNet": (
        lambda: Run(
            diffusion, time=nn.Linear(8, 16), first=nn.Conv2d(3, 8, 3, padding=1),
            norm=nn.GroupNorm(4, 8), second=nn.Conv2d(8, 8, 3, padding=1),
            last=nn.Conv2d(16, 6, 3, padding=1),
        ),
        lambda: (picture(), torch.tensor([7], dtype=torch.int32)),
    ),
    "attention over pixels": (
        lambda: Run(
            attention, norm=nn.GroupNorm(2, 8), qkv=nn.Conv1d(8, 24, 1), out=nn.Conv1d(8, 8, 1)
        ),
        lambda: (picture(8, 4),),
    ),
    "text CNN": (
        lambda: Run(
            pooled_text, words=nn.Embedding(30, 8), two=nn.Conv1d(8, 6, 2, padding=1),
            three=nn.Conv1d(8, 6, 3, padding=1), norm=nn.BatchNorm1d(12), head=nn.Linear(24, 9),
        ),
        lambda: (torch.randint(0, 30, (1, 10), dtype=torch.int32),),
    ),
    "transformer": (
        lambda: Run(lambda p, x: p["e"](x).mean(1), e=encoder(activation="gelu")),
        lambda: (torch.randn(1, 6, 8),),
    ),
    "transformer with the norm first": (
        lambda: Run(lambda p, x: p["e"](x)[:, 0], e=encoder(norm_first=True)),
        lambda: (torch.randn(1, 6, 8),),
    ),
    "masked attention": (
        lambda: Run(
            lambda p, x: F.scaled_dot_product_attention(
                x, x, x, torch.ones(6, 6, dtype=torch.bool).tril()
            )
        ),
        lambda: (torch.randn(1, 2, 6, 4),),
    ),
    "vision transformer": (
        lambda: Run(
            lambda p, x: p["e"](p["patch"](x).flatten(2).transpose(1, 2) + 0.1).mean(1),
            patch=nn.Conv2d(3, 8, 4, stride=4), e=encoder(),
        ),
        lambda: (picture(),),
    ),
    "perceptron": (
        lambda: nn.Sequential(
            nn.Linear(7, 9), nn.GELU("tanh"), nn.Linear(9, 4), nn.Softplus(), nn.LogSoftmax(1)
        ),
        lambda: (torch.randn(1, 7),),
    ),
    "layer norm of a picture": (lambda: nn.LayerNorm([4, 6]), lambda: (torch.randn(1, 3, 4, 6),)),
    "instance norm": (lambda: nn.InstanceNorm2d(3, affine=True), lambda: (picture(),)),
    "padding": (
        lambda: nn.Sequential(
            nn.ReflectionPad2d((1, 2, 1, 0)), nn.ReplicationPad2d(1), nn.ConstantPad2d(1, 0.5)
        ),
        lambda: (picture(),),
    ),
    "bilinear, corners aligned": (
        lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        lambda: (picture(2, 5),),
    ),
    "bilinear": (
        lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        lambda: (picture(2, 5),),
    ),
    "pixel shuffle": (
        lambda: nn.Sequential(nn.Conv2d(2, 8, 1), nn.PixelShuffle(2)), lambda: (picture(2),)
    ),
    "element-wise": (
        lambda: Run(
            lambda p, x, y: torch.where(x > y, x.abs().sqrt(), torch.exp(-y * y))
            * torch.maximum(x, y).clamp(-1, 1)
            + torch.floor(x).sign()
            - torch.minimum(x, y) / (1 + y * y)
        ),
        lambda: (torch.randn(2, 3, 4), torch.randn(3, 1)),
    ),
    "parts and joints": (
        lambda: Run(
            lambda p, x: torch.stack(
                [torch.cat(x.split([1, 2], 1)[::-1], 1), x.flip(1), x.roll(1, 2)], 1
            ).permute(0, 2, 1, 3)[:, 1:, ::2].reshape(2, -1).repeat(1, 2)
        ),
        lambda: (torch.randn(2, 3, 4),),
    ),
    "reductions": (
        lambda: Run(
            lambda p, x: x.sum(1, keepdim=True) + x.amin((1, 2), True)
            + x.square().mean((0, 2), keepdim=True) + x.logsumexp(1, True)
            + x.norm(dim=2, keepdim=True)
        ),
        lambda: (torch.randn(2, 3, 4),),
    ),
    "gathering": (
        lambda: Run(lambda p, x: x[:, [2, 0]].cumsum(2) + x.index_select(1, torch.tensor([1, 1]))),
        lambda: (torch.randn(2, 3, 4),),
    ),
    "classes": (
        lambda: Run(lambda p, x: p["c"](x).argmax(1).float(), c=nn.Conv2d(3, 5, 1)),
        lambda: (picture(),),
    ),
}  # fmt: skip


def deep_less(network: nn.Module) -> nn.Module:
    network.decoder.deep_supervision = False  # type: ignore[union-attr]
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_torch(name: str, converted: Callable[..., neuralnetwork.Model]) -> None:
    make, draw = NETWORKS[name]
    torch.manual_seed(0)
    module, inputs = make().eval(), draw()
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            wanted = module(*inputs).numpy()
        model = converted(module, *inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    data = {f"x{i}": x.numpy() for i, x in enumerate(inputs)}
    scale = np.abs(wanted).max()
    exact = model.predict(data)["y"]
    assert exact.shape == wanted.shape
    assert exact.dtype == np.float32
    # Sums in another order: some units of 2^-24 of the largest value, over some layers.
    assert np.abs(exact - wanted).max() < 3e-6 * scale
    rounded = model.predict(data, precision="float16")["y"]
    assert rounded.shape == wanted.shape
    if name in ("element-wise", "classes"):  # comparisons and floors flip whole elements
        assert (np.abs(rounded - wanted) < 1e-2 * scale).mean() > 0.9
    else:  # 2^-11 at every layer, some ten of them
        assert np.abs(rounded - wanted).max() < 1e-2 * scale
    if name not in ("parts and joints",):  # whose values are the inputs', one rounding
        assert not np.array_equal(rounded, exact) or name == "classes"


def test_there_are_enough() -> None:
    assert len(NETWORKS) >= 20
