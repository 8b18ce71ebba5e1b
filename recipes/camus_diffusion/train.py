"""Trains the diffusion network on phantoms; stops and resumes where it was.

    python -m recipes.camus_diffusion.train --work build/camus_diffusion [--minutes 28] [--seed 0]

Run from the repository's root. `--minutes` counts processor time over the number of threads, in
all runs together: on free cores the clock's minutes, and on shared ones no fewer steps for it. The
learning rate follows it. Every two minutes the state goes to
`WORK/state.pt`, a line to `WORK/log.jsonl`, and the moving average of the weights, in the form in
which guided-diffusion keeps its averages, to `WORK/camus_diffusion.pth`.

The network learns to give the picture and not the noise (guided-diffusion's ``predict_xstart``):
in a short training the brightness of whole pictures then comes out right, which is one value of
4096 and the last thing that a predictor of noise learns.

Sources: the loss is the hybrid of A. Nichol, P. Dhariwal, "Improved denoising diffusion
probabilistic models" (2021), section 3.1, equations 15 and 16. Its first term is weighted by the
signal-to-noise ratio from 1 (T. Salimans, J. Ho, "Progressive distillation for fast sampling of
diffusion models", 2022, section 4) to 5 (T. Hang et al., "Efficient diffusion training via min-SNR
weighting strategy", 2023).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recipes.camus_diffusion.data import PHANTOMS, scaled, training_set
from recipes.camus_diffusion.network import UNet

STEPS = 1000
BATCH = 8
PEAK, WEIGHT_DECAY, CLIP = 1.2e-3, 0.01, 1.0
WARM = 0.02
AVERAGE = 0.998
#: least and largest weight of a picture's error, which between them is the signal-to-noise ratio
LEAST, CAP = 1.0, 5.0
#: of the variational bound beside the plain loss; in bits it is about a thousand times larger
BOUND = 1e-3
SAVE_EVERY = 120.0


class Process:
    """The noising process: linear variances from 1e-4 to 0.02 (Ho et al. 2020, section 4)."""

    def __init__(self) -> None:
        betas = np.linspace(1e-4, 0.02, STEPS)
        kept = np.cumprod(1.0 - betas)
        before = np.append(1.0, kept[:-1])
        variance = betas * (1.0 - before) / (1.0 - kept)
        self.signal = _table(np.sqrt(kept))
        self.noise = _table(np.sqrt(1.0 - kept))
        self.weight = _table(np.clip(kept / (1.0 - kept), LEAST, CAP))
        self.high = _table(np.log(betas))
        # The first variance is 0; its logarithm is taken from the second step, as in the paper.
        self.low = _table(np.log(np.append(variance[1], variance[1:])))
        self.of_start = _table(betas * np.sqrt(before) / (1.0 - kept))
        self.of_now = _table((1.0 - before) * np.sqrt(1.0 - betas) / (1.0 - kept))

    def losses(
        self, network: nn.Module, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The picture's weighted error, and the variational bound in bits per value; means.

        Args:
            network: see `network.UNet`.
            x: pictures, float [N, 1, H, W].
            t: steps, int64 [N].
            noise: standard normal, of the pictures' shape.
        """
        at = _Picked(self, t)
        noised = at.signal * x + at.noise * noise
        predicted, fraction = network(noised, t).chunk(2, dim=1)
        error = (at.weight * (predicted - x) ** 2).mean()

        # The bound teaches the variance alone: the mean is held still.
        guess = predicted.detach().clamp(-1, 1)
        mean, true_mean = (at.of_start * one + at.of_now * noised for one in (guess, x))
        part = (fraction + 1) / 2
        spread = part * at.high + (1 - part) * at.low
        divergence = 0.5 * (
            spread - at.low + (at.low - spread).exp() - 1 + (true_mean - mean) ** 2 / spread.exp()
        )
        last = _grey_level_likelihood(x, mean, spread)
        bits = torch.where(t[:, None, None, None] == 0, -last, divergence) / math.log(2)
        return error, bits.mean()


class _Picked:
    """The process's tables at the steps of a batch, [N, 1, 1, 1] each."""

    def __init__(self, process: Process, t: torch.Tensor) -> None:
        self.process, self.t = process, t

    def __getattr__(self, name: str) -> torch.Tensor:
        table: torch.Tensor = getattr(self.process, name)
        return table[self.t][:, None, None, None]


def _table(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).float()


def _grey_level_likelihood(
    x: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor
) -> torch.Tensor:
    """log of the probability of each grey level, 2/255 wide (Ho et al. 2020, equation 13)."""
    scale = (-0.5 * log_variance).exp()
    above = torch.special.ndtr((x - mean + 1 / 255) * scale)
    below = torch.special.ndtr((x - mean - 1 / 255) * scale)
    above = torch.where(x > 0.999, torch.ones_like(above), above)
    below = torch.where(x < -0.999, torch.zeros_like(below), below)
    return (above - below).clamp(min=1e-12).log()


def rate(done: float) -> float:
    """A straight rise to 1 over the first `WARM` of the time, then half a cosine to 0.

    >>> rate(0.01), rate(0.02), round(rate(1.0), 12)
    (0.5, 1.0, 0.0)
    """
    if done < WARM:
        return done / WARM
    return 0.5 * (1 + math.cos(math.pi * min((done - WARM) / (1 - WARM), 1.0)))


def train(
    work: Path,
    minutes: float,
    seed: int,
    threads: int = 2,
    count: int = PHANTOMS,
    say: Callable[[str], None] = print,
) -> None:
    """Trains, or goes on from `work`'s state, until `minutes` are spent."""
    began, cpu_began = time.perf_counter(), _processor()
    images, drawn = training_set(work, count, threads)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    pictures = torch.from_numpy(scaled(images))[:, None]
    network = UNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.0, weight_decay=WEIGHT_DECAY)
    state: dict[str, Any] = {"spent": 0.0, "cpu": 0.0, "step": 0}
    if (work / "state.pt").exists():
        kept = torch.load(work / "state.pt", weights_only=True)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        state = kept["state"]
        torch.manual_seed(seed + state["step"])
        say(f"resumed at step {state['step']}, {state['spent'] / 60:.1f} minutes")
    if not drawn:
        began, cpu_began = time.perf_counter(), _processor()
    already, cpu_already = state["spent"], state["cpu"]
    process, seen, saved = Process(), [], time.perf_counter()
    while True:
        state["spent"] = already + time.perf_counter() - began
        state["cpu"] = cpu_already + _processor() - cpu_began
        done = state["cpu"] / (60 * minutes * threads)
        if seen and (done >= 1 or time.perf_counter() - saved > SAVE_EVERY):
            _keep(work, network, average, optimiser, state, seen, say)
            seen, saved = [], time.perf_counter()
        if done >= 1:
            return
        for group in optimiser.param_groups:
            group["lr"] = PEAK * rate(done)
        chosen = torch.randint(len(pictures), (BATCH,))
        t = torch.randint(STEPS, (BATCH,))
        x = pictures[chosen]
        error, bits = process.losses(network, x, t, torch.randn_like(x))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(error + BOUND * bits)
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        state["step"] += 1
        share = min(AVERAGE, state["step"] / (10 + state["step"]))
        with torch.no_grad():
            for mine, new in zip(average.parameters(), network.parameters(), strict=True):
                mine.lerp_(new, 1 - share)
        seen.append((error.item(), bits.item()))


def _processor() -> float:
    """Seconds of processor time of this process and of those it started and saw end."""
    return sum(os.times()[:4])


def _keep(
    work: Path,
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    seen: list[tuple[float, float]],
    say: Callable[[str], None],
) -> None:
    """Writes the state, the averaged weights and a line of the log."""
    error, bits = np.mean(seen, axis=0)
    line = {
        "step": state["step"],
        "minutes": round(state["spent"] / 60, 2),
        "cpu_minutes": round(state["cpu"] / 60, 2),
        "error": round(float(error), 5),
        "bits": round(float(bits), 3),
    }
    say(json.dumps(line))
    with (work / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    whole = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "state": state,
    }
    for name, content in (("state.pt", whole), ("camus_diffusion.pth", weights(average))):
        torch.save(content, work / f"{name}.new")
        (work / f"{name}.new").replace(work / name)


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The bare state dict, float32 and in the usual layout: what guided-diffusion's
    ``ema_RATE_STEP.pt`` holds."""
    return {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the state and the log")
    parser.add_argument("--minutes", type=float, default=28.0, help="in all (28)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and batches (0)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (2)")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    arguments.work.mkdir(parents=True, exist_ok=True)
    train(arguments.work, arguments.minutes, arguments.seed, arguments.threads, say=say)


if __name__ == "__main__":
    main()
