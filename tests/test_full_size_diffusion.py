"""The diffusion UNet of 41 million parameters at 256×256: counts, equality, size, time, memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lading.coreml import mil
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.proof import metrics

pytestmark = pytest.mark.large

#: What coremltools 9.0 makes of the same network by itself, constants included.
STOCK_OPERATIONS = 4_054
CODE = """
import resource, sys
from lading import cli
status = cli.main(["convert", *sys.argv[1:], "--quiet"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


def full_network() -> UNet:
    """The full-size configuration with random weights; none of them zero, as after training.

    The project that made it starts the last convolution of every block at zero, which would leave
    nothing to compare; here every layer is drawn, and the norms' weights moved off one and zero.
    """
    torch.manual_seed(0)
    network = UNet(Config())
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare state dict, as guided-diffusion saves it."""
    path = tmp_path_factory.mktemp("full") / "diffusion.pt"
    torch.save(full_network().state_dict(), path)
    return path


def carried(checkpoint: Path, out: Path, *options: str) -> tuple[dict[str, Any], int, float]:
    """The bill of a whole conversion in a process of its own, its peak memory, its seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(checkpoint), "-o", str(out), *options,
         "--set", "image_size=256x256", "--set", "num_heads=4"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    unit = 1 if sys.platform == "darwin" else 1024
    bill: dict[str, Any] = json.loads((out / "lading.json").read_text())
    return bill, int(done.stdout.split()[-1]) * unit, time.monotonic() - start


def worst(bill: dict[str, Any], runtime: str) -> float:
    (one,) = [c for c in bill["comparisons"] if c["runtime"] == runtime]
    (psnr,) = [m for m in one["measurements"] if m["kind"] == "psnr" and m["reading"] == "declared"
               and m["steady"]]  # fmt: skip
    return float(psnr["value"])


def walked(bill: dict[str, Any]) -> dict[str, float]:
    """dB at the end of 25 moves, by runtime; the bill's verdict holds them to their gates."""
    found = {
        one["runtime"]: float(one["psnr"][-1])
        for one in bill["trajectories"]
        if one["verdict"] != "not run"
    }
    assert all(len(one["psnr"]) in (0, 25) for one in bill["trajectories"])
    return found


def operations(package: Path) -> Counter[str]:
    blocks = [function.block for function in mil.load(package).program.functions.values()]
    return Counter(op.type for block in blocks for op in block.walk())


@pytest.fixture(scope="module")
def half(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], int, Path]:
    """Both formats, Core ML in half precision."""
    out = tmp_path_factory.mktemp("half") / "out"
    bill, memory, seconds = carried(checkpoint, out)
    print(f"\nfp16 and ONNX: {seconds:.0f} s, {memory / 1e9:.2f} GB", end="")
    return bill, memory, out


def test_both_formats_in_half_precision(half: tuple[dict[str, Any], int, Path]) -> None:
    bill, memory, _ = half
    assert bill["verdict"] == "pass"
    summary = bill["ledger_summary"]
    assert (summary["tensors"], summary["parameters"]) == (612, 41_125_062)
    assert [probe["name"].split(" at ")[1] for probe in bill["probes"]] == [
        "0", "1", "499", "999", "0",
    ]  # fmt: skip
    print(f"; {worst(bill, 'mil'):.1f} dB in mil, {worst(bill, 'onnxruntime'):.1f} dB in ONNX")
    assert worst(bill, "mil") >= 45.0
    assert worst(bill, "onnxruntime") >= 90.0
    ends = walked(bill)
    print(f"after 25 moves: {ends['mil']:.1f} dB in mil, {ends['onnxruntime']:.1f} dB in ONNX")
    assert ends["mil"] >= 35.0
    assert ends["onnxruntime"] >= 60.0
    assert memory < 4e9


def test_half_the_operations_and_no_square(half: tuple[dict[str, Any], int, Path]) -> None:
    (package,) = half[2].glob("*.mlpackage")
    counts = operations(package)
    print(f"\n{counts.total()} operations, {counts.total() - counts['const']} without constants")
    assert counts.total() <= STOCK_OPERATIONS // 2
    assert counts["square"] == counts["reduce_mean"] == 0
    assert counts["instance_norm"] == 104
    assert counts["softmax"] == 15


def test_no_further_from_the_original_than_coremltools_own(
    half: tuple[dict[str, Any], int, Path], tmp_path: Path
) -> None:
    import coremltools as ct

    network = full_network()
    x, t = torch.randn(1, 3, 256, 256), torch.tensor([500], dtype=torch.int32)
    with torch.no_grad():
        traced = torch.jit.trace(network, (x, t), check_trace=False)
    stock = ct.convert(
        traced, convert_to="mlprogram", skip_model_load=True,
        inputs=[ct.TensorType("x", shape=x.shape),
                ct.TensorType("timesteps", shape=t.shape, dtype=np.int32)],
        outputs=[ct.TensorType("prediction", dtype=np.float32)],
        minimum_deployment_target=ct.target.iOS16, compute_precision=ct.precision.FLOAT16,
    )  # fmt: skip
    stock.save(str(tmp_path / "stock.mlpackage"))
    (package,) = half[2].glob("*.mlpackage")
    ours, theirs = mil.load(package), mil.load(tmp_path / "stock.mlpackage")
    for step in (0, 1, 499, 999):
        x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(step))
        fed = {"x": x.numpy(), "timesteps": np.array([step], np.int32)}
        with torch.inference_mode():
            want = network(x, torch.tensor([step], dtype=torch.int32)).numpy()
        near, far = (
            metrics.psnr(want, model.predict(fed)["prediction"]) for model in (ours, theirs)
        )
        print(f"\nt = {step}: {near:.1f} dB, coremltools' own {far:.1f} dB", end="")
        assert near >= far


def test_core_ml_in_full_precision(checkpoint: Path, tmp_path: Path) -> None:
    bill, memory, seconds = carried(
        checkpoint, tmp_path / "out", "--to", "coreml", "--precision", "fp32"
    )
    print(f"\nfp32: {seconds:.0f} s, {memory / 1e9:.2f} GB, {worst(bill, 'mil'):.1f} dB")
    assert bill["verdict"] == "pass"
    assert worst(bill, "mil") >= 90.0
    assert memory < 4e9
