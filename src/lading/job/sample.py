"""What `lading sample` does: pictures from noise, and an artifact's walk beside the original's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from lading.base import storage
from lading.job import sampling
from lading.job.request import Sample
from lading.job.sampling import Sampled
from lading.page.trajectories import chart
from lading.record import to_json
from lading.task.diffusion.denoiser import Denoiser

#: Given the number of moves to come, what is called at each.
Watch = Callable[[int], AbstractContextManager[Callable[[], None]]]


def _unwatched(moves: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def sample(request: Sample, watch: Watch = _unwatched) -> Sampled:
    """Makes the pictures; they and their summary go to `request.out`, where that is named.

    With `against`, the first of them is made with the checkpoint too: `summary["against"]` says
    how near the two ended.

    Raises:
        LadingError: see `lading.job.sampling`; or the folder is in use.
    """
    out = Path(request.out) if request.out else None
    if out is None:
        return _sampled(request, watch, None, None)
    storage.require_free(out, force=request.force)
    with storage.aside(out) as folder:
        return _sampled(request, watch, out, folder)


def _sampled(request: Sample, watch: Watch, out: Path | None, folder: Path | None) -> Sampled:
    network = sampling.open_network(request)
    process, sampler = sampling.plan(request, network)
    moves = len(sampler.plan(process.schedule.steps))
    with watch(request.count * moves) as moved:
        made = sampling.sample(request, network, moved)
    if out:
        made = replace(made, written=sampling.save(made, out, force=request.force, folder=folder))
    if request.against and len(made.pictures) == request.count:
        with watch(2 * moves) as moved:
            against = _proven(request, network, out, moved)
        made = replace(made, summary={**made.summary, "against": against})
    return made


def _proven(
    request: Sample, network: Denoiser, out: Path | None, moved: Callable[[], None]
) -> dict[str, Any]:
    """The artifact's first trajectory beside the checkpoint's; the chart goes to `out`."""
    checkpoint = replace(request, path=request.against or "", against=None, runtime=None)
    original = sampling.open_network(checkpoint)
    record = sampling.prove(request, original, network, moved).record
    drawn = chart([record])
    path = out / f"{drawn.name}.svg" if out and drawn else None
    if path and drawn:
        storage.write_file(path, drawn.file())
    return {
        "checkpoint": str(request.against),
        "psnr": to_json(record.psnr[-1] if record.psnr else float("nan")),
        "gate": record.gate,
        "passed": record.passed,
        "lowest": to_json(min(record.psnr, default=float("nan"))),
        "parts_at_move": record.parts,
        "chart": str(path) if path else None,
    }
