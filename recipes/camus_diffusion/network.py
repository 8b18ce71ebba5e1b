"""The network that is trained: a small UNet with guided-diffusion's tensor names.

Written as its author would write it for training, apart from the rebuild that lading makes from
the tensors alone: a test runs both on the same weights and compares them.

Sources: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models" (2020), appendix B;
P. Dhariwal, A. Nichol, "Diffusion models beat GANs on image synthesis" (2021), section 3: group
normalisation with a scale and a shift from the time step, attention with several heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

#: height and width of the pictures; one channel of grey, from -1 to 1
SIZE = 64
CHANNELS = 32
#: widths at 64, 32 and 16 pixels, as multiples of `CHANNELS`
MULTIPLES = (1, 1, 2)
#: attention where the picture has been halved so often: at 16 pixels
ATTENTION = (2,)
HEADS = 4
GROUPS = 32


def embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines, then sines, of the time steps `t` [N] at `width` / 2 frequencies, float [N, width].

    >>> embedding(torch.zeros(1), 4)
    tensor([[1., 1., 0., 0.]])
    """
    half = width // 2
    rates = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32) / half)
    angles = t[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Residual(nn.Module):
    """Two convolutions around a scale and shift by the time embedding, beside a short cut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * CHANNELS, 2 * out))
        last = nn.Conv2d(out, out, 3, padding=1)
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out), nn.SiLU(), nn.Dropout(0.0), _zeroed(last)
        )
        self.skip_connection: nn.Module = nn.Identity()
        if channels != out:
            self.skip_connection = nn.Conv2d(channels, out, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        h = self.in_layers(x)
        scale, shift = self.emb_layers(time)[:, :, None, None].chunk(2, dim=1)
        h = self.out_layers[0](h) * (1 + scale) + shift
        shortcut: torch.Tensor = self.skip_connection(x)
        return shortcut + self.out_layers[1:](h)


class Attention(nn.Module):
    """Every pixel looks at every other. The heads are split first, then queries, keys and values
    (guided-diffusion's older order)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        N, C, H, W = x.shape
        flat = x.reshape(N, C, H * W)
        heads = self.qkv(self.norm(flat)).reshape(N * HEADS, 3 * C // HEADS, H * W)
        q, k, v = (part.transpose(1, 2) for part in heads.chunk(3, dim=1))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(N, C, H * W)
        return (flat + self.proj_out(mixed)).reshape(N, C, H, W)


class Down(nn.Module):
    """Half as high and wide, by a convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        halved: torch.Tensor = self.op(x)
        return halved


class Up(nn.Module):
    """Twice as high and wide: every pixel four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        doubled: torch.Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return doubled


class First(nn.Conv2d):
    """The convolution at the entrance; takes the time as the other blocks do."""

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return super().forward(x)


class UNet(nn.Module):
    """The picture and a variance: noised pictures [N, 1, H, W] and steps [N] -> [N, 2, H, W].

    Channel 0 is the picture without noise, channel 1 says where between its bounds the variance of
    the step lies (Nichol and Dhariwal 2021, equation 15).

    >>> sum(p.numel() for p in UNet().parameters())
    877154
    """

    def __init__(self) -> None:
        super().__init__()
        width = 4 * CHANNELS
        self.time_embed = nn.Sequential(
            nn.Linear(CHANNELS, width), nn.SiLU(), nn.Linear(width, width)
        )
        widths = [CHANNELS * multiple for multiple in MULTIPLES]
        self.input_blocks = nn.ModuleList([nn.ModuleList([First(1, widths[0], 3, padding=1)])])
        channels, kept = widths[0], [widths[0]]
        for level, out in enumerate(widths):
            self.input_blocks.append(_block(level, Residual(channels, out), out))
            channels = out
            kept.append(out)
            if level < len(widths) - 1:
                self.input_blocks.append(nn.ModuleList([Down(out)]))
                kept.append(out)
        self.middle_block = nn.ModuleList(
            [Residual(channels, channels), Attention(channels), Residual(channels, channels)]
        )
        self.output_blocks = nn.ModuleList()
        for level, out in reversed(list(enumerate(widths))):
            for place in range(2):
                block = _block(level, Residual(channels + kept.pop(), out), out)
                channels = out
                if level and place == 1:
                    block.append(Up(out))
                self.output_blocks.append(block)
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            _zeroed(nn.Conv2d(channels, 2, 3, padding=1)),
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        time = self.time_embed(embedding(t, CHANNELS))
        kept = []
        for block in self.input_blocks:
            x = _through(block, x, time)
            kept.append(x)
        x = _through(self.middle_block, x, time)
        for block in self.output_blocks:
            x = _through(block, torch.cat([x, kept.pop()], dim=1), time)
        predicted: torch.Tensor = self.out(x)
        return predicted


def _block(level: int, residual: Residual, channels: int) -> nn.ModuleList:
    block = nn.ModuleList([residual])
    if level in ATTENTION:
        block.append(Attention(channels))
    return block


def _through(block: nn.Module, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    for layer in block.children():
        x = layer(x, time)
    return x


def _zeroed(layer: nn.Module) -> nn.Module:
    """The layer with all of its parameters at 0, so that a block begins as its short cut."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
