"""A sample of coremltools' own tests of the layers, whose numbers numpy and torch made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SUITE = "coremltools.test.neural_network.test_numpy_nn_layers"
LAYERS = (
    *("batched_mat_mul_cpu", "broadcast", "concat_nd", "embedding_nd", "expand_dims"),
    *("flatten_to_2d", "gather", "layer_norm", "pixel_shuffle", "rank_preserving_reshape"),
    *("scatter_along_axis", "slice_static", "softmax_nd", "split_nd", "squeeze", "stack"),
    *("tile", "transpose", "upsample_pytorch", "where_broadcastable"),
)


def test_a_sample_of_the_suite() -> None:
    """Those that ask the CPU's precision; chance, loops and int8 arithmetic are not run here.

    `SimpleTest` has the layers as before iOS 13, with five axes.
    """
    chosen = f"({' or '.join(LAYERS)}) and not gpu and not slow and not dynamic_quantization"
    chosen = f"({chosen}) or (SimpleTest and not NewLayersSimpleTest)"
    command = [
        sys.executable, "-m", "pytest", "-p", "lading.coreml.plugin", "--coreml-stand-in",
        "-q", "--no-header",
        "-p", "no:cacheprovider", "-c", os.devnull, "--pyargs", SUITE, "-k", chosen, "-W", "ignore",
    ]  # fmt: skip
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1",
                   "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # fmt: skip
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    summary = ran.stdout.strip().splitlines()[-1]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", summary)}
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert counts["passed"] >= 50
    assert "failed" not in counts
    assert "errors" not in counts
