"""``lading run``: run an artifact on pictures, arrays or numbers, anywhere."""

from __future__ import annotations

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Run


def run(request: Run, display: Display) -> int:
    """0; 1 where what came out is no answer: NaN, or pixels of no class."""
    from lading.job import run as job

    applied = job.run(request)
    shares = job.shares(applied)
    status = 1 if applied.unanswered else 0
    if display.json:
        print_json(
            {
                "runtime": applied.runtime,
                "output": applied.port.name,
                "shape": list(applied.output.shape),
                "outputs": {name: list(one.shape) for name, one in applied.outputs.items()},
                "notes": list(applied.notes),
                "remark": applied.remark,
                "shares": shares,
                "unanswered": list(applied.unanswered),
                "written": str(request.out) if request.out else None,
            }
        )
        return status
    if not display.quiet:
        shown = console()  # which cleans every string: the names are the file's
        shown.print(f"{applied.port.name} {list(applied.output.shape)} in {applied.runtime}")
        for name, value in applied.outputs.items():
            if name != applied.port.name:
                shown.print(f"{name} {list(value.shape)}", highlight=False)
        if applied.remark:
            shown.print(f"  {applied.remark}")
        for note in applied.notes:
            shown.print(f"  input {note}", highlight=False)
        for name, share in shares.items():
            shown.print(f"  {100 * share:6.2f} %  {name}", highlight=False)
        for text in applied.unanswered:
            shown.print(f"  no answer: {text}", highlight=False, style="red")
        if request.out:
            shown.print(f"  written: {request.out}", highlight=False)
    return status


COMMAND = Command(
    "run an artifact on pictures, arrays or numbers, anywhere",
    (
        "lading run Model.mlpackage --input echo.png -o labels.png",
        "lading run Model.onnx --input image=x.npy -o y.npz",
    ),
    Run,
    run,
    rank=40,
)
