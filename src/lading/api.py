"""The verbs of the command line as typed functions: `inspect`, `convert`, `verify`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from lading import checkpoint as checkpoints
from lading.base.progress import Progress, silent
from lading.checkpoint import ledger
from lading.errors import LadingError
from lading.formats import artifact_target, targets
from lading.interface import Options, Output, Sizes
from lading.interface.settings import Precision, Settings, deployment
from lading.job import pipeline
from lading.job.request import Request
from lading.network import families as family
from lading.network import own_module
from lading.network.own_module import OwnModule
from lading.proof import hazards
from lading.proof.probes import files_in
from lading.record import (
    ArtifactRecord,
    Bill,
    CheckpointRecord,
    Hazard,
    LedgerLine,
    LedgerSummary,
    Recognition,
    Route,
    to_json,
)


@dataclass(frozen=True)
class Inspection:
    """A checkpoint, looked at.

    `ledger` is empty and `summary` None where the ledger cannot be closed; `refused` says why.
    """

    checkpoint: CheckpointRecord
    recognition: Recognition
    shapes: Mapping[str, tuple[int, ...]]
    aliases: Mapping[str, str]
    summary: LedgerSummary | None
    ledger: tuple[LedgerLine, ...]
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "checkpoint": to_json(self.checkpoint),
            **to_json(self.recognition),
            "ledger_summary": to_json(self.summary),
            "ledger": to_json(self.ledger),
            "refused": self.refused,
            "tensors": to_json(self.shapes),
            "aliases": to_json(self.aliases),
        }


@dataclass(frozen=True)
class ArtifactInspection:
    """A converted file, looked at."""

    artifact: ArtifactRecord
    hazards: tuple[Hazard, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"artifact": to_json(self.artifact), "hazards": to_json(self.hazards)}


def inspect(
    path: str | Path,
    *,
    settings: Mapping[str, str] | None = None,
    fold: str | None = None,
    model: OwnModule | None = None,
    config: str | Path | None = None,
    settle_with: str | Path | None = None,
    progress: Progress | None = None,
) -> Inspection | ArtifactInspection:
    """What a checkpoint, a model folder or an artifact is.

    Args:
        path: of it.
        settings: hyper-parameters, as for ``--set``.
        fold: of a model folder.
        model: your own network, in place of a family's; see `lading.network.own_module`.
        config: of the network, YAML or JSON, for a family that takes one.
        settle_with: a folder of pictures on which to measure what else leaves open.
        progress: told when a stage begins.

    Raises:
        LadingError: it cannot be read, or no family claims it.
    """
    place = Path(path)
    if place.suffix.lower() in {one.suffix for one in targets().values()} and place.exists():
        record = artifact_target(place).describe(place)
        return ArtifactInspection(record, hazards.find(place, record))
    if model is not None:
        own_module.require_alone(config, settle_with)
        return _of_own(place, model, settings or {}, fold)
    checkpoint, (kind, recognition) = pipeline.read(
        place,
        given=settings or {},
        fold=fold,
        config=Path(config) if config else None,
        settle=tuple(files_in(Path(settle_with))) if settle_with else (),
        progress=progress or silent,
    )
    summary: LedgerSummary | None = None
    lines: tuple[LedgerLine, ...] = ()
    refused = ""
    try:
        family.require_settled(recognition)
        rebuilt = kind.build(recognition)
        closed = ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
        summary, lines = closed.summary, closed.lines
    except LadingError as error:
        refused = str(error)
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    return Inspection(
        checkpoint.record, recognition, shapes, dict(checkpoint.aliases), summary, lines, refused
    )


def _of_own(
    path: Path, model: OwnModule, settings: Mapping[str, str], fold: str | None
) -> Inspection:
    """A checkpoint beside the user's own network."""
    checkpoint = checkpoints.read(path, fold=fold)
    recognition = own_module.recognised(model, checkpoint, settings)
    summary: LedgerSummary | None = None
    lines: tuple[LedgerLine, ...] = ()
    refused = ""
    network = model.build()
    try:
        closed = ledger.close(network, checkpoint, {})
        summary, lines = closed.summary, closed.lines
    except LadingError as error:
        refused = str(error)
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    return Inspection(
        checkpoint.record, recognition, shapes, dict(checkpoint.aliases), summary, lines, refused
    )


def convert(
    path: str | Path,
    out: str | Path,
    *,
    to: Sequence[str] = ("coreml", "onnx"),
    name: str = "",
    output: Output = "logits",
    bake: Sequence[str] = (),
    image: str | None = None,
    scale: float = 1.0,
    bias: Sequence[float] = (0.0,),
    shapes: str = "",
    dynamic: Sequence[str] = (),
    classifier: bool = False,
    part: Literal["network", "ddpm", "ddim"] = "network",
    eta: float = 0.0,
    timesteps: Literal["", "int32", "float32"] = "",
    model: nn.Module | Callable[[], nn.Module] | None = None,
    example: Mapping[str, torch.Tensor] | Sequence[str] = (),
    precision: Precision | Literal["auto"] = "fp16",
    target: str = "iOS16",
    opset: int = 18,
    route: Route | None = None,
    settings: Mapping[str, str] | None = None,
    fold: str | None = None,
    data: str | Path | None = None,
    config: str | Path | None = None,
    settle_with: str | Path | None = None,
    trajectory: int | None = None,
    author: str = "",
    licence: str = "",
    description: str = "",
    force: bool = False,
    progress: Progress | None = None,
) -> Bill:
    """Carries a checkpoint to the formats in `to` and compares each with the original.

    The options are those of ``lading convert``; `target` is a system such as ``"iOS16"`` or
    ``"macOS13"``. The bill's `verdict` says whether everything is equal; what is not lies in
    ``rejected/``. `part` is the network, or one step of sampling around a diffusion network;
    `trajectory` is how many moves such a network is walked, 25 by default and 0 for none.

    A network that no family knows: `model` is its module, or what returns one, and `example` its
    inputs by name, as tensors or as texts such as ``"x:float32[1,3,64,64]"``; the checkpoint's
    tensors are loaded into it by exact names.

    Raises:
        LadingError: it could not be carried out; nothing is written.
    """
    request = Request(
        path=Path(path),
        out=Path(out),
        to=tuple(to),
        name=name,
        options=Options(
            output=output,
            bake=tuple(bake),
            image=image,  # type: ignore[arg-type]  # checked by `wrap`
            scale=scale,
            bias=tuple(bias),
            sizes=Sizes.parse(shapes) if shapes else Sizes(),
            dynamic=tuple(dynamic),
            classifier=classifier,
            part=part,
            eta=eta,
            timesteps=timesteps,
        ),
        settings=Settings(
            "fp16" if precision == "auto" else precision,
            deployment(target),
            opset,
            author,
            licence,
            description,
            auto=precision == "auto",
        ),
        route=route,
        given=settings or {},
        fold=fold,
        data=tuple(files_in(Path(data))) if data else (),
        config=Path(config) if config else None,
        settle=tuple(files_in(Path(settle_with))) if settle_with else (),
        trajectory=trajectory,
        force=force,
        model=_own(model, example),
    )
    return pipeline.convert(request, progress or silent)


def verify(
    artifact: str | Path,
    against: str | Path,
    *,
    settings: Mapping[str, str] | None = None,
    fold: str | None = None,
    data: str | Path | None = None,
    config: str | Path | None = None,
    model: nn.Module | Callable[[], nn.Module] | None = None,
    example: Mapping[str, torch.Tensor] | Sequence[str] = (),
    trajectory: int | None = None,
    progress: Progress | None = None,
) -> Bill:
    """Compares an artifact with the checkpoint, in every runtime that this computer has for it.

    Raises:
        LadingError: either cannot be read, or their ports do not fit.
    """
    return pipeline.verify(
        Path(artifact),
        Path(against),
        given=settings or {},
        fold=fold,
        data=tuple(files_in(Path(data))) if data else (),
        config=Path(config) if config else None,
        model=_own(model, example),
        trajectory=trajectory,
        progress=progress or silent,
    )


def _own(
    model: nn.Module | Callable[[], nn.Module] | None,
    example: Mapping[str, torch.Tensor] | Sequence[str],
) -> OwnModule | None:
    return None if model is None else own_module.from_python(model, example)


__all__ = ["ArtifactInspection", "Inspection", "LadingError", "convert", "inspect", "verify"]
