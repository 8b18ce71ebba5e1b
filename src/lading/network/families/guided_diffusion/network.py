"""The diffusion UNet of improved-diffusion and guided-diffusion, with their tensor names.

The two projects (Nichol and Dhariwal, arXiv 2102.09672; Dhariwal and Nichol, arXiv 2105.05233)
name their tensors alike: improved-diffusion's network is the case without `resblock_updown`, with
the legacy order of attention and a `channel_mult` that begins with 1. Dropout is left out: it does
nothing at inference and has no tensors, but keeps its place in the numbering.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

#: Of the sinusoidal embedding of the timestep.
MAX_PERIOD = 10_000
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of a UNet, under guided-diffusion's own names.

    Attributes:
        in_channels: of x alone; a super-resolution network takes as many of the low image beside.
        out_channels: twice the channels of x where the variance is learned.
        model_channels: the width from which the others are multiplied.
        num_res_blocks: per level of the encoder; the decoder has one more.
        attention_resolutions: the down-sampling factors (1, 2, 4, ...) whose blocks attend.
        channel_mult: width of each level over `model_channels`.
        conv_resample: convolutions in the down- and up-samplers, in place of pooling alone.
        dims: spatial axes. With three, the first keeps its size throughout.
        num_classes: of a class-conditional network; None for one without classes.
        num_heads: of each attention, unless `num_head_channels` says otherwise.
        num_head_channels: channels per head; -1 to go by `num_heads`.
        num_heads_upsample: `num_heads` of the decoder; -1 for the same.
        use_scale_shift_norm: the timestep scales and shifts after the second norm of a block, in
            place of being added before it.
        resblock_updown: residual blocks that resample, in place of samplers.
        use_new_attention_order: q, k, v outermost in qkv's channels; the legacy order has the heads
            outermost.
        super_resolution: the low image is enlarged and joined to x.
        norm_groups: of every group norm.
        norm_eps: of every group norm.
    """

    in_channels: int = 3
    out_channels: int = 6
    model_channels: int = 64
    num_res_blocks: int = 3
    attention_resolutions: tuple[int, ...] = (16, 32)
    channel_mult: tuple[float, ...] = (1, 1, 2, 2, 4, 4)
    conv_resample: bool = True
    dims: int = 2
    num_classes: int | None = None
    num_heads: int = 4
    num_head_channels: int = -1
    num_heads_upsample: int = -1
    use_scale_shift_norm: bool = True
    resblock_updown: bool = False
    use_new_attention_order: bool = False
    super_resolution: bool = False
    norm_groups: int = 32
    norm_eps: float = 1e-5

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, from full resolution down.

        >>> Config().widths
        (64, 64, 128, 128, 256, 256)
        """
        return tuple(round(mult * self.model_channels) for mult in self.channel_mult)

    @property
    def multiple(self) -> int:
        """What every spatial size that is halved must be a multiple of.

        >>> Config().multiple
        32
        """
        return int(2 ** (len(self.channel_mult) - 1))

    def heads(self, channels: int, decoder: bool = False) -> int:
        """Heads of an attention over `channels`."""
        if self.num_head_channels != -1:
            return channels // self.num_head_channels
        if decoder and self.num_heads_upsample != -1:
            return self.num_heads_upsample
        return self.num_heads


def timestep_embedding(timesteps: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines, then sines, of t at `width` // 2 frequencies from 1 down to nearly 1 / 10,000.

    [N] whole or real numbers -> [N, width] float32; an odd width ends in a zero. Source: Vaswani et
    al., arXiv 1706.03762, section 3.5, in the order that the two projects have.

    >>> timestep_embedding(torch.tensor([0]), 4).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    frequencies = torch.exp(steps * (-math.log(MAX_PERIOD) / half))
    angles = timesteps[:, None].float() * frequencies[None]
    parts = [torch.cos(angles), torch.sin(angles)]
    if width % 2:
        parts.append(torch.zeros_like(angles[:, :1]))
    return torch.cat(parts, dim=1)


class Norm(nn.GroupNorm):
    """Group norm computed in float32 whatever the values' type. [N, C, *] -> [N, C, *]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = super().forward(x.float()).to(x.dtype)
        return out


class ResBlock(nn.Module):
    """A residual block given the timestep, resampling on the way in if `resample` is given.

    x [N, C, *], embedding [N, E] -> [N, C', *].
    """

    def __init__(
        self,
        config: Config,
        inputs: int,
        outputs: int,
        resample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        conv, embedded = CONV[config.dims], 4 * config.model_channels
        self.in_layers = nn.Sequential(
            _norm(config, inputs), nn.SiLU(), conv(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(embedded, outputs * (2 if config.use_scale_shift_norm else 1))
        )
        self.out_layers = nn.Sequential(
            _norm(config, outputs),
            nn.SiLU(),
            nn.Identity(),  # the dropout's place
            conv(outputs, outputs, 3, padding=1),
        )
        same = inputs == outputs
        self.skip_connection = nn.Identity() if same else conv(inputs, outputs, 1)
        self.resample = resample
        self.scales = config.use_scale_shift_norm

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        h = self.in_layers[:-1](x)
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.in_layers[-1](h)
        told = self.emb_layers(embedding)
        told = told.reshape(*told.shape, *[1] * (x.ndim - 2)).to(h.dtype)
        if self.scales:
            scale, shift = told.chunk(2, dim=1)
            h = self.out_layers[0](h) * (1 + scale) + shift
            h = self.out_layers[1:](h)
        else:
            h = self.out_layers(h + told)
        out: torch.Tensor = self.skip_connection(x) + h
        return out


class Attention(nn.Module):
    """Every position attends to every other; residual. [N, C, *] -> [N, C, *].

    Each half of q·k carries C_head^-1/4, so that the product stays small before it is scaled.
    """

    def __init__(self, config: Config, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = _norm(config, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        self.heads = heads
        self.new_order = config.use_new_attention_order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2)
        out: torch.Tensor = rows + self.proj_out(self.attend(self.qkv(self.norm(rows))))
        return out.reshape(x.shape)

    def attend(self, qkv: torch.Tensor) -> torch.Tensor:
        """[N, 3C, T] -> [N, C, T]."""
        samples, width, length = qkv.shape
        inner = width // (3 * self.heads)
        if self.new_order:
            q, k, v = (part.reshape(-1, inner, length) for part in qkv.chunk(3, dim=1))
        else:
            q, k, v = qkv.reshape(-1, 3 * inner, length).chunk(3, dim=1)
        scale = inner**-0.25
        scores = torch.bmm((q * scale).transpose(1, 2), k * scale)
        weights = torch.softmax(scores.float(), dim=-1).to(scores.dtype)
        return torch.bmm(v, weights.transpose(1, 2)).reshape(samples, -1, length)


class Downsample(nn.Module):
    """Halves every axis, of three all but the first: a strided convolution, or mean pooling."""

    def __init__(self, config: Config, channels: int, conv: bool) -> None:
        super().__init__()
        self.stride = _stride(config.dims)
        kind: Any = CONV[config.dims]
        self.op = kind(channels, channels, 3, self.stride, padding=1) if conv else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.op is not None:
            out: torch.Tensor = self.op(x)
            return out
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.ndim - 3]
        return pool(x, self.stride, self.stride)


class Upsample(nn.Module):
    """Doubles every axis, of three all but the first: each value repeated, then a convolution."""

    def __init__(self, config: Config, channels: int, conv: bool) -> None:
        super().__init__()
        self.factors = tuple(float(step) for step in _stride(config.dims))
        self.conv = CONV[config.dims](channels, channels, 3, padding=1) if conv else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=list(self.factors), mode="nearest")
        return x if self.conv is None else self.conv(x)


class Stage(nn.Sequential):
    """Layers in a row; those that are residual blocks are given the timestep."""

    def forward(  # type: ignore[override]  # one more argument than nn.Sequential takes
        self, x: torch.Tensor, embedding: torch.Tensor
    ) -> torch.Tensor:
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x


class UNet(nn.Module):
    """x_t and t -> the predicted noise (or x_0), and behind it what the variance is made of.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        conv, width, widths = CONV[config.dims], config.model_channels, config.widths
        self.time_embed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)
        )
        if config.num_classes is not None:
            self.label_emb = nn.Embedding(config.num_classes, 4 * width)
        taken = config.in_channels * (2 if config.super_resolution else 1)
        stages: list[nn.Module] = [Stage(conv(taken, widths[0], 3, padding=1))]
        kept, now = [widths[0]], widths[0]
        last = len(widths) - 1
        for level, outputs in enumerate(widths):
            attends = 2**level in config.attention_resolutions
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [ResBlock(config, now, outputs)]
                now = outputs
                if attends:
                    layers.append(Attention(config, now, config.heads(now)))
                stages.append(Stage(*layers))
                kept.append(now)
            if level != last:
                stages.append(Stage(_resampler(config, now, Downsample)))
                kept.append(now)
        self.input_blocks = nn.ModuleList(stages)
        self.middle_block = Stage(
            ResBlock(config, now, now),
            Attention(config, now, config.heads(now)),
            ResBlock(config, now, now),
        )
        stages = []
        for level in range(last, -1, -1):
            outputs = widths[level]
            attends = 2**level in config.attention_resolutions
            for block in range(config.num_res_blocks + 1):
                layers = [ResBlock(config, now + kept.pop(), outputs)]
                now = outputs
                if attends:
                    layers.append(Attention(config, now, config.heads(now, decoder=True)))
                if level and block == config.num_res_blocks:
                    layers.append(_resampler(config, now, Upsample))
                stages.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(stages)
        self.out = nn.Sequential(
            _norm(config, now), nn.SiLU(), conv(now, config.out_channels, 3, padding=1)
        )

    def forward(
        self,
        x: torch.Tensor,
        timesteps: torch.Tensor,
        y: torch.Tensor | None = None,
        low_res: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The prediction.

        Args:
            x: [N, C, *] float, every size that is halved a multiple of `config.multiple`.
            timesteps: [N], whole or real numbers.
            y: [N] whole numbers, the classes of a class-conditional network.
            low_res: [N, C, *] float of any size, what a super-resolution network enlarges.

        Returns:
            [N, out_channels, *].
        """
        embedding = self.time_embed(timestep_embedding(timesteps, self.config.model_channels))
        if self.config.num_classes is not None:
            assert y is not None, "a class-conditional network takes y"
            embedding = embedding + self.label_emb(y)
        h = x
        if self.config.super_resolution:
            assert low_res is not None, "a super-resolution network takes low_res"
            h = torch.cat([x, enlarged(low_res, x.shape[2:])], dim=1)
        kept = []
        for stage in self.input_blocks:
            h = stage(h, embedding)
            kept.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, kept.pop()], dim=1), embedding)
        out: torch.Tensor = self.out(h)
        return out


def enlarged(low: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """The low image at `size`, linearly interpolated, corners not aligned."""
    mode = ("linear", "bilinear", "trilinear")[low.ndim - 3]
    return F.interpolate(low, tuple(size), mode=mode)


def _norm(config: Config, channels: int) -> Norm:
    return Norm(config.norm_groups, channels, config.norm_eps)


def _stride(dims: int) -> tuple[int, ...]:
    return (1, 2, 2) if dims == 3 else (2,) * dims


def _resampler(config: Config, channels: int, kind: type[Downsample] | type[Upsample]) -> nn.Module:
    if config.resblock_updown:
        return ResBlock(config, channels, channels, kind(config, channels, False))
    return kind(config, channels, config.conv_resample)
