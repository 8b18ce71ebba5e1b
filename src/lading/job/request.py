"""What is asked of a conversion or a verification, and how the bill writes it down.

`report.repeat` spells a command from what is written here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lading.interface import Options
from lading.interface.settings import Settings
from lading.network import own_module
from lading.network.own_module import OwnModule
from lading.record import Route, to_json


@dataclass(frozen=True)
class Request:
    """What was asked of a conversion.

    Attributes:
        path: the checkpoint or model folder.
        out: the folder to write.
        to: names of targets.
        name: of the artifacts, without suffix; empty for the family's and task's own.
        options: of the inputs and outputs.
        settings: of the files.
        route: forces one; None tries ``export``, then ``trace``.
        given: ``--set`` values by name.
        fold: of a model folder.
        data: the user's own pictures or arrays, as further probes.
        config: of the network, YAML or JSON, for a family that takes one.
        settle: pictures on which to measure what the tensors and the configuration leave open.
        trajectory: moves that a diffusion network walks in every runtime; 0 for none, None for
            `trajectories.STEPS` where the network is one of diffusion.
        force: replace what lading wrote in `out` before.
        model: the user's own network, in place of a family's.
    """

    path: Path
    out: Path
    to: tuple[str, ...] = ("coreml", "onnx")
    name: str = ""
    options: Options = field(default_factory=Options)
    settings: Settings = field(default_factory=Settings)
    route: Route | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    fold: str | None = None
    data: tuple[Path, ...] = ()
    config: Path | None = None
    settle: tuple[Path, ...] = ()
    trajectory: int | None = None
    force: bool = False
    model: OwnModule | None = None


def recorded(request: Request) -> dict[str, Any]:
    """The request as plain values, without what differs between two equal voyages."""
    values = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
    values.pop("force")
    model = values.pop("model")
    settings = {k: v for k, v in to_json(request.settings).items() if k != "facts"}
    values |= {
        "path": str(request.path),
        "out": str(request.out),
        "data": [str(path) for path in request.data],
        "config": str(request.config) if request.config else None,
        "settle": [str(path) for path in request.settle],
        "settings": settings,
    }
    plain: dict[str, Any] = to_json(values | _made(model))
    return plain


def recorded_verification(
    artifact: Path,
    against: Path,
    *,
    given: Mapping[str, str],
    fold: str | None,
    data: Sequence[Path],
    table: Path | None,
    model: OwnModule | None,
    config: Path | None,
    trajectory: int | None,
) -> dict[str, Any]:
    """What was asked of a verification, as plain values.

    Args:
        artifact: that was compared.
        against: the checkpoint or model folder.
        given: ``--set`` values by name.
        fold: of a model folder.
        data: the user's own pictures or arrays.
        table: of labelled samples, or None.
        model: the user's own network, or None.
        config: of the network, or None.
        trajectory: moves of a diffusion network's walk, or None.
    """
    return {
        "artifact": str(artifact),
        "against": str(against),
        "given": dict(given),
        "fold": fold,
        "data": [str(path) for path in data],
        "table": str(table) if table else None,
        "config": str(config) if config else None,
        "trajectory": trajectory,
        **_made(model),
    }


def _made(model: OwnModule | None) -> dict[str, Any]:
    """Whose code made the network, and its inputs, where it was no family's."""
    if model is None:
        return {}
    inputs = [own_module.spelled(one) for one in model.inputs]
    return {("model" if model.text else "made_by"): model.text or model.told, "input": inputs}
