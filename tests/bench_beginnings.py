"""The beginnings part of `make bench`: processes from start to end, with their peak memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

#: Prints kB; what `getrusage` says begins with the parent's.
PEAK = "print([one.split()[1] for one in open('/proc/self/status') if 'VmHWM' in one][0])"
BEGINNINGS = {
    "`import lading`": ["-c", f"import lading; {PEAK}"],
    "`lading --help`": ["-m", "lading", "--help"],
    "torch.load of 500 MB": [
        "-c", f"import torch; torch.load('c.pth', weights_only=True); {PEAK}",
    ],
    "`lading inspect` of the same": [
        "-c", f"from lading.cli import main; main(['inspect', 'c.pth', '--quiet']); {PEAK}",
    ],
}  # fmt: skip


def section(rounds: int) -> list[str]:
    """Processes from start to end, in turn; the first round warms up."""
    wall: dict[str, list[float]] = {title: [] for title in BEGINNINGS}
    most: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        big = {f"layer{n}.weight": torch.randn(2500, 5000) for n in range(10)}
        torch.save(big, Path(folder) / "c.pth")
        for turn in range(rounds + 1):
            for title, words in BEGINNINGS.items():
                began = time.perf_counter()
                run = subprocess.run([sys.executable, "-W", "ignore", *words], cwd=folder,
                                     check=True, capture_output=True, text=True)  # fmt: skip
                if turn:
                    wall[title].append(time.perf_counter() - began)
                last = run.stdout.split()[-1] if run.stdout else ""
                most[title] = int(last) / 1000 if last.isdigit() else 0.0
    lines = ["| process | seconds | peak memory |", "|---|---:|---:|"]
    for title, seconds in wall.items():
        memory = f"{most[title]:,.0f} MB" if most[title] else ""
        lines.append(f"| {title} | {statistics.median(seconds):.2f} | {memory} |")
    return lines
