"""From a request and a network to a process and a sampler; whatever contradicts is refused here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lading.errors import RequestError
from lading.job.request import Sample
from lading.task import pictures
from lading.task.diffusion import notes
from lading.task.diffusion.denoiser import Denoiser
from lading.task.diffusion.samplers import DDIM, DDPM, Process, RePaint, Sampler, require_fits

#: Samplers by name, and the steps that each takes where nobody says how many.
STEPS = {"ddpm": 250, "ddim": 50, "repaint": 250}


def plan(request: Sample, network: Denoiser) -> tuple[Process, Sampler]:
    """The process and the sampler that the request asks for.

    Raises:
        RequestError: more steps than were trained, or a picture or mask that does not fit.
    """
    process = notes.process(
        network.task.notes, _respacing(request, network), clip=not request.no_clip
    )
    network.give(request.label)
    if request.sampler == "repaint":
        return process, _repaint(request, network)
    return process, DDPM() if request.sampler == "ddpm" else DDIM(request.eta)


def _respacing(request: Sample, network: Denoiser) -> str:
    if request.steps is not None:
        return str(request.steps)
    own = network.task.notes.get("timestep_respacing", "")
    if request.respacing or own:
        return request.respacing or own
    trained = network.task.notes.get("diffusion_steps", "")
    usual = STEPS[request.sampler]
    return "" if trained.isdecimal() and int(trained) <= usual else str(usual)


def _repaint(request: Sample, network: Denoiser) -> RePaint:
    assert request.image is not None
    assert request.mask is not None
    if len(network.shape) != 4:
        raise RequestError(
            "--sampler repaint",
            found=f"a network of {len(network.shape) - 2}-D data",
            expected="a network of pictures",
            remedy="call it from Python: lading.task.diffusion.samplers.RePaint",
        )
    size = (network.shape[2], network.shape[3])
    known = pictures.read(Path(request.image), network.shape[1])
    mask = pictures.read(Path(request.mask), 1)
    if mask.shape[1:] != known.shape[1:]:
        wide, tall = known.shape[2], known.shape[1]
        raise RequestError(
            f"--mask {request.mask}",
            found=f"{mask.shape[2]} x {mask.shape[1]} pixels",
            expected=f"{wide} x {tall}, as {request.image}",
            remedy="make the mask of the picture's own size",
        )
    if known.shape[1:] != size:
        known, mask = pictures.resample(known, size), pictures.resample(mask, size)
    keep = (mask >= 127.5).astype(np.float32) if mask.max() > 1 else mask.astype(np.float32)
    sampler = RePaint(known[None] / 127.5 - 1.0, keep[None], request.jump, request.repeats)
    require_fits(sampler, network.shape)
    return sampler
