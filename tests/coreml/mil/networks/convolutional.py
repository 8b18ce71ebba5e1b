"""Convolutional networks: plain, grouped, depthwise, dilated, transposed; in 1, 2 and 3 dimensions.

Architectures are small readings of the published ones that they are named after.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.coreml.mil.networks.table import Call, Lambda, Network, Residual, noise


def conv_norm(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    norm: Any = nn.BatchNorm2d(outputs)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, norm]


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(16 * 25, 24), nn.Tanh(), nn.Linear(24, 10), nn.LogSoftmax(1),
    )  # fmt: skip


def alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 12, 7, 2, 2), nn.ReLU(), nn.LocalResponseNorm(5, alpha=0.1, k=2.0),
        nn.MaxPool2d(3, 2), nn.Conv2d(12, 16, 5, padding=2, groups=2), nn.ReLU(),
        nn.LocalResponseNorm(5), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(),
        nn.Linear(144, 10), nn.Softmax(1),
    )  # fmt: skip


def resnet() -> nn.Module:
    def stage(inputs: int, outputs: int, stride: int) -> nn.Module:
        def forward(m: Any, x: Tensor) -> Any:
            return F.relu(m.main(x) + m.short(x))

        main = nn.Sequential(
            *conv_norm(inputs, outputs, 3, stride), nn.ReLU(), *conv_norm(outputs, outputs)
        )
        short = (
            nn.Sequential(*conv_norm(inputs, outputs, 1, stride)) if stride > 1 else nn.Identity()
        )
        return Call(forward, main=main, short=short)

    return nn.Sequential(
        *conv_norm(3, 8, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), stage(8, 8, 1), stage(8, 16, 2),
        stage(16, 24, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip


def resnext() -> nn.Module:
    block = Residual(
        *conv_norm(16, 8, 1), nn.ReLU(), *conv_norm(8, 8, 3, groups=4), nn.ReLU(),
        *conv_norm(8, 16, 1),
    )  # fmt: skip
    return nn.Sequential(
        *conv_norm(3, 16), block, nn.ReLU(),
        Lambda(lambda x: x.mean((2, 3))), nn.Linear(16, 5),
    )  # fmt: skip


def mobilenet_v2() -> nn.Module:
    def inverted(width: int, expand: int) -> nn.Module:
        hidden = width * expand
        return Residual(
            *conv_norm(width, hidden, 1), nn.ReLU6(), *conv_norm(hidden, hidden, 3, 1, hidden),
            nn.ReLU6(), *conv_norm(hidden, width, 1),
        )  # fmt: skip

    return nn.Sequential(
        *conv_norm(3, 8, 3, 2), nn.ReLU6(), inverted(8, 3), inverted(8, 2),
        *conv_norm(8, 16, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 7),
    )  # fmt: skip


def mobilenet_v3() -> nn.Module:
    def excite(m: Any, x: Tensor) -> Any:
        return x * F.hardsigmoid(m.up(F.relu(m.down(x.mean((2, 3), keepdim=True)))))

    return nn.Sequential(
        *conv_norm(3, 8, 3, 2), nn.Hardswish(), *conv_norm(8, 8, 5, 1, 8),
        Call(excite, down=nn.Conv2d(8, 4, 1), up=nn.Conv2d(4, 8, 1)), nn.Hardswish(),
        *conv_norm(8, 12, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(12, 4),
    )  # fmt: skip


def shufflenet() -> nn.Module:
    def shuffle(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)

    return nn.Sequential(
        *conv_norm(3, 16), nn.ReLU(), *conv_norm(16, 16, 1, 1, 4), Lambda(shuffle),
        *conv_norm(16, 16, 3, 2, 16), *conv_norm(16, 8, 1, 1, 4), nn.ReLU(),
    )  # fmt: skip


def densenet() -> nn.Module:
    def dense(m: Any, x: Tensor) -> Any:
        for layer in m.layers:
            x = torch.cat([x, layer(x)], 1)
        return x

    layers = [
        nn.Sequential(nn.BatchNorm2d(4 + 4 * i), nn.ReLU(), nn.Conv2d(4 + 4 * i, 4, 3, padding=1))
        for i in range(3)
    ]
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), Call(dense, layers=nn.ModuleList(layers)), nn.Conv2d(16, 8, 1),
        nn.AvgPool2d(2, 2, ceil_mode=True),
    )  # fmt: skip


def inception() -> nn.Module:
    def branches(m: Any, x: Tensor) -> Any:
        pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.cat([m.one(x), m.three(x), m.five(x), m.pool(pooled)], 1)

    return Call(
        branches,
        one=nn.Conv2d(4, 3, 1),
        three=nn.Sequential(nn.Conv2d(4, 2, 1), nn.ELU(), nn.Conv2d(2, 4, (1, 3), padding=(0, 1))),
        five=nn.Sequential(nn.Conv2d(4, 2, 1), nn.Softplus(), nn.Conv2d(2, 3, 5, padding=2)),
        pool=nn.Conv2d(4, 2, 1),
    )


def unet(upsample: str) -> nn.Module:
    def block(inputs: int, outputs: int) -> nn.Module:
        norm = nn.InstanceNorm2d(outputs, affine=True)
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.LeakyReLU(0.01))

    def forward(m: Any, x: Tensor) -> Any:
        one = m.one(x)
        two = m.two(F.max_pool2d(one, 2))
        three = m.three(F.max_pool2d(two, 2))
        x = m.four(torch.cat([m.up2(three), two], 1))
        return m.head(m.five(torch.cat([m.up1(x), one], 1)))

    def up(inputs: int, outputs: int) -> nn.Module:
        if upsample == "transposed":
            return nn.ConvTranspose2d(inputs, outputs, 2, 2)
        wider = nn.Upsample(
            scale_factor=2, mode=upsample, align_corners=None if upsample == "nearest" else False
        )
        return nn.Sequential(wider, nn.Conv2d(inputs, outputs, 1))

    return Call(
        forward, one=block(1, 4), two=block(4, 8), three=block(8, 12), up2=up(12, 8),
        four=block(16, 8), up1=up(8, 4), five=block(8, 4), head=nn.Conv2d(4, 3, 1),
    )  # fmt: skip


def deeplab() -> nn.Module:
    def pyramid(m: Any, x: Tensor) -> Any:
        whole = m.whole(F.adaptive_avg_pool2d(x, 1))
        whole = whole.expand(-1, -1, x.shape[2], x.shape[3])
        parts = [branch(x) for branch in m.branches]
        x = m.head(torch.cat([*parts, whole], 1))
        return F.interpolate(x, size=(20, 20), mode="bilinear", align_corners=True)

    branches = [nn.Conv2d(6, 4, 3, padding=d, dilation=d) for d in (1, 2, 4)]
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(),
        Call(pyramid, branches=nn.ModuleList(branches), whole=nn.Conv2d(6, 4, 1),
             head=nn.Conv2d(16, 5, 1)),
    )  # fmt: skip


def autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, 2, 1), nn.SELU(), nn.Conv2d(8, 12, 3, 3), nn.SELU(),
        nn.ConvTranspose2d(12, 8, 3, 3, groups=4), nn.SELU(),
        nn.ConvTranspose2d(8, 2, 3, 2, 1, output_padding=1, dilation=1), nn.Sigmoid(),
    )  # fmt: skip


def super_resolution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.PReLU(8), nn.Conv2d(8, 9, 3, padding=1),
        nn.PixelShuffle(3), nn.Hardtanh(-0.5, 0.5),
    )  # fmt: skip


def convnext() -> nn.Module:
    def block() -> nn.Module:
        return Residual(
            nn.Conv2d(8, 8, 7, padding=3, groups=8), Lambda(lambda x: x.permute(0, 2, 3, 1)),
            nn.LayerNorm(8, eps=1e-6), nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8),
            Lambda(lambda x: x.permute(0, 3, 1, 2)),
        )  # fmt: skip

    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), block(), block(), nn.Flatten(2))


def denoiser() -> nn.Module:
    """A residual block with a time embedding: sines, SiLU, group normalisation."""

    def forward(m: Any, x: Tensor, t: Tensor) -> Any:
        rates = torch.exp(torch.arange(4) * -1.5)
        angles = t[:, None] * rates
        time = m.time(torch.cat([angles.cos(), angles.sin()], 1))
        scale, shift = time[:, :, None, None].chunk(2, 1)
        h = m.first(x)
        h = F.silu(m.norm(h) * (1 + scale) + shift)
        return x + m.last(h)

    time = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 16))
    return Call(
        forward, time=time, norm=nn.GroupNorm(4, 8), last=nn.Conv2d(8, 3, 3, padding=1),
        first=nn.Conv2d(3, 8, 3, padding=1),
    )  # fmt: skip


def discriminator() -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(2), nn.Conv2d(3, 8, 4, 2), nn.LeakyReLU(0.2), nn.InstanceNorm2d(8),
        nn.ReplicationPad2d((1, 0, 2, 1)), nn.Conv2d(8, 8, 4, 2), nn.ReLU(), nn.ZeroPad2d(1),
        nn.Conv2d(8, 1, 4),
    )  # fmt: skip


def wavenet() -> nn.Module:
    def gated(m: Any, x: Tensor) -> Any:
        for gate, out, d in zip(m.gates, m.outs, (1, 2, 4), strict=True):
            a, b = gate(F.pad(x, (d, 0))).chunk(2, 1)
            x = x + out(a.tanh() * b.sigmoid())
        return m.head(x)

    gates = [nn.Conv1d(6, 12, 2, dilation=d) for d in (1, 2, 4)]
    outs = [nn.Conv1d(6, 6, 1) for _ in range(3)]
    return Call(
        gated, gates=nn.ModuleList(gates), outs=nn.ModuleList(outs), head=nn.Conv1d(6, 4, 1)
    )


def audio() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, 8, 16, 4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2, 2),
        nn.Conv1d(8, 8, 3, groups=8), nn.Conv1d(8, 12, 1), nn.Mish(),
        nn.ConvTranspose1d(12, 4, 4, 2, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
    )  # fmt: skip


def volume() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(4, 6, (1, 3, 3), dilation=(1, 2, 2), groups=2), nn.ReLU(),
        nn.Conv3d(6, 3, 1), nn.AvgPool3d(2),
    )  # fmt: skip


def volume_unet() -> nn.Module:
    def forward(m: Any, x: Tensor) -> Any:
        top = F.leaky_relu(m.norm(m.one(x)))
        low = F.leaky_relu(m.down(top))
        return m.head(torch.cat([top, m.up(low)], 1))

    return Call(
        forward, one=nn.Conv3d(1, 4, 3, padding=1), norm=nn.InstanceNorm3d(4, affine=True),
        down=nn.Conv3d(4, 8, 2, 2), up=nn.ConvTranspose3d(8, 4, 2, 2), head=nn.Conv3d(8, 2, 1),
    )  # fmt: skip


PICTURE = noise((1, 3, 32, 32))

NETWORKS = [
    Network("lenet", lenet, noise((2, 1, 28, 28))),
    Network("alexnet, local response", alexnet, noise((1, 3, 40, 40))),
    Network("resnet", resnet, PICTURE),
    Network("resnext, grouped", resnext, noise((1, 3, 16, 16)), export=True),
    Network("mobilenet v2, depthwise", mobilenet_v2, PICTURE),
    Network("mobilenet v3, squeeze and excite", mobilenet_v3, PICTURE),
    Network("shufflenet", shufflenet, noise((1, 3, 16, 16))),
    Network("densenet", densenet, noise((1, 2, 15, 15))),
    Network("inception", inception, noise((2, 4, 9, 11))),
    Network("unet, transposed", lambda: unet("transposed"), noise((1, 1, 16, 24))),
    Network("unet, bilinear", lambda: unet("bilinear"), noise((1, 1, 16, 16)), target="iOS17"),
    Network("unet, nearest, float16", lambda: unet("nearest"), noise((1, 1, 16, 16)), half=True),
    Network("deeplab, dilated", deeplab, noise((1, 3, 20, 20))),
    Network("autoencoder, transposed in groups", autoencoder, noise((1, 2, 12, 12))),
    Network("super-resolution", super_resolution, noise((1, 1, 8, 10))),
    Network("convnext", convnext, noise((1, 3, 16, 16)), export=True, target="iOS17"),
    Network(
        "denoiser with time embedding", denoiser, lambda: [torch.randn(2, 3, 8, 8), torch.rand(2)]
    ),
    Network("discriminator, padded", discriminator, PICTURE),
    Network("wavenet, causal 1-D", wavenet, noise((1, 6, 40))),
    Network("audio, 1-D", audio, noise((2, 1, 120)), target="iOS15"),
    Network("volume, 3-D", volume, noise((1, 1, 8, 12, 12))),
    Network("volume unet, 3-D", volume_unet, noise((1, 1, 8, 8, 8))),
]
