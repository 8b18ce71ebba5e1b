"""``python -m tests.conformance``: coremltools' operation suite, run against `lading.coreml.mil`.

The exit code is 0 when every case that reaches the runtime was compared and passed, but for the
cases that `known.py` explains. Nothing reached is a failure.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.conformance import report

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

#: What coremltools' own runs on a Mac set; float32 is not even collected without the second.
ENVIRONMENT = {
    "PYMIL_TEST_TARGETS": "mlprogram",
    "INCLUDE_MIL_FP32_UNIT_TESTS": "1",
    "COMPUTE_UNITS": "CPU_ONLY",
    "TORCH_FRONTENDS": "TORCHSCRIPT,TORCHEXPORT",
    "OMP_NUM_THREADS": "1",  # one core a process
    "TQDM_DISABLE": "1",
}


def suite() -> Path:
    """The folder of coremltools' operation suite, found without importing coremltools."""
    spec = importlib.util.find_spec("coremltools")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "converters/mil/mil/ops/tests"


def run(
    arguments: list[str],
    *,
    cases: Path,
    folder: Path | None = None,
    workers: int = 2,
    backward: bool = False,
    quiet: bool = False,
) -> tuple[int, list[dict[str, Any]], str]:
    """Run the suite, or the tests of another `folder`, in a process of its own.

    Returns:
        pytest's exit code, what each case did (see `plugin`), and what pytest printed if `quiet`.
    """
    folder = folder or suite()
    # this tree's lading before one that is installed: it is the one that the page speaks of
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    environment.pop("RUN_BACKWARD_COMPATIBILITY", None)
    if backward:
        environment["RUN_BACKWARD_COMPATIBILITY"] = "1"
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini")]
    command += ["--rootdir", str(folder), "-p", "tests.conformance.plugin"]
    command += ["--cases", str(cases), "-n", str(workers) if workers > 1 else "0", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=quiet, check=False
    )
    printed = done.stdout + done.stderr if quiet else ""
    return done.returncode, _read(cases) if cases.exists() else [], printed


def _read(cases: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cases.read_text().splitlines()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("tests", nargs="*", help="files or node ids of the suite; all by default")
    parser.add_argument("--sample", type=int, default=0, help="only so many cases, stratified")
    parser.add_argument("--backward", action="store_true", help="every opset from the minimum on")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--resume", type=Path, help="keep what did not fail in this --cases file")
    parser.add_argument("--cases", type=Path, help="keep what each case did, a JSON a line")
    parser.add_argument("--document", type=Path, help="write the summary to this Markdown file")
    options = parser.parse_args(arguments)

    kept = []
    if options.resume:
        kept = [one for one in _read(options.resume) if one["outcome"] != "failed"]
    with tempfile.TemporaryDirectory() as scratch:
        cases = (options.cases or Path(scratch) / "cases.jsonl").resolve()
        done = Path(scratch) / "done"
        done.write_text(json.dumps([one["id"] for one in kept]))
        extra = ["--sample", str(options.sample)] if options.sample else []
        began = time.monotonic()
        code, found, _ = run(
            [*options.tests, *extra, "--done", str(done)],
            cases=cases,
            workers=options.workers,
            backward=options.backward,
        )
    found = list({one["id"]: one for one in [*kept, *found]}.values())
    if options.cases:
        options.cases.write_text("".join(json.dumps(one) + "\n" for one in found))
    summary = report.summarise(found)
    print(report.headline(summary))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes, {options.workers} processes")
    if options.document:
        before = options.document.read_text() if options.document.exists() else ""
        options.document.write_text(report.page(before, summary, backward=options.backward))
    return code or int(not summary.total.reached)


if __name__ == "__main__":
    raise SystemExit(main())
