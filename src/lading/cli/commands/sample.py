"""``lading sample``: walk from noise to pictures with a diffusion network, in any runtime."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.cli.commands import Command, Display, console, print_json
from lading.job.request import Sample

if TYPE_CHECKING:
    from collections.abc import Callable


def run(request: Sample, display: Display) -> int:
    """0 where all pictures were made, and are equal to those of ``--against``; 1 where they are
    not; 130 where the user stopped."""
    from lading.job.sample import sample

    out = request.out or f"{Path(request.path).name.split('.')[0] or 'model'}-samples"
    request = replace(request, out=out)
    made = sample(request, lambda moves: _Bar(moves, display.silent))
    stopped = len(made.pictures) < request.count
    summary: dict[str, Any] = {**made.summary, "out": str(out)}
    if display.json:
        print_json(summary)
    elif not display.quiet:
        _show(summary, [str(path) for path in made.written], stopped)
    if stopped:
        return 130
    return 0 if summary.get("against", {}).get("passed", True) else 1


def _show(summary: dict[str, Any], written: list[str], stopped: bool) -> None:
    from lading.cli.terminal import words

    shown = console()
    steps = f"{summary['steps']} of {summary['trained_steps']} steps, {summary['schedule']}"
    shown.print(words(f"{summary['made']} of {summary['asked']} pictures in {summary['runtime']}"))
    shown.print(words(f"  {summary['sampler']}, {steps}, seed {summary['seed']}"))
    if summary["calls"]:
        shown.print(
            f"  {summary['calls']} calls of the network, {summary['ms_per_call']:.0f} ms each",
            highlight=False,
        )
    for one in summary["assumed"]:
        shown.print(words(f"  assumed: {one}", style="yellow"))
    if "against" in summary:
        told = summary["against"]
        verdict = "equal" if told["passed"] else "NOT equal"
        number = told["psnr"] if isinstance(told["psnr"], str) else f"{told['psnr']:.1f}"
        style = "bold green" if told["passed"] else "bold red"
        shown.print(
            words(f"  {verdict}", style=style)
            + words(f" to {told['checkpoint']}: {number} dB at the end, gate {told['gate']:g}")
        )
        if told["chart"]:
            shown.print(words(f"  {told['chart']}   where the walks part"), soft_wrap=True)
    for path in written[:1]:
        shown.print(words(f"  {path}   and {len(written) - 1} more files"), soft_wrap=True)
    if stopped:
        shown.print(words("  stopped; what was done is kept", style="yellow"))


class _Bar:
    """A progress bar with the time that is left, on standard error; nothing when silent."""

    def __init__(self, moves: int, silent: bool) -> None:
        self.moves, self.silent = moves, silent
        self.progress: Any = None
        self.task: Any = None

    def __enter__(self) -> Callable[[], None]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        if not self.silent and sys.stderr.isatty():
            self.progress = Progress(
                "sampling", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=console(sys.stderr),
            )  # fmt: skip
            self.progress.start()
            self.task = self.progress.add_task("", total=self.moves)
        return self._moved

    def _moved(self) -> None:
        """One move more."""
        if self.progress is not None:
            self.progress.advance(self.task)

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()


COMMAND = Command(
    "walk from noise to pictures with a diffusion network",
    (
        "lading sample diffusion.pt --steps 25 --seed 7 -o samples",
        "lading sample Model.mlpackage --steps 25 --against diffusion.pt",
        "lading sample unet.pt --sampler repaint --image a.png --mask b.png --steps 25",
    ),
    Sample,
    run,
    rank=45,
)
