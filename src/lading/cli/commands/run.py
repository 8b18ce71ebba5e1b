"""``lading run``: run an artifact on pictures, arrays or numbers, anywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from lading.cli.commands import Command, console, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument(
        "--input", action="append", default=[], metavar="[NAME=]FILE",
        help="a picture or .npy, or NAME=1,2,3; one for each input",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE",
        help="a .png label map, a .npy, or a .npz of all outputs",
    )  # fmt: skip
    parser.add_argument("--runtime", metavar="NAME", help="onnxruntime, mil or coreml")


def run(arguments: argparse.Namespace) -> int:
    """0."""
    from lading.job import run as apply

    applied = apply.apply(arguments.artifact, arguments.input, arguments.runtime)
    if arguments.out:
        apply.save(applied, arguments.out)
    shares = apply.shares(applied)
    if arguments.json:
        return print_json(
            {
                "runtime": applied.runtime,
                "output": applied.port.name,
                "shape": list(applied.output.shape),
                "outputs": {name: list(one.shape) for name, one in applied.outputs.items()},
                "notes": list(applied.notes),
                "shares": shares,
                "written": str(arguments.out) if arguments.out else None,
            }
        )
    if not arguments.quiet:
        shown = console()
        shown.print(f"{applied.port.name} {list(applied.output.shape)} in {applied.runtime}")
        for name, value in applied.outputs.items():
            if name != applied.port.name:
                shown.print(f"{name} {list(value.shape)}", highlight=False)
        for note in applied.notes:
            shown.print(f"  input {note}", highlight=False)
        for name, share in shares.items():
            shown.print(f"  {100 * share:6.2f} %  {name}", highlight=False)
        if arguments.out:
            shown.print(f"  written: {arguments.out}", highlight=False)
    return 0


COMMAND = Command(
    "run an artifact on pictures, arrays or numbers, anywhere",
    (
        "lading run Model.mlpackage --input echo.png -o labels.png",
        "lading run Model.onnx --input image=x.npy -o y.npz",
    ),
    arguments,
    run,
    rank=40,
)
