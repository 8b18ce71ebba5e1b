"""What `lading diagnose` does: what of a network's code stands in the way, without converting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lading.base.notices import Notices, gathered
from lading.conversion.diagnosis import diagnose as find
from lading.interface import Options, wrap
from lading.job.request import Diagnose
from lading.job.source import source, title
from lading.network.source import load
from lading.record import to_json
from lading.record.diagnosis import Obstacle


@dataclass(frozen=True)
class Diagnosis:
    """What was found in a network; what stops it comes first."""

    network: str
    obstacles: tuple[Obstacle, ...]

    @property
    def stopped(self) -> bool:
        """Whether nothing can be made of it as it is."""
        return any(one.stops for one in self.obstacles)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found = to_json(self.obstacles)
        return {"network": self.network, "stopped": self.stopped, "obstacles": found}


def diagnose(request: Diagnose) -> Diagnosis:
    """Looks for everything that stands in the way.

    Raises:
        LadingError: the network cannot be had, or does not run on its inputs.
    """
    loaded = load(source(request, request.path), request.progress)
    interface = wrap(loaded.network, loaded.task, Options())
    request.progress("capture", "what a graph cannot hold")
    with gathered(Notices()):
        return Diagnosis(title(request.path), find(interface))
