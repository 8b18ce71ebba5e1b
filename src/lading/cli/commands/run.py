"""``lading run``: run an artifact on pictures, volumes, arrays, texts or numbers, anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.job.request import Run

if TYPE_CHECKING:
    from lading.job.run import Applied

#: Classes of a whole sample that are shown.
SHOWN = 3


def run(request: Run, display: Display) -> int:
    """0; 1 where what came out is no answer: NaN, or pixels of no class."""
    from lading.job import run as job

    made = with_stages(display, request, job.run)
    status = 1 if any(one.unanswered for one in made.samples) else 0
    written = [str(path) for path in (request.out, request.overlay) if path]
    if display.json:
        samples = [_plain(one) for one in made.samples]
        return (
            print_json({"runtime": made.runtime, "written": written, "samples": samples}) or status
        )
    if not display.quiet:
        shown = console()
        for one in made.samples:
            _show(shown, one)
        for path in written:
            shown.print(f"  written: {path}", soft_wrap=True)
    return status


def _plain(one: Applied) -> dict[str, Any]:
    return {
        "input": one.name,
        "output": one.port.name,
        "outputs": {name: list(value.shape) for name, value in one.outputs.items()},
        "notes": list(one.notes),
        "remark": one.remark,
        "classes": [
            {"number": c.number, "name": c.name, "share": None if c.share != c.share else c.share}
            for c in one.classes
        ],
        "unanswered": list(one.unanswered),
    }


def _show(shown: Any, one: Applied) -> None:
    from lading.cli.terminal import words

    outputs = ", ".join(f"{name} {list(value.shape)}" for name, value in one.outputs.items())
    title = f"{one.name}: " if one.name else ""
    shown.print(words(f"{title}{outputs} in {one.runtime}"), soft_wrap=True)
    if one.remark:
        shown.print(words(f"  {one.remark}"), soft_wrap=True)
    for note in one.notes:
        shown.print(words(f"  {note}", style="dim"), soft_wrap=True)
    classes = one.classes if one.label_map is not None else one.classes[:SHOWN]
    for known in classes:
        square = words("  ■", known.colour) if one.label_map is not None else words(" ")
        share = "" if known.share != known.share else f"{100 * known.share:7.2f} %"
        shown.print(square + words(f" {known.number:3d} {share:>9}  {known.name}"))
    for text in one.unanswered:
        shown.print(words(f"  no answer: {text}", style="red"), soft_wrap=True)


COMMAND = Command(
    "run an artifact on pictures, volumes, arrays or texts",
    (
        "lading run Model.mlpackage --input echo.png -o labels.png --overlay drawn.png",
        "lading run Model.onnx --input pictures -o labels",
        "lading run Model.onnx --input image=x.npy -o y.npz",
    ),
    Run,
    run,
    rank=40,
)
