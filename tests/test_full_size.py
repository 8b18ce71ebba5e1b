"""The CAMUS architecture at full size, random weights: counts, equality, both formats, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lading.network.source import Source, load
from tests.conftest import CAMUS, genuine_unet

pytestmark = pytest.mark.full

CODE = """
import resource, sys
from pathlib import Path
from lading import cli
status = cli.main(["convert", sys.argv[1], "-o", sys.argv[2], "--quiet", *sys.argv[3:]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


def carried(checkpoint: Path, out: Path, *options: str) -> tuple[dict[str, Any], int]:
    """The bill of a whole conversion in its own process, and that process's peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(checkpoint), str(out), *options],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    unit = 1 if sys.platform == "darwin" else 1024
    bill: dict[str, Any] = json.loads((out / "lading.json").read_text())
    return bill, int(done.stdout.split()[-1]) * unit


def worst(bill: dict[str, Any], runtime: str) -> float:
    (one,) = [c for c in bill["comparisons"] if c["runtime"] == runtime]
    (psnr,) = [m for m in one["measurements"] if m["kind"] == "psnr" and m["reading"] == "declared"
               and m["steady"]]  # fmt: skip
    return float(psnr["value"])


def test_both_formats_in_half_precision(full_checkpoint: Path, tmp_path: Path) -> None:
    bill, memory = carried(full_checkpoint, tmp_path / "out")
    assert bill["verdict"] == "pass"
    summary = bill["ledger_summary"]
    assert (summary["names"], summary["tensors"]) == (344, 128)
    assert summary["parameters"] == 33_473_330
    assert summary["unexplained"] == 0
    assert worst(bill, "mil") >= 50.0
    assert worst(bill, "onnxruntime") >= 60.0
    assert memory < 3e9
    golden = tmp_path / "out" / "golden"
    assert (tmp_path / "out" / "report.html").stat().st_size <= 1_500_000
    assert sum(path.stat().st_size for path in golden.iterdir()) <= 5_000_000
    assert len(json.loads((golden / "index.json").read_text(encoding="utf-8"))["vectors"]) >= 2


def test_core_ml_in_full_precision(full_checkpoint: Path, tmp_path: Path) -> None:
    bill, memory = carried(
        full_checkpoint, tmp_path / "out", "--to", "coreml", "--precision", "fp32"
    )
    assert bill["verdict"] == "pass"
    assert worst(bill, "mil") >= 100.0
    assert memory < 3e9


def test_the_rebuild_is_bit_equal_to_the_genuine_class(full_checkpoint: Path) -> None:
    ours = load(Source(full_checkpoint)).network
    genuine = genuine_unet(CAMUS)
    genuine.decoder.deep_supervision = False
    x = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(x), genuine(x))
