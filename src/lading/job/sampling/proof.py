"""An artifact's walk beside the original's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from lading.base import storage
from lading.errors import RequestError
from lading.job.sampling.network import open_network
from lading.job.sampling.plan import plan
from lading.job.sampling.request import Request
from lading.proof.trajectory import GATES, Network, Parting, chart, part, png
from lading.task.diffusion.notes import NEEDED
from lading.task.diffusion.samplers import Step

CHART = "parting.png"


def beside(request: Request, checkpoint: Path) -> Network:
    """The original that an artifact is held against, in PyTorch.

    Raises:
        LadingError: see `open_network`.
    """
    return open_network(replace(request, path=checkpoint, runtime=None))


def prove(
    request: Request,
    original: Network,
    network: Network,
    on_step: Callable[[Step], None] = lambda step: None,
) -> tuple[Parting, float]:
    """The first trajectory of the request in both, and the dB that the last picture has to reach.

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
    process, sampler = plan(request, original)
    network.give(request.label)
    parting = part(
        (original.title, original), {network.title: network}, process, sampler,
        network.shape, request.seed, on_step=on_step,
    )  # fmt: skip
    return parting, GATES[network.precision]


def _process(network: Network) -> str:
    told = network.task.notes
    return ", ".join(f"{name} {told.get(name, 'unknown')}" for name in NEEDED)


def save_chart(parting: Parting, gates: Mapping[str, float], out: Path) -> Path:
    """Draws where the walks part, as `parting.png` in `out`.

    Raises:
        StorageError: it cannot be written.
    """
    storage.write_file(out / CHART, png(chart(parting, gates)))
    return out / CHART
