"""From a request and a network to a process and a sampler; whatever contradicts is refused here."""

from __future__ import annotations

import numpy as np

from lading.errors import RequestError
from lading.job.sampling.request import Request
from lading.proof.trajectory import Network
from lading.task import pictures
from lading.task.diffusion import notes
from lading.task.diffusion.samplers import DDIM, DDPM, Process, RePaint, Sampler, require_fits

#: Samplers by name, and the steps that each takes where nobody says how many.
STEPS = {"ddpm": 250, "ddim": 50, "repaint": 250}


def plan(request: Request, network: Network) -> tuple[Process, Sampler]:
    """The process and the sampler that the request asks for.

    Raises:
        RequestError: an unknown sampler, more steps than were trained, options that contradict each
            other, or a picture or mask that does not fit.
    """
    if request.sampler not in STEPS:
        raise RequestError(
            f"--sampler {request.sampler}",
            found=repr(request.sampler),
            expected=" or ".join(STEPS),
            remedy="use --sampler ddim",
        )
    if request.steps is not None and request.respacing:
        raise _contradiction("--steps with --respacing", "two ways of saying one thing")
    if request.eta and request.sampler != "ddim":
        raise _contradiction(f"--eta {request.eta:g}", f"sampler {request.sampler}", "ddim")
    if not 0.0 <= request.eta <= 1.0:
        raise RequestError(
            f"--eta {request.eta:g}",
            found=f"{request.eta:g}",
            expected="0 (no noise after the start) to 1 (as much as DDPM)",
            remedy="use --eta 0",
        )
    if request.count < 1:
        raise RequestError(
            f"--count {request.count}",
            found=str(request.count),
            expected="at least one picture",
            remedy="leave --count out",
        )
    process = notes.process(network.task.notes, _respacing(request, network), clip=request.clip)
    network.give(request.label)
    if request.sampler == "repaint":
        return process, _repaint(request, network)
    if request.image or request.mask:
        what = "--image" if request.image else "--mask"
        raise _contradiction(what, f"sampler {request.sampler}", "repaint")
    return process, DDPM() if request.sampler == "ddpm" else DDIM(request.eta)


def _respacing(request: Request, network: Network) -> str:
    if request.steps is not None:
        return str(request.steps)
    own = network.task.notes.get("timestep_respacing", "")
    if request.respacing or own:
        return request.respacing or own
    trained = network.task.notes.get("diffusion_steps", "")
    usual = STEPS[request.sampler]
    return "" if trained.isdecimal() and int(trained) <= usual else str(usual)


def _contradiction(subject: str, found: str, sampler: str = "") -> RequestError:
    return RequestError(
        subject,
        found=found,
        expected=f"--sampler {sampler}" if sampler else "one of the two",
        remedy=f"add --sampler {sampler}, or leave it out" if sampler else "leave one out",
    )


def _repaint(request: Request, network: Network) -> RePaint:
    if request.image is None or request.mask is None:
        there, absent = ("--mask", "--image") if request.mask else ("--image", "--mask")
        raise RequestError(
            "--sampler repaint",
            found=f"{there} without {absent}" if request.mask or request.image else "neither",
            expected="a picture to complete, --image, and a mask of what is known, --mask",
            remedy=f"add {absent} FILE",
        )
    if len(network.shape) != 4:
        raise RequestError(
            "--sampler repaint",
            found=f"a network of {len(network.shape) - 2}-D data",
            expected="a network of pictures",
            remedy="call it from Python: lading.task.diffusion.samplers.RePaint",
        )
    size = (network.shape[2], network.shape[3])
    known = pictures.read(request.image, network.shape[1])
    mask = pictures.read(request.mask, 1)
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
