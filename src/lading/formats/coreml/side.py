"""An ML Program as a side: `lading.coreml.mil` in one of its readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from lading.coreml import mil
from lading.coreml.arrays import Arrays, noted_labels
from lading.coreml.memory import Recalling, noted
from lading.coreml.mil.precision import Precision
from lading.errors import RequestError
from lading.interface.side import Array, Made
from lading.interface.work import Work, program
from lading.record.bench import Spent


class MilSide:
    """An ML Program in one of its readings; one with a memory takes one call or several, each time
    from its beginning, and gives what it remembers besides.

    Args:
        model: the program.
        title: for people.
        reading: see `lading.coreml.mil.precision`.
    """

    runtime = "mil"
    in_torch = True

    def __init__(self, model: mil.Model, title: str, reading: Precision = "declared") -> None:
        self.model, self.title = model, title
        self.reading: Any = reading
        self.outputs = tuple(port.name for port in model.outputs if port.kind != "string")
        images = {port.name for port in model.inputs if port.kind == "image"}
        self._call = Recalling(
            Arrays(model.predict, images, noted_labels(model.metadata)),
            model.make_state,
            mil.State.held,
            noted(model.metadata, model.states, title),
            {port.name: len(port.shape) for port in model.inputs},
        )
        self.outputs += tuple(state.port.name for state in self._call.states)
        self._graph: list[Made] | None = None

    @property
    def graph(self) -> list[Made]:
        if self._graph is None:
            if self.model.parts:
                raise RequestError(
                    self.title,
                    found="a pipeline",
                    expected="one program",
                    remedy="look at its parts one by one: lading.coreml.load(path).parts",
                )
            function = next(iter(self.model.program.functions.values()))
            self._graph = [
                Made(
                    value.name,
                    op.type,
                    reads=op.reads,
                    real=value.type.kind == "tensor" and value.type.dtype in ("float16", "float32"),
                )
                for op in function.block.operations
                if op.type != "const" and not op.type.startswith("constexpr_")
                for value in op.outputs
            ]
        return self._graph

    def run(self, inputs: Mapping[str, Array], look_at: Collection[str] = ()) -> dict[str, Array]:
        """See `lading.interface.side.Side.run`."""
        if not look_at:
            return self._run(inputs, None)
        taps = mil.Taps(
            take={made.name for made in self.graph if made.name in look_at and made.real}
        )
        outputs = self._run(inputs, taps)
        values = {name: np.asarray(value, order="C") for name, value in taps.values.items()}
        return {**values, **outputs}

    def statistics(
        self, inputs: Mapping[str, Array]
    ) -> tuple[dict[str, Array], Mapping[str, mil.Statistics]]:
        """The outputs, and of every value its range and what was lost in rounding it."""
        taps = mil.Taps(statistics=True)
        return self._run(inputs, taps), taps.statistics_of

    def work(self, inputs: Mapping[str, Array]) -> list[Work]:
        """What each operation computes in one run, whatever the program leaves open."""
        taps = mil.Taps(shapes=True)
        self._run(inputs, taps)
        fed = {name: tuple(value.shape) for name, value in inputs.items()}
        return program.work(self.model, {**fed, **taps.shapes_of}, taps.calls)

    def spent(self, inputs: Mapping[str, Array], calls: int) -> tuple[float, list[Spent]]:
        """See `lading.interface.side.Watched`; rounding belongs to the operation it follows."""
        return program.spent(self.model, lambda taps: self._run(inputs, taps), calls)

    def _run(self, inputs: Mapping[str, Array], taps: mil.Taps | None) -> dict[str, Array]:
        return self._call(inputs, {"taps": taps}, precision=self.reading)
