"""How far samples are from phantoms that the training never saw.

    python -m recipes.camus_diffusion.evaluate FILE [--count 48] [--steps 25] [--sheet FILE]

Both are enlarged to the patch of the segmentation network that `recipes/camus_segmentation` trained
on other phantoms, and described by what it finds: the areas of ventricle and myocardium, where the
ventricle lies, and the brightness of the sector. The two sets of descriptions are compared by the
kernel two-sample test of A. Gretton et al., "A kernel two-sample test", JMLR 13 (2012), with a
permutation p-value, and by how well their nearest neighbour tells one from the other (D. Lopez-Paz,
M. Oquab, "Revisiting classifier two-sample tests", 2017): half right means not at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lading.task.diffusion.samplers import DDIM, Process, walk
from lading.task.diffusion.schedule import Schedule
from recipes.camus_diffusion.data import phantoms
from recipes.camus_diffusion.network import SIZE, UNet
from recipes.camus_diffusion.train import STEPS
from recipes.camus_segmentation.evaluate import HELD_OUT, load
from recipes.camus_segmentation.network import SIZE as PATCH
from recipes.camus_segmentation.network import segment

SEGMENTER = Path("src/lading/data/camus_segmentation.pth")
NAMES = ("ventricle %", "myocardium %", "ventricle x", "ventricle y", "brightness")
Features = NDArray[np.float64]


def samples(path: Path, count: int, steps: int, seed: int) -> NDArray[np.uint8]:
    """`count` pictures of the network by DDIM, uint8 [count, 64, 64]."""
    network = UNet()
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()

    def model(x: NDArray[np.float32], t: NDArray[np.float64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answer: NDArray[np.float32] = network(torch.from_numpy(x), torch.from_numpy(t)).numpy()
        return answer

    process = Process(Schedule.of("linear", STEPS, str(steps)), gives="picture")
    made = []
    for number in range(count):
        *_, last = walk(model, process, DDIM(), (1, 1, SIZE, SIZE), seed, number)
        made.append(np.rint((last.x[0, 0] + 1) * 127.5).clip(0, 255).astype(np.uint8))
    return np.stack(made)


def describe(images: NDArray[np.uint8]) -> tuple[Features, NDArray[np.uint8]]:
    """What the segmentation network finds: features [N, 5] and label maps [N, 160, 160]."""
    network, _ = load(SEGMENTER)
    rows, maps = [], []
    grid = (np.arange(PATCH) + 0.5) / PATCH
    for image in images:
        large = Image.fromarray(image).resize((PATCH, PATCH), Image.Resampling.BILINEAR)
        labels = segment(network, np.asarray(large))
        inside = labels == 1
        total = max(int(inside.sum()), 1)
        rows.append(
            [
                100 * inside.mean(),
                100 * (labels == 2).mean(),
                (inside * grid[None, :]).sum() / total,
                (inside * grid[:, None]).sum() / total,
                float(image.mean()),
            ]
        )
        maps.append(labels)
    return np.array(rows), np.stack(maps)


def discrepancy(kernel: Features, first: NDArray[np.bool_]) -> float:
    """The squared maximum mean discrepancy, unbiased (Gretton et al. 2012, lemma 6).

    Args:
        kernel: of every pair, [N, N].
        first: which are of the first set, [N].
    """
    a, b = np.ix_(first, first), np.ix_(~first, ~first)
    m, n = int(first.sum()), int((~first).sum())
    within = (kernel[a].sum() - np.trace(kernel[a])) / (m * (m - 1))
    other = (kernel[b].sum() - np.trace(kernel[b])) / (n * (n - 1))
    return float(within + other - 2 * kernel[np.ix_(first, ~first)].mean())


def two_sample(a: Features, b: Features, permutations: int = 2_000) -> tuple[float, float, float]:
    """MMD², its permutation p-value, and the nearest neighbour's share of right answers.

    Features are scaled by their spread over both sets; the kernel is Gaussian, as wide as the
    median distance.
    """
    both = np.concatenate([a, b])
    both = (both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-12)
    squared = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[squared > 0]))
    first = np.arange(len(both)) < len(a)
    found = discrepancy(kernel, first)
    rng = np.random.default_rng(0)
    drawn = [discrepancy(kernel, rng.permutation(first)) for _ in range(permutations)]
    p = (1 + sum(value >= found for value in drawn)) / (1 + permutations)
    np.fill_diagonal(squared, np.inf)
    right = float((first[squared.argmin(axis=1)] == first).mean())
    return found, p, right


def report(path: Path, count: int, steps: int, seed: int, sheet: Path | None) -> str:
    """A table and the tests, as text."""
    made = samples(path, count, steps, seed)
    held_out = phantoms(HELD_OUT, 2 * count)
    ours, labels = describe(made)
    theirs, _ = describe(held_out)
    lines = [f"{count} samples of {steps} steps, {len(held_out)} held-out phantoms", ""]
    lines.append(f"{'':<14}{'samples':>18}{'phantoms':>18}")
    for name, mine, true in zip(NAMES, ours.T, theirs.T, strict=True):
        a, b = (f"{one.mean():9.2f} ± {one.std():5.2f}" for one in (mine, true))
        lines.append(f"{name:<14}{a:>18}{b:>18}")
    low, high = np.percentile(theirs[:, 0], [1, 99])
    usual = float(((ours[:, 0] >= low) & (ours[:, 0] <= high)).mean())
    lines += ["", f"ventricle as large as 98 % of phantoms' are: {100 * usual:.0f} % of samples"]
    for title, other in (("samples", ours), ("phantoms, other half", theirs[count:])):
        value, p, right = two_sample(other, theirs[:count])
        lines.append(
            f"{title} beside phantoms: MMD² {value:.4f}, p {p:.4f}, "
            f"nearest neighbour right {100 * right:.0f} %"
        )
    if sheet:
        write_sheet(sheet, made[:8], labels[:8], held_out[:8])
    return "\n".join(lines)


def write_sheet(
    path: Path,
    made: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
) -> None:
    """Samples, what the segmentation network sees in them, and phantoms below: one row each."""
    from recipes.camus_segmentation.pictures import overlay

    def large(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        whole = Image.fromarray(image).resize((PATCH, PATCH), Image.Resampling.BILINEAR)
        return np.asarray(whole)

    rows = [
        [overlay(large(one), np.zeros((PATCH, PATCH), np.uint8)) for one in made],
        [overlay(large(one), seen) for one, seen in zip(made, labels, strict=True)],
        [overlay(large(one), np.zeros((PATCH, PATCH), np.uint8)) for one in held_out],
    ]
    page = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=48, help="samples (48)")
    parser.add_argument("--steps", type=int, default=25, help="of DDIM (25)")
    parser.add_argument("--seed", type=int, default=2_000, help="of the noise (2000)")
    parser.add_argument("--sheet", type=Path, help="a picture of samples above phantoms")
    arguments = parser.parse_args()
    print(report(arguments.file, arguments.count, arguments.steps, arguments.seed, arguments.sheet))


if __name__ == "__main__":
    main()
