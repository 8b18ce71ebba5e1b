"""A network as a stranger may bring it: everything about it that graphs do not like.

Written after what RePaint's and guided-diffusion's networks are known to do, in own words: each
attention behind a checkpointing function with a backward of its own, a guard on the timestep that
reads it on the host, an object of settings, and a switch for a torso in half precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


class Recomputed(torch.autograd.Function):
    """Forgets what is between input and output, and computes it again on the way back."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Any], count: int, *tensors: torch.Tensor) -> Any:
        ctx.run, ctx.count = run, count
        ctx.save_for_backward(*tensors)
        with torch.no_grad():
            return run(*tensors[:count])

    @staticmethod
    def backward(ctx: Any, *wanted: torch.Tensor) -> Any:
        inputs = [one.detach().requires_grad_() for one in ctx.saved_tensors[: ctx.count]]
        weights = list(ctx.saved_tensors[ctx.count :])
        with torch.enable_grad():
            again = ctx.run(*inputs)
        found = torch.autograd.grad(again, inputs + weights, wanted, allow_unused=True)
        return (None, None, *found)


def recomputed(
    run: Callable[..., Any], inputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor]
) -> Any:
    """`run(*inputs)` behind `Recomputed`, always."""
    return Recomputed.apply(run, len(inputs), *inputs, *weights)


class Attention(nn.Module):
    """Every position attends to every other, behind `recomputed` whatever it is told."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.out = nn.Conv1d(channels, channels, 1)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = recomputed(self._attend, (x,), tuple(self.parameters()))
        return answer

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        samples, channels, *sizes = x.shape
        flat = x.reshape(samples, channels, -1)
        parts = self.qkv(self.norm(flat)).reshape(samples * self.heads, -1, flat.shape[-1])
        q, k, v = parts.split(channels // self.heads, dim=1)
        scale = 1 / math.sqrt(math.sqrt(channels // self.heads))
        weights = torch.einsum("bct,bcs->bts", q * scale, k * scale)
        weights = torch.softmax(weights.float(), dim=-1).type(weights.dtype)
        mixed = torch.einsum("bts,bcs->bct", weights, v).reshape(samples, -1, flat.shape[-1])
        return (flat + self.out(mixed)).reshape(samples, channels, *sizes)


@dataclass
class Settings:
    """What such projects keep in a ``conf``."""

    diffusion_steps: int = 1000
    use_fp16: bool = False


class Net(nn.Module):
    """x [N, 3, H, W] and timesteps [N] -> [N, 6, H, W]."""

    def __init__(self, conf: Settings | None = None) -> None:
        super().__init__()
        self.conf = conf or Settings()
        self.dtype = torch.float16 if self.conf.use_fp16 else torch.float32
        self.time = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 16))
        self.enter = nn.Conv2d(3, 16, 3, padding=1)
        self.down = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.attention = Attention(16, 2)
        self.leave = nn.Conv2d(32, 6, 3, padding=1)

    def forward(
        self, x: torch.Tensor, timesteps: torch.Tensor, y: Any = None, **kwargs: Any
    ) -> torch.Tensor:
        if timesteps[0].item() > self.conf.diffusion_steps:
            raise RuntimeError(f"t is {timesteps[0].item()}, the process has fewer steps")
        rates = torch.exp(-math.log(10000) * torch.arange(8, dtype=torch.float32) / 8)
        angles = timesteps[:, None].float() * rates.to(timesteps.device)[None]
        told = self.time(torch.cat([angles.cos(), angles.sin()], dim=-1))
        h = x.type(self.dtype)
        first = self.enter(h) + told.type(h.dtype)[..., None, None]
        h = self.attention(self.down(first))
        h = nn.functional.interpolate(h, scale_factor=2, mode="nearest")
        h = torch.cat([h, first], dim=1).type(x.dtype)
        out: torch.Tensor = self.leave(h)
        return out


def net(seed: int = 0) -> Net:
    """A `Net` with random weights, in eval mode."""
    torch.manual_seed(seed)
    return Net().eval()


def inputs(step: int = 500, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """x and timesteps for a `Net`."""
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(step))
    return x, torch.tensor([step], dtype=torch.int32)
