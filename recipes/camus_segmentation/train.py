"""Trains the demo's segmentation network on phantoms and keeps it as nnU-Net v2 would.

    python -m recipes.camus_segmentation.train --out FILE [--minutes 15] [--seed 0]

Run from the repository's root. The training is nnU-Net's: Dice + cross-entropy at every resolution
(deep supervision, weights halved at each level, none for the coarsest), SGD with Nesterov momentum
0.99 from 0.01 with polynomial decay, gradients clipped at norm 12, mirroring along both axes; the
file is written whenever the moving average of the validation Dice reaches a new best.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from lading.errors import RequestError, StorageError
from recipes.camus_segmentation.network import (
    DATASET,
    PLANS,
    SIZE,
    build,
    dice,
    normalise,
    segment,
)
from recipes.camus_segmentation.phantom import draw

#: the first seed of each set; held-out phantoms begin at 0, see evaluate.py
VALIDATION, TRAINING = 5_000, 10_000
PHANTOMS, VALIDATION_PHANTOMS = 1_200, 16
EPOCHS, STEPS = 18, 50
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, CLIP = 1e-2, 0.99, 3e-5, 12.0

Phantom = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def _phantom(seed: int) -> Phantom:
    return draw(seed, SIZE)


def phantoms(first: int, count: int, processes: int) -> list[Phantom]:
    """`count` phantoms from seed `first` on, in order, drawn by several processes."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(_phantom, range(first, first + count), chunksize=25)


def batch_of(
    images: NDArray[np.float32], labels: NDArray[np.uint8], generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random batch, mirrored and with its contrast bent: float32 [N,1,H,W], int64 [N,H,W]."""
    count = PLANS["configurations"]["2d"]["batch_size"]
    pictures, maps = [], []
    for index in generator.integers(0, len(images), count):
        picture, label = images[index], labels[index]
        if generator.random() < 0.5:
            # Gamma on the range, mean and deviation kept, as the z-score fixes both anyway.
            low, span = picture.min(), np.ptp(picture)
            bent = ((picture - low) / span) ** np.float32(generator.uniform(0.7, 1.5))
            picture = (bent - bent.mean()) / bent.std()
        for axis in (0, 1):
            if generator.random() < 0.5:
                picture, label = np.flip(picture, axis), np.flip(label, axis)
        pictures.append(np.ascontiguousarray(picture))
        maps.append(np.ascontiguousarray(label))
    return (
        torch.from_numpy(np.stack(pictures))[:, None],
        torch.from_numpy(np.stack(maps)).long(),
    )


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy minus the soft Dice of the two structures, taken over the whole batch.

    Args:
        logits: float [N, 3, H, W].
        target: int64 [N, H, W].
    """
    truth = F.one_hot(target, logits.shape[1]).movedim(-1, 1)[:, 1:].to(logits.dtype)
    predicted = logits.softmax(1)[:, 1:]
    overlap = (predicted * truth).sum((0, 2, 3))
    total = predicted.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    soft_dice = (2.0 * overlap + 1e-5) / (total + 1e-5)
    return F.cross_entropy(logits, target) - soft_dice.mean()


def deep_loss(outputs: list[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    """The loss of every head, finest first: weights 1, 1/2, 1/4, ..., 0, normalised to sum 1."""
    weights = [0.5**level for level in range(len(outputs) - 1)]
    total = torch.zeros(())
    for weight, output in zip(weights, outputs, strict=False):
        step = target.shape[-1] // output.shape[-1]
        total = total + weight / sum(weights) * loss_of(output, target[:, ::step, ::step])
    return total


def save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    logging: dict[str, list[Any]],
    plans: dict[str, Any],
    dataset: dict[str, Any],
) -> None:
    """Writes the checkpoint in nnU-Net v2's form.

    One thing is left out: the optimiser's momentum, as large as the network and of no use to
    anyone who does not go on training; its settings stay.
    """
    torch.save(
        {
            "network_weights": network.state_dict(),
            "optimizer_state": {
                "state": {},
                "param_groups": optimiser.state_dict()["param_groups"],
            },
            "grad_scaler_state": None,
            "logging": logging,
            "_best_ema": logging["ema_fg_dice"][-1],
            "current_epoch": len(logging["ema_fg_dice"]),
            "init_args": {
                "plans": plans,
                "configuration": "2d",
                "fold": 0,
                "dataset_json": dataset,
                "device": torch.device("cpu"),
            },
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1),
        },
        path,
    )


def describe(drawn: list[Phantom]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plans and the dataset with what the training phantoms measure filled in."""
    inside = np.concatenate([image[labels > 0] for image, labels in drawn]).astype(np.float64)
    # Through JSON, as nnU-Net reads them: lists that share nothing, and plain values alone.
    plans, dataset = json.loads(json.dumps([PLANS, DATASET]))
    plans["foreground_intensity_properties_per_channel"]["0"] = {
        "max": float(inside.max()),
        "mean": float(inside.mean()),
        "median": float(np.median(inside)),
        "min": float(inside.min()),
        "percentile_00_5": float(np.percentile(inside, 0.5)),
        "percentile_99_5": float(np.percentile(inside, 99.5)),
        "std": float(inside.std()),
    }
    dataset["numTraining"] = len(drawn)
    return plans, dataset


def train(
    out: Path,
    *,
    minutes: float,
    seed: int,
    threads: int,
    count: int = PHANTOMS,
    say: Callable[[str], None] = print,
) -> None:
    """Trains and writes the best checkpoint to `out`; ends after `minutes` at the latest.

    The learning rate follows whichever is further on, the epochs or the minutes, so that a slow
    computer ends its schedule too. With minutes to spare, equal seeds on one computer give equal
    weights.

    Raises:
        StorageError: the folder of `out` does not exist.
        RequestError: the minutes do not even suffice for drawing the phantoms.
    """
    if not out.parent.is_dir():
        raise StorageError(
            str(out),
            found=f"no such folder: {out.parent}",
            expected="a file name in a folder that exists",
            remedy=f"mkdir -p {out.parent}",
        )
    if minutes <= 0.0:
        raise _too_short(minutes)
    began, cpu_began = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    generator = np.random.default_rng(seed)
    drawn = phantoms(TRAINING, count, threads)
    validation = phantoms(VALIDATION, VALIDATION_PHANTOMS, threads)
    plans, dataset = describe(drawn)
    images = np.stack([normalise(image) for image, _ in drawn])
    labels = np.stack([label for _, label in drawn])
    say(f"{count} phantoms of {SIZE} x {SIZE} in {time.perf_counter() - began:.0f} s")

    network = build(plans, dataset, deep_supervision=True)
    started, seconds = time.perf_counter(), 60.0 * minutes - (time.perf_counter() - began)
    say(f"{sum(p.numel() for p in network.parameters()):,} parameters")
    optimiser = torch.optim.SGD(
        network.parameters(),
        LEARNING_RATE,
        momentum=MOMENTUM,
        nesterov=True,
        weight_decay=WEIGHT_DECAY,
    )
    names = "mean_fg_dice ema_fg_dice dice_per_class_or_region train_losses val_losses lrs"
    logging: dict[str, list[Any]] = {
        name: [] for name in (*names.split(), "epoch_start_timestamps", "epoch_end_timestamps")
    }
    say("epoch  steps  minutes  cpu min  rate     loss     LV      muscle  average")
    best = -np.inf
    for epoch in range(EPOCHS):
        logging["epoch_start_timestamps"].append(time.time())
        network.train()
        losses = []
        for step in range(STEPS):
            elapsed = time.perf_counter() - started
            progress = max((epoch + step / STEPS) / EPOCHS, elapsed / seconds)
            if progress >= 1.0:
                break
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1.0 - progress) ** 0.9
            inputs, target = batch_of(images, labels, generator)
            optimiser.zero_grad(set_to_none=True)
            loss = deep_loss(network(inputs), target)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            losses.append(loss.item())
        if not losses:
            break
        scores, loss_value = validate(network, validation)
        mean = np.float64(np.mean(scores))
        averages = logging["ema_fg_dice"]
        average = np.float64(0.9 * averages[-1] + 0.1 * mean) if averages else mean
        logging["mean_fg_dice"].append(mean)
        averages.append(average)
        logging["dice_per_class_or_region"].append([np.float64(score) for score in scores])
        logging["train_losses"].append(np.float32(np.mean(losses)))
        logging["val_losses"].append(np.float32(loss_value))
        logging["lrs"].append(optimiser.param_groups[0]["lr"])
        logging["epoch_end_timestamps"].append(time.time())
        say(
            f"{epoch:5d}  {(epoch * STEPS + len(losses)):5d}"
            f"  {(time.perf_counter() - began) / 60:7.1f}"
            f"  {(time.process_time() - cpu_began) / 60:7.1f}"
            f"  {logging['lrs'][-1]:.5f}  {np.mean(losses):7.4f}"
            f"  {scores[0]:.4f}  {scores[1]:.4f}  {average:.4f}"
        )
        if average > best:
            best = average
            save(out, network, optimiser, logging, plans, dataset)
    if not logging["ema_fg_dice"]:
        raise _too_short(minutes)
    say(f"written {out} with an average of {best:.4f}")


def _too_short(minutes: float) -> RequestError:
    return RequestError(
        f"--minutes {minutes:g}",
        found="no time left for a single step",
        expected="some minutes more than drawing the phantoms takes (about 2 on two cores)",
        remedy="use --minutes 15",
    )


@torch.no_grad()
def validate(network: nn.Module, drawn: list[Phantom]) -> tuple[list[float], float]:
    """Mean Dice of each structure over `drawn`, and the mean loss."""
    network.eval()
    finest: nn.Module = _Finest(network)
    scores = []
    losses = []
    for image, labels in drawn:
        logits = finest(torch.from_numpy(normalise(image))[None, None])
        losses.append(loss_of(logits, torch.from_numpy(labels).long()[None]).item())
        predicted = segment(finest, image)
        scores.append([dice(predicted, labels, label) for label in (1, 2)])
    left_ventricle, muscle = np.mean(scores, axis=0)
    return [float(left_ventricle), float(muscle)], float(np.mean(losses))


class _Finest(nn.Module):
    """The finest head of a network that is being trained with all of them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        finest: torch.Tensor = self.network(x)[0]
        return finest


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--minutes", type=float, default=15.0, help="end after so long (15)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the batches (0)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (2)")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    train(
        arguments.out,
        minutes=arguments.minutes,
        seed=arguments.seed,
        threads=arguments.threads,
        say=say,
    )


if __name__ == "__main__":
    main()
