"""Small diffusion networks whose unknowns are known: what `--settle-with` has to find out.

Each sees 8 x 8 pictures that repeat one random 4 x 4 tile, so that attention earns its place:
only far positions tell what a noisy one was. A checkpoint holds the weights alone, in float16; what
was assumed of heads, order and schedule in training is in its name.

    python -m recipes.camus_diffusion.settling OUT [NAME ...]
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lading.network.families.guided_diffusion.network import Config, UNet
from lading.task.diffusion.schedule import betas

SIZE, TILE = 8, 4
STEPS, BATCH, RATE, AVERAGE = 500, 16, 3e-3, 0.98
NETWORK = Config(
    in_channels=1,
    out_channels=1,
    model_channels=16,
    num_res_blocks=1,
    attention_resolutions=(1,),
    channel_mult=(2,),
)


@dataclass(frozen=True)
class Truth:
    """What a network was trained with."""

    heads: int
    new_order: bool
    schedule: str
    seed: int

    @property
    def config(self) -> Config:
        return replace(NETWORK, num_heads=self.heads, use_new_attention_order=self.new_order)


TRUTHS = {
    "legacy_4_linear": Truth(4, False, "linear", 1),
    "new_2_cosine": Truth(2, True, "cosine", 2),
    "new_8_linear": Truth(8, True, "linear", 3),
    "one_cosine": Truth(1, False, "cosine", 4),
}


def pictures(count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """[count, 1, 8, 8], from -1 to 1: one tile of random grey levels, repeated."""
    tiles = generator.uniform(-1.0, 1.0, (count, 1, TILE, TILE))
    return np.tile(tiles, (1, 1, SIZE // TILE, SIZE // TILE)).astype(np.float32)


def train(truth: Truth, steps: int = STEPS) -> UNet:
    """A network that predicts the noise of `pictures`, with averaged weights."""
    torch.manual_seed(truth.seed)
    generator = np.random.default_rng(truth.seed)
    network = UNet(truth.config)
    average = UNet(truth.config).eval()
    average.load_state_dict(network.state_dict())
    kept = torch.tensor(np.cumprod(1.0 - betas(truth.schedule, 1000)), dtype=torch.float32)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    began, told = time.monotonic(), 0.0
    for step in range(steps):
        x = torch.from_numpy(pictures(BATCH, generator))
        t = torch.randint(0, 1000, (BATCH,))
        level = kept[t].reshape(-1, 1, 1, 1)
        noise = torch.randn_like(x)
        loss = (network(level.sqrt() * x + (1 - level).sqrt() * noise, t) - noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        decay.step()
        told = 0.98 * told + 0.02 * loss.item() if step else loss.item()
        keep = min(AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        if (step + 1) % 100 == 0:
            print(f"{step + 1:5} {told:.4f} {time.monotonic() - began:6.0f} s", flush=True)
    return average


def main(arguments: list[str]) -> None:
    """Trains the networks that are named, or all, into a folder."""
    torch.set_num_threads(1)
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:] or TRUTHS:
        print(name, flush=True)
        state = train(TRUTHS[name]).state_dict()
        torch.save({key: value.half() for key, value in state.items()}, out / f"{name}.pt")


if __name__ == "__main__":
    main(sys.argv[1:])
