"""``python -m tests.breadth``: every network of the table through `lading convert`.

Each is made and saved in a child process, as its user would, and converted in another, as its user
would: by one command line, or for a live module by one call. What is known of each lies in
``build/breadth`` (``--work``) and is not done again; a row is of the sources that it was made with.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading import cli
from tests.breadth import document, make
from tests.breadth.cases import Case, cases

LIMIT = 900.0


def command(case: Case, path: Path, out: Path) -> list[str]:
    """What its user types after ``lading``."""
    words = ["convert", str(path), "-o", str(out), "--force"]
    if case.form in ("torch.export", "TorchScript"):
        words += ["--trust"]
        for text in case.inputs:
            words += ["--input", text]
        return words
    words += ["--model", case.code]
    for text in case.arguments:
        words += ["--model-arg", text]
    for text in case.inputs:
        words += ["--input", text]
    return words + (["--which", "ema_model"] if case.form == "averaged" else [])


def _place(case: Case, work: Path) -> Path:
    return work / case.name.replace(" ", "-")


def run(case: Case, work: Path, again: bool = False) -> dict[str, Any]:
    """The row of one network, from an earlier run or anew."""
    folder = _place(case, work)
    done = folder / "row.json"
    if done.is_file() and not again:
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    folder.mkdir(parents=True, exist_ok=True)
    row: dict[str, Any] = {"name": case.name, "library": case.library, "form": case.form}
    made = _child(make.saved, case, folder)
    if made.returncode:
        row |= {"made": False, "said": _last(made.stdout)}
    else:
        row |= _converted(case, Path(_last(made.stdout)), folder)
    done.write_text(json.dumps(row, indent=1))
    return row


def _converted(case: Case, path: Path, folder: Path) -> dict[str, Any]:
    out = folder / "out"
    words = command(case, path, out)
    start = time.monotonic()
    live = case.form == "live module"
    ended = _child(make.live, case, out) if live else _child(cli.main, words)
    row: dict[str, Any] = {"made": True, "status": ended.returncode, "said": ended.stdout[-3000:],
           "seconds": round(time.monotonic() - start, 1), "words": len(words) - 3,
           "command": words}  # fmt: skip
    row["traceback"] = "Traceback (most recent call last)" in ended.stdout
    bill = out / "lading.json"
    if ended.returncode in (0, 1) and bill.is_file():
        row |= _of_bill(json.loads(bill.read_text()))
    return row


def _of_bill(bill: dict[str, Any]) -> dict[str, Any]:
    formats = {}
    for artifact in bill["artifacts"]:
        path = artifact["path"]
        judged = [one for one in bill["comparisons"] if one["artifact"] == path]
        traced = [one for one in bill["provenance"] if one["artifact"] == path]
        formats[artifact["format"]] = {
            "route": artifact["route"],
            "signed": not path.startswith("rejected/"),
            "why": "; ".join(
                [one["reason"] for one in judged if one["verdict"] == "fail"]
                + [f"{one['finding']}: {one['evidence']}" for one in traced]
            ),
        }
    capture = bill["capture"] or {}
    return {"verdict": bill["verdict"], "formats": formats, "attempts": capture.get("attempts"),
            "refused": bill["refused"]}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """What a child came to: its exit status, and all that it said."""

    returncode: int
    stdout: str


def _child(what: Callable[..., Any], *given: Any) -> Ended:
    """A function in a process of its own, which is stopped at the limit. It is forked, so that
    torch and the converters are imported once and not for every network."""
    with tempfile.TemporaryFile("w+b") as said:
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_alone, args=(said.fileno(), what, given))
        child.start()
        child.join(LIMIT)
        if child.is_alive():
            child.kill()
            child.join()
            return Ended(124, f"stopped after {LIMIT:g} seconds")
        said.seek(0)
        return Ended(child.exitcode or 0, said.read().decode(errors="replace"))


def _alone(said: int, what: Callable[..., Any], given: tuple[Any, ...]) -> None:
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout, sys.stderr = (os.fdopen(one, "w", buffering=1) for one in (1, 2))
    warnings.filterwarnings("ignore")
    status = what(*given)
    sys.stdout.flush()
    sys.exit(status)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def kind(row: dict[str, Any]) -> str:
    """What became of a network, in a few words."""
    if not row["made"]:
        return "not made"
    if row["traceback"]:
        return "traceback"
    if "formats" not in row:
        return f"refused ({row['status']})"
    signed = [name for name, one in row["formats"].items() if one["signed"]]
    return "+".join(sorted(signed)) or "none signed"


def main() -> int:
    """Runs, prints, and writes the document."""
    for module in ("coremltools", "onnx", "onnxruntime", "onnxscript", "torch.onnx"):
        importlib.import_module(module)
    os.environ.update(OMP_NUM_THREADS="1", COLUMNS="200")
    parser = argparse.ArgumentParser(prog="python -m tests.breadth", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names; all without them")
    parser.add_argument("--work", type=Path, default=Path("build/breadth"), help="what is known")
    parser.add_argument("--again", action="store_true", help="do again what is done")
    parser.add_argument(
        "--missed", action="store_true", help="do again what is not in both formats"
    )
    parser.add_argument("--known", action="store_true", help="run nothing: what is known already")
    parser.add_argument("--document", type=Path, help="write the table there")
    asked = parser.parse_args()
    rows = []
    known = cases()
    for case in known:
        if asked.only and not any(part in case.name for part in asked.only):
            continue
        if asked.known and not (_place(case, asked.work) / "row.json").is_file():
            continue
        row = run(case, asked.work, asked.again)
        if asked.missed and kind(row) != "coreml+onnx" and not asked.again:
            row = run(case, asked.work, again=True)
        rows.append(row)
        print(
            f"{kind(row):<14} {case.name:<34} {case.form:<20} {row.get('seconds', 0):>6}",
            flush=True,
        )
    print(Counter(map(kind, rows)).most_common())
    if asked.document:
        asked.document.write_text(document.text(rows, len(known)))
    return 0
