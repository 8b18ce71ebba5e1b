"""What is asked of a sampling, in the user's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        path: a checkpoint, or an artifact with lading's notes in it.
        sampler: ``"ddpm"``, ``"ddim"`` or ``"repaint"``.
        steps: evenly spread over the trained ones; None for the network's own respacing, or the
            sampler's usual number.
        respacing: guided-diffusion's way of saying it, in place of `steps`.
        seed: of the noise.
        count: how many pictures.
        eta: of DDIM: 0 draws no noise after the start.
        clip: whether estimates of the picture are kept within -1 and 1.
        image: the known picture, for RePaint.
        mask: white where the picture is known, black where it is to be painted, for RePaint.
        jump: RePaint's, in steps.
        repeats: RePaint's.
        label: the class, for a class-conditional network.
        runtime: by name; by default PyTorch for a checkpoint, the first able one for an artifact.
        given: ``--set`` values by name.
        fold: of a model folder.
        config: a configuration file beside the checkpoint.
    """

    path: Path
    sampler: str = "ddim"
    steps: int | None = None
    respacing: str = ""
    seed: int = 0
    count: int = 1
    eta: float = 0.0
    clip: bool = True
    image: Path | None = None
    mask: Path | None = None
    jump: int = 10
    repeats: int = 10
    label: int | None = None
    runtime: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    fold: str | None = None
    config: Path | None = None
