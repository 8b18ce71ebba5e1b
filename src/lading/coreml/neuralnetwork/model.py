"""A loaded network: `load` it, `predict` with it. The contract is coremltools' `MLModel`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from lading.coreml.mil import features
from lading.coreml.neuralnetwork import network
from lading.coreml.neuralnetwork.network import Layer, Network
from lading.coreml.neuralnetwork.taps import Taps
from lading.errors import ProgramError, RequestError
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
    """

    def __init__(self, source: Network) -> None:
        self.network = source
        self.metadata: Mapping[str, str] = source.metadata
        self._layers: dict[str, Sequence[Layer]] = {"float32": source.layers}
        self._last_uses = _last_uses(source)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What `predict` takes."""
        return tuple(feature.port() for feature in self.network.interface.inputs)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What `predict` gives."""
        return tuple(feature.port() for feature in self.network.interface.outputs)

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
                file allows, cast to the declared dtype; `PIL.Image` for image inputs.
            precision: of the arithmetic, see `Precision`.
            taps: what to look at inside, see `lading.coreml.neuralnetwork.Taps`.

        Returns:
            outputs by name: arrays of the declared dtype, `PIL.Image` for image outputs, and for a
            classifier the label and a dictionary of probabilities.

        Raises:
            InputError: an input that the network does not take, or of a wrong shape or range.
            ProgramError: the network cannot be run as it says; names the layer.
            RequestError: an unknown precision, or taps of a value that there is not.
        """
        if precision not in PRECISIONS:
            raise RequestError(
                f"precision {precision!r}",
                found=repr(precision),
                expected=" or ".join(map(repr, PRECISIONS)),
                remedy="leave it out for float32",
            )
        described = self.network.interface
        features.check_names(data, described.inputs)
        half = precision == "float16"
        values: dict[str, torch.Tensor] = {}
        for feature in described.inputs:
            taken = (
                features.take(feature, data[feature.name], "")
                if feature.name in data
                else features.missing(feature, "")
            )
            values[feature.name] = self._entered(feature.name, taken, half)
        if precision not in self._layers:
            self._layers[precision] = [layer.half() for layer in self.network.layers]
        if taps is not None:
            taps.keep(values, list(values))
        with torch.inference_mode():
            for index, layer in enumerate(self._layers[precision]):
                _run(layer, values, half)
                if taps is not None:
                    taps.keep(values, layer.outputs)
                for name in self._last_uses.get(index, ()):
                    values.pop(name, None)
        if taps is not None:
            taps.require()
        return self._left(values)

    def _entered(self, name: str, taken: np.ndarray[Any, Any], half: bool) -> torch.Tensor:
        """An input as the first layer gets it: floats, pictures scaled."""
        value = torch.from_numpy(taken.astype(np.float32))
        scaling = self.network.scalings.get(name)
        if scaling is not None:
            value = value * scaling.scale + torch.tensor(scaling.offset).reshape(-1, 1, 1)
            if scaling.mean:
                value = value - torch.tensor(scaling.mean).reshape(value.shape[1:])
        # Whole numbers are indices: no compute unit rounds them before they are looked up.
        return value.half().float() if half and taken.dtype.kind == "f" else value

    def _left(self, values: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """The outputs as the caller gets them."""
        described = self.network.interface
        results: dict[str, Any] = {}
        if self.network.labels:
            results |= self._classified(self._value(values, self.network.probabilities))
        for feature in described.outputs:
            if feature.name in results:
                continue
            array = self._value(values, feature.name).numpy()
            if feature.dtype and not feature.color:
                whole = np.dtype(feature.dtype).kind in "iu"
                array = (np.rint(array) if whole else array).astype(feature.dtype)
            results[feature.name] = features.give(feature, array)
        return {feature.name: results[feature.name] for feature in described.outputs}

    def _classified(self, scores: torch.Tensor) -> dict[str, Any]:
        labels, described = self.network.labels, self.network.interface
        if scores.numel() != len(labels):
            raise self._broken(
                f"{scores.numel()} probabilities for {len(labels)} labels", "one for each label"
            )
        shares = [float(share) for share in scores.flatten()]
        best = labels[int(np.argmax(shares))]
        return {
            described.label: best,
            described.probabilities: dict(zip(labels, shares, strict=True)),
        }

    def _value(self, values: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
        if name not in values:
            raise self._broken(f"no layer that gives {name!r}", "every output computed")
        return values[name]

    def _broken(self, found: str, expected: str) -> ProgramError:
        return ProgramError(
            str(self.network.path),
            found=found,
            expected=expected,
            remedy="copy or convert the file again",
        )


def load(path: str | Path) -> Model:
    """The network in a `.mlmodel` file.

    Raises:
        ProgramError: missing, damaged, no neural network, or with a layer that cannot be run here.
    """
    return Model(network.read(path))


def _last_uses(source: Network) -> dict[int, list[str]]:
    """After which layer a value is of no more use, by the layer's place; outputs always are."""
    last = {name: i for i, one in enumerate(source.layers) for name in (*one.inputs, *one.outputs)}
    kept = {feature.name for feature in source.interface.outputs} | {source.probabilities}
    places: dict[int, list[str]] = {}
    for name, place in last.items():
        if name not in kept:
            places.setdefault(place, []).append(name)
    return places


def _run(layer: Layer, values: dict[str, torch.Tensor], half: bool) -> None:
    """One layer: its outputs are put among the values.

    Raises:
        ProgramError: it cannot be run on these inputs.
    """
    missing = [name for name in layer.inputs if name not in values]
    if missing:
        raise ProgramError(
            layer.place,
            found=f"no value {missing[0]!r}",
            expected="every input computed by a layer before",
            remedy="copy or convert the file again",
        )
    inputs = [values[name] for name in layer.inputs]
    try:
        made = layer.kind.function(*inputs, **layer.parameters)
    except ProgramError:
        raise
    except Exception as reason:  # torch's, of many kinds: shapes that do not fit, ids out of range
        shapes = ", ".join(str(list(one.shape)) for one in inputs)
        raise ProgramError(
            layer.place,
            found=f"{str(reason).splitlines()[0] if str(reason) else type(reason).__name__}"[:200],
            expected=f"inputs and parameters that fit each other; inputs of shape {shapes}",
            remedy="check the values fed, or convert again",
        ) from reason
    results = made if isinstance(made, tuple) else (made,)
    for name, result in zip(layer.outputs, results, strict=False):
        # There is no array of rank 0 in this format.
        result = result.reshape(1) if result.dim() == 0 else result
        values[name] = result.half().float() if half and not layer.kind.exact else result
