"""``python -m tests.conformance``: coremltools' own suites, answered by `lading.coreml`.

They run through the pytest plugin that any project may use, `lading.coreml.plugin`. The exit
code is 0 when every case that reaches the runtime was compared and passed, but for the cases that
`known.py` explains. Nothing reached is a failure.
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

from tests.conformance import beside, report

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


#: Where in coremltools each suite lies.
SUITES = {
    "operations": "converters/mil/mil/ops/tests",
    "torch": "converters/mil/frontend/torch/test",
}

#: Files of the torch suite that cannot be imported: two want torchvision, one a name that torch
#: has taken away.
LEFT_OUT = (
    "test_torch_conversion_api.py",
    "test_torch_export_quantization.py",
    "test_torch_quantization_ops.py",
)


def suite(name: str = "operations") -> Path:
    """The folder of one of coremltools' suites, found without importing coremltools."""
    spec = importlib.util.find_spec("coremltools")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / SUITES[name]


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
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment.pop("RUN_BACKWARD_COMPATIBILITY", None)
    if backward:
        environment["RUN_BACKWARD_COMPATIBILITY"] = "1"
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini")]
    for plugin in ("xdist", "lading.coreml.plugin", "tests.conformance.plugin"):
        command += ["-p", plugin]
    command += ["--rootdir", str(folder), "--coreml-stand-in"]
    command += [f"--ignore={folder / name}" for name in LEFT_OUT]
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
    parser.add_argument("--suite", choices=SUITES, default="operations", help="(operations)")
    parser.add_argument("--sample", type=int, default=0, help="only so many cases, stratified")
    parser.add_argument("--stack", action="store_true", help="carried as lading does, beside plain")
    parser.add_argument("--backward", action="store_true", help="every opset from the minimum on")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--resume", type=Path, help="keep what did not fail in this --cases file")
    parser.add_argument("--cases", type=Path, help="keep what each case did, a JSON a line")
    parser.add_argument("--document", type=Path, help="write the summary to this Markdown file")
    options = parser.parse_args(arguments)
    if options.stack:
        return _beside(options)

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
            folder=suite(options.suite),
            workers=options.workers,
            backward=options.backward,
        )
    found = list({one["id"]: one for one in [*kept, *found]}.values())
    if options.cases:
        options.cases.write_text("".join(json.dumps(one) + "\n" for one in found))
    summary = report.summarise(found)
    print(report.headline(summary))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes, {options.workers} processes")
    if options.document and summary.total.reached:
        part = "torch" if options.suite == "torch" else "backward" if options.backward else ""
        write(options.document, report.part(summary) if part else report.markdown(summary), part)
    return code or int(not summary.total.reached)


def _beside(options: argparse.Namespace) -> int:
    """The torch suite by plain conversion and over the stack; 1 where nothing was compared."""
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, more in (("plain", []), ("stack", ["--stack"])):
            cases = (options.cases or Path(scratch) / "cases.jsonl").with_suffix(f".{name}.jsonl")
            extra = ["--past-skips", "--sample", str(options.sample), *more]
            arguments = [*options.tests, *extra]
            folder = suite("torch")
            _, found, _ = run(
                arguments, cases=cases.resolve(), folder=folder, workers=options.workers
            )
            runs.append(found)
    found = beside.beside(*runs)
    print(beside.headline(found))
    if options.document:
        write(options.document, beside.markdown(found), "stack")
    return int(not found.total.cases)


def write(document: Path, text: str, part: str = "") -> None:
    """Writes one part of the page anew."""
    before = document.read_text() if document.exists() else ""
    document.write_text(report.page(before, text, part))


if __name__ == "__main__":
    raise SystemExit(main())
