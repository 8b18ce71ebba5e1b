"""nnU-Net v2's two networks, written anew: a U-Net with a plain or with a residual encoder.

One difference from the genuine article is deliberate: of the segmentation heads only the one at
full resolution is built, because the others serve the loss in training and nothing at inference.
Every parameter has the name that it has in a genuine checkpoint, so a state dict loads as it
stands.

The architecture is the one of Isensee et al., "nnU-Net: a self-configuring method for deep
learning-based biomedical image segmentation" (Nature Methods 2021) and, for the residual encoder,
of "nnU-Net Revisited" (MICCAI 2024), whose blocks follow ResNet-D (He et al., "Bag of Tricks",
CVPR 2019): the skip of a strided block is an average pooling and a 1x1 convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

CONVS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
POOLS: dict[int, type[nn.AvgPool2d] | type[nn.AvgPool3d]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
BATCH_NORMS: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
NONLINS: dict[str, type[nn.Module]] = {
    "LeakyReLU": nn.LeakyReLU,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
}

Size = tuple[int, ...]


@dataclass(frozen=True)
class Style:
    """What every convolution block of one network has in common.

    Attributes:
        dimension: 2 or 3.
        bias: whether convolutions have a bias (projections of a skip never have).
        norm: ``"instance"``, ``"batch"`` or ``"none"``.
        affine: whether the norm has a weight and a bias.
        eps: the norm's ε.
        nonlin: a name in `NONLINS`.
        slope: the negative slope, for LeakyReLU.
        nonlin_first: conv, nonlin, norm in place of conv, norm, nonlin.
    """

    dimension: int
    bias: bool
    norm: str
    affine: bool
    eps: float
    nonlin: str
    slope: float
    nonlin_first: bool

    def make_nonlin(self) -> nn.Module:
        """A fresh activation."""
        kind = NONLINS[self.nonlin]
        return kind(self.slope) if self.nonlin == "LeakyReLU" else kind()


@dataclass(frozen=True)
class Plan:
    """The shape of the whole network; per-stage values run from full resolution downwards.

    Attributes:
        architecture: which encoder.
        style: what the blocks share.
        channels: of the input.
        classes: channels of the output.
        features, kernels, strides, depths: one per encoder stage; a depth counts convolutions
            (plain) or blocks (residual).
        decoder_depths: convolutions per decoder stage, from the lowest resolution upwards.
        stem: channels after the stem (residual only).
        bottleneck: channels inside each stage's blocks; empty for basic blocks (residual only).
    """

    architecture: Literal["PlainConvUNet", "ResidualEncoderUNet"]
    style: Style
    channels: int
    classes: int
    features: tuple[int, ...]
    kernels: tuple[Size, ...]
    strides: tuple[Size, ...]
    depths: tuple[int, ...]
    decoder_depths: tuple[int, ...]
    stem: int = 0
    bottleneck: tuple[int, ...] = ()


class InstanceNorm(nn.Module):
    """Per image and channel: (x - mean) / sqrt(variance + eps), then weight and bias.

    The operator under torch's own modules, without the checks on sizes that they make in Python:
    in a trace those become warnings.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, channels: int, eps: float, affine: bool) -> None:
        super().__init__()
        self.eps = eps
        self.register_parameter("weight", nn.Parameter(torch.ones(channels)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(channels)) if affine else None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # no running statistics, hence statistics of the input; momentum is then not read
        weight, bias, fast = self.weight, self.bias, torch.backends.cudnn.enabled
        return torch.instance_norm(x, weight, bias, None, None, True, 0.1, self.eps, fast)

    def extra_repr(self) -> str:
        return f"eps={self.eps}, affine={self.weight is not None}"


class ConvBlock(nn.Module):
    """Convolution, norm, activation; padding (k-1)//2 keeps the size for odd kernels."""

    def __init__(
        self,
        style: Style,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size | int = 1,
        *,
        bias: bool | None = None,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv = CONVS[style.dimension](
            inputs,
            outputs,
            kernel,  # type: ignore[arg-type]
            stride,  # type: ignore[arg-type]
            tuple((k - 1) // 2 for k in kernel),  # type: ignore[arg-type]
            bias=style.bias if bias is None else bias,
        )
        self.norm: nn.Module | None = None
        if style.norm == "instance":
            self.norm = InstanceNorm(outputs, style.eps, style.affine)
        elif style.norm == "batch":
            self.norm = BATCH_NORMS[style.dimension](outputs, style.eps, affine=style.affine)
        self.nonlin = style.make_nonlin() if active else None
        self.nonlin_first = style.nonlin_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        if self.nonlin is not None and self.nonlin_first:
            x = self.nonlin(x)
        if self.norm is not None:
            x = self.norm(x)
        if self.nonlin is not None and not self.nonlin_first:
            x = self.nonlin(x)
        return x


class Stack(nn.Module):
    """Convolution blocks in a row, the first of them strided."""

    def __init__(
        self, style: Style, depth: int, inputs: int, outputs: int, kernel: Size, stride: Size | int
    ) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            ConvBlock(style, inputs, outputs, kernel, stride),
            *(ConvBlock(style, outputs, outputs, kernel) for _ in range(depth - 1)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.convs(x)
        return result


class ResidualBlock(nn.Module):
    """Two convolutions (basic) or 1x1, kxk, 1x1 (bottleneck) beside a skip, ResNet-D style."""

    def __init__(
        self, style: Style, inputs: int, outputs: int, kernel: Size, stride: Size, bottleneck: int
    ) -> None:
        super().__init__()
        one = (1,) * style.dimension
        if bottleneck:
            self.conv1 = ConvBlock(style, inputs, bottleneck, one)
            self.conv2 = ConvBlock(style, bottleneck, bottleneck, kernel, stride)
            self.conv3 = ConvBlock(style, bottleneck, outputs, one, active=False)
        else:
            self.conv1 = ConvBlock(style, inputs, outputs, kernel, stride)
            self.conv2 = ConvBlock(style, outputs, outputs, kernel, active=False)
        self._deep = bool(bottleneck)
        skip: list[nn.Module] = []
        if stride != one:
            skip.append(POOLS[style.dimension](stride, stride))  # type: ignore[arg-type]
        if inputs != outputs:
            skip.append(ConvBlock(style, inputs, outputs, one, bias=False, active=False))
        self.skip = nn.Sequential(*skip)
        self.nonlin = style.make_nonlin()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.conv1(x))
        if self._deep:
            y = self.conv3(y)
        result: torch.Tensor = self.nonlin(y + self.skip(x))
        return result


class ResidualStage(nn.Module):
    """Residual blocks in a row, the first of them strided."""

    def __init__(
        self,
        style: Style,
        depth: int,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size,
        bottleneck: int,
    ) -> None:
        super().__init__()
        one = (1,) * style.dimension
        self.blocks = nn.Sequential(
            ResidualBlock(style, inputs, outputs, kernel, stride, bottleneck),
            *(
                ResidualBlock(style, outputs, outputs, kernel, one, bottleneck)
                for _ in range(depth - 1)
            ),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.blocks(x)
        return result


class Encoder(nn.Module):
    """All stages, from full resolution down; gives the output of each."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        inputs = plan.channels
        residual = plan.architecture == "ResidualEncoderUNet"
        self.stem: nn.Module | None = None
        if residual:
            self.stem = Stack(plan.style, 1, inputs, plan.stem, plan.kernels[0], 1)
            inputs = plan.stem
        stages: list[nn.Module] = []
        bottleneck = plan.bottleneck or (0,) * len(plan.features)
        for outputs, kernel, stride, depth, narrow in zip(
            plan.features, plan.kernels, plan.strides, plan.depths, bottleneck, strict=True
        ):
            if residual:
                stages.append(
                    ResidualStage(plan.style, depth, inputs, outputs, kernel, stride, narrow)
                )
            else:
                stack = Stack(plan.style, depth, inputs, outputs, kernel, stride)
                stages.append(nn.Sequential(stack))
            inputs = outputs
        self.stages = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if self.stem is not None:
            x = self.stem(x)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return skips


class Decoder(nn.Module):
    """From the lowest resolution up: enlarge, join the skip, convolve; then the one head."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        style, stages, transposed = plan.style, [], []
        upwards = range(len(plan.features) - 2, -1, -1)
        for depth, s in zip(plan.decoder_depths, upwards, strict=True):
            below, here, stride = plan.features[s + 1], plan.features[s], plan.strides[s + 1]
            transposed.append(
                TRANSPOSED[style.dimension](below, here, stride, stride, bias=style.bias)  # type: ignore[arg-type]
            )
            stages.append(Stack(style, depth, 2 * here, here, plan.kernels[s], 1))
        self.stages = nn.ModuleList(stages)
        self.transpconvs = nn.ModuleList(transposed)
        # keeps the genuine name, seg_layers.<last>, without the heads before it
        head = CONVS[style.dimension](plan.features[0], plan.classes, 1)
        self.seg_layers = nn.ModuleDict({str(len(stages) - 1): head})

    def forward(self, skips: list[torch.Tensor]) -> torch.Tensor:
        x = skips[-1]
        for up, stage, skip in zip(
            self.transpconvs, self.stages, reversed(skips[:-1]), strict=True
        ):
            x = stage(torch.cat((up(x), skip), 1))
        for head in self.seg_layers.values():
            x = head(x)
        return x


class UNet(nn.Module):
    """image [N, C, *size] -> logits [N, K, *size], both float32."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.encoder = Encoder(plan)
        self.decoder = Decoder(plan)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.decoder(self.encoder(image))
        return logits
