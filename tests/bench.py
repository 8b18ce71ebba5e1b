"""`make bench`: runtimes against PyTorch eager, as ratios, and the memory that a run takes.

Two networks: the full-size CAMUS segmentation, and the keyboard-layout ensemble of 3.5 million
parameters (convolutions and a transformer over 20 characters), one line and 32 lines at once.

Every runtime runs in turn in one process, round after round, so that a machine that slows down
slows all of them; the ratio of the medians is printed, never a time to be believed alone. Time is
that of the processor where one thread does the work, so that waiting for a busy machine does not
count; else that of the clock.

Usage: python -m tests.bench [--rounds 9] [--threads N] [--only camus|layout|diffusion|proof]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from lading.cli.demos import checkpoint
from lading.coreml import mil
from lading.formats import open_artifact
from lading.interface import Options, wrap
from lading.interface.original import TorchSide
from lading.job.convert import convert
from lading.job.request import Convert
from lading.job.timing import memory
from lading.network.source import Source, load
from tests import bench_diffusion, bench_proof
from tests.conftest import CAMUS, genuine_unet, nnunet_file

Run: TypeAlias = Callable[[Any], Any]

LAYOUT = checkpoint("keyboard_layout")


def camus(rounds: int) -> None:
    """Converts in both precisions, then times each runtime in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint_best.pth"
        torch.save(nnunet_file(genuine_unet(CAMUS), CAMUS, 256), path)
        runs: dict[str, Run] = {}
        models = {}
        for precision, to in (("fp32", ("coreml", "onnx")), ("fp16", ("coreml",))):
            out = Path(folder) / precision
            began = time.monotonic()
            bill = convert(Convert(path, out, to=to, name="m", precision=precision))
            took = time.monotonic() - began
            print(
                f"convert and verify, {' and '.join(to)} {precision}: {took:.1f} s, {bill.verdict}"
            )
            models[precision] = mil.load(out / "m.mlpackage")
            runs[f"mil {precision}"] = models[precision].predict
            if "onnx" in to:
                runs["onnxruntime fp32"] = open_artifact(out / "m.onnx").side().run
        loaded = load(Source(path))
        eager = TorchSide(wrap(loaded.network, loaded.task, Options()))
        x = {"image": np.random.default_rng(0).standard_normal((1, 1, 256, 256), np.float32)}
        compare("CAMUS segmentation, 256 x 256", {"PyTorch eager": eager.run, **runs}, x, rounds)
        for precision, model in models.items():
            weigh(f"mil {precision}", model, x)


def layout(rounds: int) -> None:
    """The shipped checkpoint, traced and converted by plain coremltools."""
    import coremltools as ct

    network = load(Source(LAYOUT)).network.eval()
    count = sum(one.numel() for one in network.parameters())
    for batch, times in ((1, 20 * rounds), (32, rounds)):
        ids = torch.randint(1, 189, (batch, 20), dtype=torch.int32)

        def eager(data: dict[str, Any], ids: torch.Tensor = ids) -> Any:
            with torch.no_grad():
                return network(ids)

        runs: dict[str, Run] = {"PyTorch eager": eager}
        torch.backends.mha.set_fastpath_enabled(False)  # a fused layer is no graph to convert
        traced = torch.jit.trace(network, (ids,), check_trace=False)  # type: ignore[no-untyped-call]
        torch.backends.mha.set_fastpath_enabled(True)
        models = {}
        for precision, kind in (("fp32", "FLOAT32"), ("fp16", "FLOAT16")):
            with tempfile.TemporaryDirectory() as folder:
                ct.convert(
                    traced,
                    inputs=[ct.TensorType("text", ids.shape, dtype=np.int32)],
                    compute_precision=getattr(ct.precision, kind),
                    minimum_deployment_target=ct.target.iOS16,
                    skip_model_load=True,
                ).save(f"{folder}/m.mlpackage")
                models[precision] = mil.load(f"{folder}/m.mlpackage")
                models[precision].predict({"text": ids.numpy()})  # what is mapped is read
            runs[f"mil {precision}"] = models[precision].predict
        name = f"keyboard layout, {count:,} parameters, batch {batch}"
        compare(name, runs, {"text": ids.numpy()}, times)
        for precision, model in models.items():
            weigh(f"mil {precision}", model, {"text": ids.numpy()})


def compare(title: str, runs: dict[str, Run], x: Any, rounds: int) -> None:
    """Time `runs` in turn, and print each against the first."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            took = _time(run, x)
            if number:  # the first round warms up
                seconds[name].append(took)
    (first, base), *others = seconds.items()
    middle = statistics.median(base)
    print(f"\n{title}: {first}, {torch.get_num_threads()} threads, median {1e3 * middle:.2f} ms")
    for name, many in others:
        each = [one / other for one, other in zip(many, base, strict=True)]
        print(
            f"{name:<18} {statistics.median(many) / middle:5.2f} x eager   "
            f"({min(each):.2f} to {max(each):.2f} in {rounds} rounds)"
        )


def weigh(name: str, model: mil.Model, x: Any) -> None:
    """Print the most that is alive at once, and by how much the process grew at its peak."""
    taps = mil.Taps(memory=True)
    model.predict(x, taps=taps)
    live = max(memory.live for memory in taps.memory_of.values())
    pair = max(memory.pair for memory in taps.memory_of.values())
    model.predict(x)
    grew = _growth(lambda: model.predict(x))
    peak = "unknown" if grew is None else f"{grew / 2**20:.2f} MiB = {grew / pair:.2f} x"
    print(
        f"{name:<18} largest pair of values {pair / 2**20:.2f} MiB; alive at once "
        f"{live / 2**20:.2f} MiB = {live / pair:.2f} x; the process grew by {peak}"
    )


def _growth(run: Callable[[], Any]) -> int | None:
    """Bytes by which the resident size of this process grew during `run`, where that is known."""
    memory.begin()
    before = memory.now()
    run()
    peak = memory.peak()
    return None if before is None or peak is None else peak - before


def _time(run: Run, x: Any) -> float:
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    run(x)
    return clock() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=("camus", "layout", "diffusion", "proof"))
    parser.add_argument("--document", type=Path, help="the page that the part proof writes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for part in (camus, layout):
        if options.only in (None, part.__name__):
            part(options.rounds)
    if options.only in (None, "diffusion"):
        bench_diffusion.main(rounds=3)
    if options.only in (None, "proof"):
        bench_proof.main(5, options.document)
    sys.exit(0)
