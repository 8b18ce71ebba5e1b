"""A loaded network: `load` it, `predict` with it. The contract is coremltools' `MLModel`'s."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from lading.coreml import mil
from lading.coreml.mil.package import Package
from lading.coreml.mil.program import Program
from lading.coreml.mil.taps import Taps
from lading.coreml.neuralnetwork import five, lowering, network
from lading.coreml.neuralnetwork.network import Network
from lading.errors import ProgramError, RequestError, refused
from lading.record import Port

#: ``"float32"``: as the CPU computes. ``"float16"``: weights, inputs and the result of every layer
#: rounded to float16, as the GPU and the Neural Engine keep them; the sums inside a layer are not.
Precision = Literal["float32", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Model:
    """A network that runs here. It may be called from several threads at once.

    Attributes:
        network: the file as data.
        metadata: the user-defined metadata, see `lading.coreml.mil.description.metadata`.

    Raises:
        ProgramError: a layer cannot be run as it says; names the layer.
    """

    def __init__(self, source: Network) -> None:
        self.network = source
        self.metadata: Mapping[str, str] = source.metadata
        self._lock = threading.Lock()
        self._lowered = {"float32": _model(source, half=False)}

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What `predict` takes."""
        return tuple(feature.port() for feature in self.network.interface.inputs)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What `predict` gives."""
        return tuple(feature.port() for feature in self.network.interface.outputs)

    @property
    def program(self) -> Program:
        """The network as a program, in the reading in float32."""
        return self.lowered("float32").program

    def lowered(self, precision: Precision) -> mil.Model:
        """The network as `lading.coreml.mil` runs it.

        Raises:
            RequestError: an unknown precision.
        """
        if precision not in PRECISIONS:
            raise RequestError(
                f"precision {precision!r}",
                found=repr(precision),
                expected=" or ".join(map(repr, PRECISIONS)),
                remedy="leave it out for float32",
            )
        with self._lock:
            if precision not in self._lowered:
                self._lowered[precision] = _model(self.network, half=True)
            return self._lowered[precision]

    def predict(
        self,
        data: Mapping[str, Any],
        *,
        precision: Precision = "float32",
        taps: Taps | None = None,
    ) -> dict[str, Any]:
        """Run the network.

        Args:
            data: inputs by name: arrays (or what `numpy.asarray` takes) of the shapes that the
                file allows (before iOS 13 see `lading.coreml.neuralnetwork.five`), cast to the
                declared dtype; `PIL.Image` for image inputs.
            precision: of the arithmetic, see `Precision`.
            taps: what to look at inside, see `lading.coreml.mil.Taps`; what layers give has the
                names of the file.

        Returns:
            outputs by name: arrays of the declared dtype, `PIL.Image` for image outputs, and for a
            classifier the label and a dictionary of probabilities.

        Raises:
            InputError: an input that the network does not take, or of a wrong shape or range.
            ProgramError: the network cannot be run as it says; names the layer.
            RequestError: an unknown precision.
        """
        model, described = self.lowered(precision), self.network.interface
        if not self.network.five:
            return model.predict(data, taps=taps)
        given = five.enter(described, data) if "arrays" in self.network.five else data
        return five.leave(described, model.predict(given, taps=taps))


def _model(source: Network, *, half: bool) -> mil.Model:
    interface = source.interface
    if "arrays" in source.five:
        interface = five.inner(interface, source.path)
    package = Package(
        path=source.path,
        specification=source.specification,
        program=lowering.program(source, half=half),
        parts=(),
        interfaces={"": interface},
        default_function="main",
        metadata=source.metadata,
    )
    return mil.Model(package)


def load(path: str | Path, *, spec: Any = None) -> Model:
    """The network in a `.mlmodel` file.

    Raises:
        ProgramError: missing, damaged, no neural network, or with a layer that cannot be run here.
    """
    with refused(ProgramError, str(path), "a neural network that can be run"):
        return Model(network.read(path, spec))
