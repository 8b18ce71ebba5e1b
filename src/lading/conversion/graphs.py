"""The graphs of one network: each taken once by every route, whoever asks first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lading.base.memory import collected_alone
from lading.conversion.capture import CLOSED, Axes, Captured, capture
from lading.conversion.repairs import repaired
from lading.interface import Interface
from lading.record import RepairRecord, Route

ROUTES: tuple[Route, ...] = ("export", "decomposed", "trace")
#: A captured graph and what was repaired to take it.
Graph = tuple[Captured, tuple[RepairRecord, ...]]


@dataclass
class Graphs:
    """The graphs of an interface, each of the repaired module and filed under the untouched one;
    of a network with a memory, of its step."""

    interface: Interface
    taken: dict[tuple[Route, Axes], Graph] = field(default_factory=dict)

    def __contains__(self, key: tuple[Route, Axes]) -> bool:
        return key in self.taken

    def take(self, route: Route, axes: Axes = CLOSED) -> Graph:
        """The graph by a route, with these axes open.

        Raises:
            CaptureError: the route cannot take the module.
        """
        if (route, axes) not in self.taken:
            step = self.interface.step
            sized = any(port.ranges or port.enumerated for port in step.inputs)
            fixed = not axes and not sized
            with collected_alone(), repaired(step, route, fixed=fixed) as (mended, records):
                graph = capture(mended, route, axes)
            self.taken[route, axes] = replace(graph, interface=step), records
        return self.taken[route, axes]
