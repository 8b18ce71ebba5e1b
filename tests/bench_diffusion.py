"""The diffusion part of `make bench`: ms per call of the network and per picture, as ratios.

The repository's network is converted once; then every runtime makes one picture with every
sampler, in turn, round after round, in one process. What the loop around the network costs is in
the time of a picture.

Usage: python -m tests.bench_diffusion [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from lading.cli.demos import checkpoint
from lading.job import sampling
from lading.job.convert import convert
from lading.job.request import Convert, Sample
from lading.task.diffusion.denoiser import Denoiser
from lading.task.diffusion.samplers import DDIM, DDPM, RePaint, Sampler, walk

CHECKPOINT = checkpoint("camus_diffusion")
CONFIG = CHECKPOINT.with_suffix(".json")
#: Fewer steps than one would sample with: the ratios are the same, the wait is not.
STEPS = 10
SHAPE = (1, 1, 64, 64)
SAMPLERS: dict[str, Sampler] = {
    "ddim": DDIM(),
    "ddpm": DDPM(),
    "repaint": RePaint(np.zeros(SHAPE), np.ones(SHAPE), jump=5, repeats=2),
}
ORIGINAL = "PyTorch eager"


def main(rounds: int) -> None:
    """Converts in both precisions, then times each runtime and sampler in turn."""
    times: dict[tuple[str, str], list[float]] = {}
    calls: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        networks = opened(Path(folder))
        for number in range(rounds + 1):
            for name, sampler in SAMPLERS.items():
                for title, network in networks.items():
                    seconds, made = one(network, sampler)
                    calls[name] = made
                    if number:  # the first round warms up
                        times.setdefault((title, name), []).append(seconds)
    print(
        f"diffusion UNet of 0.9 million parameters at 64 x 64, {STEPS} steps; medians of {rounds}"
    )
    for name in SAMPLERS:
        base = times[ORIGINAL, name]
        print(f"{name}: {calls[name]} calls a picture; eager {_ms(base):.0f} ms a picture, "
              f"{_ms(base) / calls[name]:.1f} ms a call")  # fmt: skip
        for title in networks:
            if title != ORIGINAL:
                ratios = [a / b for a, b in zip(times[title, name], base, strict=True)]
                middle = statistics.median(ratios)
                spent = _ms(times[title, name])
                print(f"  {title:<18} {middle:5.2f} × eager   {spent:7.0f} ms a picture, "
                      f"{spent / calls[name]:6.1f} ms a call")  # fmt: skip


def opened(folder: Path) -> dict[str, Denoiser]:
    """The original and its artifacts, by name."""
    networks = {ORIGINAL: sampling.open_network(Sample(CHECKPOINT, config=CONFIG))}
    for precision, to in (("fp32", ("coreml", "onnx")), ("fp16", ("coreml",))):
        out = folder / precision
        convert(
            Convert(
                CHECKPOINT, out, to=to, name="m", precision=precision, config=CONFIG, trajectory=0
            )
        )
        if "onnx" in to:
            networks["onnxruntime fp32"] = sampling.open_network(Sample(out / "m.onnx"))
        package = sampling.open_network(Sample(out / "m.mlpackage"))
        networks[f"mil {precision}"] = package
    return networks


def one(network: Denoiser, sampler: Sampler) -> tuple[float, int]:
    """Seconds that one picture takes, and the calls of the network that it takes."""
    asked = Sample(CHECKPOINT, steps=STEPS)
    process, _ = sampling.plan(asked, network)
    before, began = network.calls, time.perf_counter()
    for _ in walk(network, process, sampler, network.shape, 0):
        pass
    return time.perf_counter() - began, network.calls - before


def _ms(seconds: list[float]) -> float:
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args().rounds)
