"""An artifact's walk beside the original's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lading.errors import RequestError
from lading.job.request import Sample
from lading.job.sampling.plan import plan
from lading.proof.trajectory import Course, Taken, sampled
from lading.task.diffusion.denoiser import Denoiser
from lading.task.diffusion.notes import NEEDED


def course(
    request: Sample, original: Denoiser, picture: int = 0, moved: Callable[[], None] = lambda: None
) -> Course:
    """The walk of the request in the original.

    Args:
        request: what was asked.
        original: the untouched original, in PyTorch.
        picture: which of the pictures of the seed.
        moved: called of every move that any network makes.
    """
    process, sampler = plan(request, original)
    way = sampled(
        request.sampler, original.task, process, sampler,
        request.seed, picture, [*original.extra.values()],
    )  # fmt: skip
    return Course(way, original.run, original.ports, moved=moved)


def prove(
    request: Sample,
    original: Denoiser,
    network: Denoiser,
    moved: Callable[[], None] = lambda: None,
) -> Taken:
    """The first walk of the request in a network beside the original's.

    Raises:
        RequestError: the two are of different shapes or processes.
    """
    if original.shape != network.shape or _process(original) != _process(network):
        raise RequestError(
            f"{request.path} beside its checkpoint",
            found=f"{list(network.shape)}, {_process(network)}",
            expected=f"{list(original.shape)}, {_process(original)}",
            remedy="give the checkpoint that the artifact was made from, with the same settings",
        )
    walk = course(request, original, moved=moved)
    record = walk.record(Path(request.path).name, network.title, network.precision)
    return walk.held(record, network.run, network.ports)


def _process(network: Denoiser) -> str:
    told = network.task.notes
    return ", ".join(f"{name} {told.get(name, 'unknown')}" for name in NEEDED)
