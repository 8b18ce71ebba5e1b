"""`lading.mil`: runs an `.mlpackage` on any computer, each value rounded to its declared dtype."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lading.coreml import mil
from lading.runtimes import Arithmetic, Predicting, noted_labels


class Mil:
    """See `lading.runtimes.Runtime`."""

    name = "mil"
    title = "lading.mil (declared precision)"
    formats: tuple[str, ...] = ("coreml",)
    precision: Arithmetic = None

    def unavailable(self) -> str | None:
        return None

    def load(self, path: Path) -> Predicting:
        model = mil.load(path)
        images = {port.name for port in model.inputs if port.kind == "image"}
        return Predicting(partial(_fresh, model), images, noted_labels(model.metadata))


def _fresh(model: mil.Model, data: Mapping[str, Any]) -> dict[str, Any]:
    """One prediction; of a stateful model from a state of zeros."""
    return model.predict(data, state=model.make_state())


RUNTIME = Mil()
