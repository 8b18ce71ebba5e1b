"""The sampling itself, and what it leaves in a folder."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lading.base import storage
from lading.base.drawing.gallery import cell, png
from lading.base.drawing.gallery import sheet as gallery
from lading.errors import ProgramError
from lading.job.request import Sample
from lading.job.sampling.plan import plan
from lading.task.diffusion.denoiser import Array, Denoiser
from lading.task.diffusion.samplers import Step, walk
from lading.task.pictures import signed

SHEET, ARRAY, SUMMARY, UNFINISHED = "sheet.png", "samples.npy", "sampling.json", "unfinished.png"


@dataclass(frozen=True)
class Sampled:
    """What was made.

    Attributes:
        pictures: float32 [C, *] each, values -1 to 1 but for what a network overshoots.
        unfinished: the estimate of the picture that was being made when the user stopped.
        summary: for `sampling.json` and ``--json``.
        written: the files, the sheet first.
    """

    pictures: tuple[Array, ...]
    unfinished: Array | None
    summary: Mapping[str, Any]
    written: tuple[Path, ...] = ()


def sample(
    request: Sample,
    network: Denoiser,
    moved: Callable[[], None] = lambda: None,
) -> Sampled:
    """Makes the pictures, one after the other; Ctrl-C ends it with those that are done.

    Raises:
        RequestError: see `plan`.
        InputError: the network does not fit.
        ProgramError: a picture came out that is not finite.
    """
    process, sampler = plan(request, network)
    made: list[Array] = []
    trails: list[list[str]] = []
    step: Step | None = None
    unfinished: Array | None = None
    began, before = time.perf_counter(), network.calls
    try:
        for number in range(request.count):
            trail: list[str] = []
            for step in walk(network, process, sampler, network.shape, request.seed, number):
                if request.digests:
                    trail.append(_digest(step.x))
                moved()
            assert step is not None
            if not np.isfinite(step.x).all():
                raise ProgramError(
                    f"picture {number} in {network.title}",
                    found="values that are not finite",
                    expected="a picture",
                    remedy="sample from the checkpoint: if that is finite, the artifact overflows",
                )
            made.append(step.x[0].astype(np.float32))
            trails.append(trail)
            step = None
    except KeyboardInterrupt:
        if step is not None and step.picture is not None:
            unfinished = step.picture[0]
    seconds = time.perf_counter() - began
    calls = network.calls - before
    summary = {
        "source": str(request.path),
        "runtime": network.title,
        "sampler": request.sampler,
        "schedule": network.task.notes["noise_schedule"],
        "steps": process.schedule.steps,
        "trained_steps": process.schedule.trained,
        "calls_per_picture": sum(move.back for move in sampler.plan(process.schedule.steps)),
        "eta": request.eta if request.sampler == "ddim" else None,
        "clip": not request.no_clip,
        "seed": request.seed,
        "asked": request.count,
        "made": len(made),
        "calls": calls,
        "seconds": round(seconds, 3),
        "ms_per_call": round(1000 * seconds / calls, 2) if calls else None,
        "assumed": list(network.assumed),
        "pictures": [{"sha256": _digest(one)} for one in made],
        **({"trajectories": trails} if request.digests else {}),
    }
    return Sampled(tuple(made), unfinished, summary)


# ----------------------------------------------------------------------------------------- pictures
def sheet(sampled: Sampled, columns: int = 6) -> Image.Image:
    """A contact sheet, at most `columns` pictures to a row."""
    images = [cell(signed(one), 160) for one in sampled.pictures]
    columns = min(columns, len(images))
    rows = [images[i : i + columns] for i in range(0, len(images), columns)]
    captions = [
        f"pictures {i * columns} to {i * columns + len(row) - 1}" for i, row in enumerate(rows)
    ]
    told = sampled.summary
    heading = f"{told['sampler']}, {told['steps']} steps, seed {told['seed']}: {told['runtime']}"
    return gallery([""] * columns, rows, captions, heading)


def save(
    sampled: Sampled, out: Path, *, force: bool = False, folder: Path | None = None
) -> tuple[Path, ...]:
    """Writes the pictures, the sheet, the values and the summary into the folder `out`.

    Args:
        sampled: what was made.
        out: where it belongs.
        force: an earlier result there is replaced.
        folder: what `storage.aside` gave, where that was called for `out` already.

    Returns:
        what was written, the sheet first.

    Raises:
        StorageError: the folder is in use or cannot be written.
    """
    if folder is None:
        with storage.aside(out) as made:
            return save(sampled, out, force=force, folder=made)
    storage.require_free(out, force=force)
    files: dict[str, bytes] = {}
    drawable = bool(sampled.pictures) and sampled.pictures[0].ndim in (3, 4)
    if drawable:
        files[SHEET] = png(sheet(sampled))
        for number, one in enumerate(sampled.pictures):
            files[f"sample_{number:03d}.png"] = png(signed(one))
    if sampled.pictures:
        np.save(values := io.BytesIO(), np.stack(sampled.pictures))
        files[ARRAY] = values.getvalue()
    if sampled.unfinished is not None and sampled.unfinished.ndim in (3, 4):
        files[UNFINISHED] = png(signed(sampled.unfinished))
    text = json.dumps(dict(sampled.summary), indent=1, ensure_ascii=False)
    files[SUMMARY] = (text + "\n").encode()
    with storage.errors_about(out):
        for name, content in files.items():
            (folder / name).write_bytes(content)
    earlier = [SHEET, ARRAY, UNFINISHED, *(one.name for one in out.glob("sample_*.png"))]
    storage.publish(folder, out, own=earlier, last=SUMMARY)
    return tuple(out / name for name in files)


def _digest(values: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
