"""The ONNX part of `make bench`: lading's file against the plain exporter's, in ONNX Runtime.

Networks along one axis and one with GELU, of sizes as they are met in sounds, heartbeats and text.
Both files are opened as ONNX Runtime opens any, and called in turn.

Usage: python -m tests.bench_onnx [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import onnxruntime
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.formats.onnx import FORMAT
from lading.interface import Interface, Options, wrap
from lading.interface.settings import Settings
from lading.record import Port, Task

#: Seconds of one measurement, about.
LONG = 0.3


def convolved(channels: int, width: int, *, groups: int = 1, apart: int = 1) -> list[nn.Module]:
    """Six convolutions that keep the length, each with its activation."""
    made: list[nn.Module] = []
    for _ in range(6):
        border = apart * (width - 1) // 2
        made += [
            nn.Conv1d(channels, channels, width, padding=border, dilation=apart, groups=groups),
            nn.ReLU(),
        ]
    return made


def feedforward() -> list[nn.Module]:
    """Six blocks of two linear layers with GELU between them."""
    return [
        layer for _ in range(6) for layer in (nn.Linear(128, 512), nn.GELU(), nn.Linear(512, 128))
    ]


#: Title, layers, shape of the input; the plain exporter's file is of the opset that it takes by
#: itself, which has an operation for GELU, as lading's of opset 18 has not.
NETWORKS = (
    ("small, 16 channels", lambda: convolved(16, 3), (1, 16, 100)),
    ("heartbeats, 32 channels", lambda: convolved(32, 7), (1, 32, 5000)),
    ("dilated, 64 channels", lambda: convolved(64, 3, apart=16), (1, 64, 16000)),
    ("by channel, 16, long", lambda: convolved(16, 9, groups=16), (1, 16, 100000)),
    ("by channel, 256", lambda: convolved(256, 31, groups=256), (1, 256, 400)),
    ("in groups, 256 channels", lambda: convolved(256, 9, groups=8), (1, 256, 400)),
    ("one by one, 256 channels", lambda: convolved(256, 1), (1, 256, 400)),
    ("many at once, 64 channels", lambda: convolved(64, 5), (256, 64, 24)),
    ("feed-forward with GELU", feedforward, (1, 256, 128)),
)  # fmt: skip


def interface(layers: list[nn.Module], shape: tuple[int, ...]) -> Interface:
    given = Port("x", "tensor", "float32", shape)
    gives = Port("y", "tensor", "float32", shape)
    return wrap(nn.Sequential(*layers).eval(), Task("module", (given,), (gives,)), Options())


def written(one: Interface, folder: Path) -> tuple[Path, Path]:
    """lading's file, and the plain exporter's."""
    ours, plain = folder / "ours.onnx", folder / "plain.onnx"
    FORMAT.convert(capture(one, "export", FORMAT.axes(one.options)), Settings(), ours)
    given = tuple(one.example().values())
    with torch.no_grad():
        program = torch.onnx.export(one.module, given, dynamo=True, verbose=False)
    assert program is not None
    program.save(str(plain))
    return ours, plain


def called(path: Path, one: Interface) -> float:
    """Seconds of a call, of as many as take a while."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    values = (value.numpy() for value in one.example().values())
    fed = dict(zip(names, values, strict=True))
    session.run(None, fed)
    began, calls = time.perf_counter(), 0
    while time.perf_counter() < began + LONG:
        session.run(None, fed)
        calls += 1
    return (time.perf_counter() - began) / calls


def section(rounds: int = 5) -> list[str]:
    """Measured, as lines of Markdown."""
    lines = [
        "A call in ONNX Runtime of the file that lading writes, against `torch.onnx.export`'s: "
        "what lies along one axis is written along two, and GELU as ONNX Runtime knows it "
        "([decision 017](decisions/017-onnx-as-its-runtime-is-fast.md)); the plain file is of "
        "opset 20, which has GELU, lading's of 18. Both as ONNX Runtime opens them by itself, on "
        f"{os.cpu_count()} cores; medians of {rounds} rounds in turn.",
        "",
        "| network | input | milliseconds | its milliseconds | ratio |",
        "|---|---|---:|---:|---:|",
    ]
    for title, layers, shape in NETWORKS:
        torch.manual_seed(0)
        one = interface(layers(), shape)
        with tempfile.TemporaryDirectory() as name:
            files = written(one, Path(name))
            taken = [tuple(called(file, one) for file in files) for _ in range(rounds)]
        own, its = (1000 * statistics.median(many) for many in zip(*taken, strict=True))
        sizes = " x ".join(map(str, shape))
        lines.append(f"| {title} | {sizes} | {own:.2f} | {its:.2f} | **{own / its:.2f}** |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    print("\n".join(section(parser.parse_args().rounds)))
