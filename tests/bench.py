"""`make bench`: runtimes against PyTorch eager on the full-size CAMUS network, as ratios.

Every runtime runs in turn in one process, round after round, so that a machine that slows down
slows all of them; the median of the rounds' ratios is printed, never a time to be believed alone.

Usage: python -m tests.bench [--rounds 9]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from lading import mil, pipeline
from lading.interface import Options, wrap
from lading.runtime import runtimes
from lading.runtimes.torch import Eager
from lading.target import Settings
from tests import bench_diffusion
from tests.conftest import CAMUS, genuine_unet, nnunet_file


def main(rounds: int) -> None:
    """Converts in both precisions, then times each runtime in turn."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint_best.pth"
        torch.save(nnunet_file(genuine_unet(CAMUS), CAMUS, 256), checkpoint)
        runs = {}
        for precision, to in (("fp32", ("coreml", "onnx")), ("fp16", ("coreml",))):
            out = Path(folder) / precision
            settings = Settings(precision=precision)  # type: ignore[arg-type]
            began = time.monotonic()
            bill = pipeline.convert(pipeline.Request(checkpoint, out, to, "m", settings=settings))
            took = time.monotonic() - began
            print(
                f"convert and verify, {' and '.join(to)} {precision}: {took:.1f} s, {bill.verdict}"
            )
            runs[f"mil {precision}"] = mil.load(out / "m.mlpackage").predict
            if "onnx" in to:
                runs["onnxruntime fp32"] = runtimes()["onnxruntime"].load(out / "m.onnx").run
        loaded = pipeline.load(checkpoint)
        eager = Eager(wrap(loaded.network, loaded.task, Options()))
        x = {"image": np.random.default_rng(0).standard_normal((1, 1, 256, 256), np.float32)}
        ratios: dict[str, list[float]] = {name: [] for name in runs}
        base = []
        for number in range(rounds + 1):
            first = _time(eager.run, x)
            seconds = {name: _time(run, x) for name, run in runs.items()}
            if number:  # the first round warms up
                base.append(first)
                for name, value in seconds.items():
                    ratios[name].append(value / first)
    print(
        f"PyTorch eager, {torch.get_num_threads()} threads: median {statistics.median(base):.3f} s"
    )
    for name, many in ratios.items():
        middle, low, high = statistics.median(many), min(many), max(many)
        print(f"{name:<18} {middle:5.2f} × eager   ({low:.2f} to {high:.2f} in {rounds} rounds)")


def _time(run, x) -> float:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    run(x)
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
    bench_diffusion.main(rounds=3)
    sys.exit(0)
