"""What is asked of a conversion, and how the bill writes it down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lading import own_module
from lading.evidence import Route, to_json
from lading.interface import Options
from lading.own_module import OwnModule
from lading.target import Settings


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
    if model:
        inputs = [own_module.spelled(one) for one in model.inputs]
        values |= {"model": model.told, "input": inputs}
    plain: dict[str, Any] = to_json(values)
    return plain
