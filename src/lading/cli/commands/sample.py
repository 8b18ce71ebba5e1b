"""``lading sample``: walk from noise to pictures with a diffusion network, in any runtime."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.cli.commands import Command, checkpoint_options, config_option, console, print_json

if TYPE_CHECKING:
    from lading.job.sampling import Network, Request
    from lading.task.diffusion.samplers import Step


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="a checkpoint, or an artifact of it"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: NAME-samples")
    parser.add_argument("--force", action="store_true", help="replace earlier samples in DIR")
    parser.add_argument("--runtime", metavar="NAME", help="torch, onnxruntime, mil or coreml")
    checkpoint_options(parser)
    config_option(parser)
    walk = parser.add_argument_group("the walk")
    walk.add_argument("--sampler", default="ddim", metavar="NAME", help="ddpm, ddim or repaint")
    walk.add_argument("--steps", type=int, metavar="N", help="evenly spread; default by sampler")
    walk.add_argument("--respacing", default="", metavar="TEXT", help='"250", "ddim50", "10,10,20"')
    walk.add_argument("--eta", type=float, default=0.0, help="of ddim: 0 (no noise) to 1")
    walk.add_argument("--no-clip", action="store_true", help="let estimates leave -1 to 1")
    walk.add_argument("--seed", type=int, default=0, metavar="S", help="of the noise; default 0")
    walk.add_argument("--count", type=int, default=1, metavar="N", help="pictures; default 1")
    walk.add_argument("--label", type=int, metavar="K", help="for a class-conditional network")
    fill = parser.add_argument_group("completing a picture: --sampler repaint")
    fill.add_argument("--image", type=Path, metavar="FILE", help="the picture")
    fill.add_argument("--mask", type=Path, metavar="FILE", help="white: known; black: to paint")
    fill.add_argument("--jump", type=int, default=10, metavar="N", help="steps to and fro; 10")
    fill.add_argument("--repeats", type=int, default=10, metavar="N", help="of each stretch; 10")
    proof = parser.add_argument_group("proof")
    proof.add_argument("--against", type=Path, metavar="CHECKPOINT", help="walk it beside PATH")
    proof.add_argument("--digests", action="store_true", help="of x after every move, as JSON")


def run(arguments: argparse.Namespace) -> int:
    """0 where all pictures were made, and are equal to those of ``--against``; 1 where they are
    not; 130 where the user stopped."""
    from lading.base import storage
    from lading.job import sampling

    request = _request(arguments)
    out = arguments.out or Path(f"{arguments.path.name.split('.')[0] or 'model'}-samples")
    storage.require_free(out, force=arguments.force)
    network = sampling.open_network(request)
    process, sampler = sampling.plan(request, network)
    moves = len(sampler.plan(process.schedule.steps))
    silent = arguments.json or arguments.quiet
    with _Bar(request.count * moves, silent) as bar:
        made = sampling.sample(request, network, bar, digests=arguments.digests)
    written = sampling.save(made, out, force=arguments.force)
    stopped = len(made.pictures) < request.count
    summary: dict[str, Any] = {**made.summary, "out": str(out)}
    status = 130 if stopped else 0
    if arguments.against and not stopped:
        with _Bar(moves, silent) as bar:
            told = _prove(request, network, arguments.against, out, bar)
        summary["against"] = told
        status = 0 if told["passed"] else 1
    if arguments.json:
        print_json(summary)
    elif not arguments.quiet:
        _show(summary, [str(path) for path in written], stopped)
    return status


def _request(arguments: argparse.Namespace) -> Request:
    from lading.job.sampling import Request

    return Request(
        path=arguments.path,
        sampler=arguments.sampler,
        steps=arguments.steps,
        respacing=arguments.respacing,
        seed=arguments.seed,
        count=arguments.count,
        eta=arguments.eta,
        clip=not arguments.no_clip,
        image=arguments.image,
        mask=arguments.mask,
        jump=arguments.jump,
        repeats=arguments.repeats,
        label=arguments.label,
        runtime=arguments.runtime,
        given=arguments.set,
        fold=arguments.fold,
        config=arguments.config,
    )


def _prove(
    request: Request, network: Network, against: Path, out: Path, bar: _Bar
) -> dict[str, Any]:
    """The artifact's first trajectory beside the checkpoint's; the chart goes to `out`."""
    from lading.job import sampling

    original = sampling.beside(request, against)
    parting, gate = sampling.prove(request, original, network, lambda step: bar(0, step))
    one = parting.walks[0]
    path = sampling.save_chart(parting, {one.name: gate}, out)
    return {
        "checkpoint": str(against),
        "psnr": one.psnr[-1] if one.psnr[-1] != float("inf") else "inf",
        "gate": gate,
        "passed": one.psnr[-1] >= gate,
        "lowest": min(one.psnr) if min(one.psnr) != float("inf") else "inf",
        "parts_at_move": one.parts,
        "chart": str(path),
    }


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
        number = told["psnr"] if told["psnr"] == "inf" else f"{told['psnr']:.1f}"
        style = "bold green" if told["passed"] else "bold red"
        shown.print(
            words(f"  {verdict}", style=style)
            + words(f" to {told['checkpoint']}: {number} dB at the end, gate {told['gate']:g}")
        )
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

    def __enter__(self) -> _Bar:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        if not self.silent and sys.stderr.isatty():
            self.progress = Progress(
                "sampling", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=console(sys.stderr),
            )  # fmt: skip
            self.progress.start()
            self.task = self.progress.add_task("", total=self.moves)
        return self

    def __call__(self, picture: int, step: Step) -> None:
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
    arguments,
    run,
    rank=45,
)
