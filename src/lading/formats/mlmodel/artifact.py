"""A NeuralNetwork file, opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lading.conversion.described import record as recorded
from lading.coreml import described, neuralnetwork
from lading.coreml.neuralnetwork.weights import Weights
from lading.errors import ProgramError, refused
from lading.formats import Artifact, Format, Held, Restore
from lading.formats.mlmodel.side import NetworkSide
from lading.interface.side import Array
from lading.interface.work import Work
from lading.record import ArtifactRecord


class MLModel(Artifact):
    """See `lading.formats.Artifact`."""

    _heavy = ("model",)

    def __init__(self, path: Path, form: Format) -> None:
        super().__init__(path, form)
        self._spec = described.parsed(path)

    @cached_property
    def model(self) -> neuralnetwork.Model:
        """The network as `lading.coreml.neuralnetwork` runs it.

        Raises:
            ProgramError: it cannot be run here.
        """
        return neuralnetwork.load(self.path, spec=self._spec)

    @cached_property
    def record(self) -> ArtifactRecord:
        form, model = self.format, described.describe(self.path, self._spec)
        return recorded(self.path, model, form.name, form.title, "neuralNetwork")

    def constants(self) -> list[Held]:
        """The weights of every layer, flat: this format leaves shapes to the layers."""
        with refused(ProgramError, str(self.path), "a network whose weights can be read"):
            return list(self._constants())

    def _constants(self) -> Iterator[Held]:
        for layer in self.model.network.layers:
            for name, weights in layer.weights():
                held = _held(name, weights, layer.kind.name)
                if held is not None:
                    yield held

    def work(self, fed: Mapping[str, Array] | None = None) -> list[Work]:
        """Of its layers as operations; the format states no sizes, so that without inputs hardly
        any are known."""
        with refused(ProgramError, str(self.path), "a network that can be read"):
            side = self.side()
        return side.work(fed)

    def side(self, reading: str = "declared") -> NetworkSide:
        return NetworkSide(
            self.model, str(self.path), "float16" if reading == "float16" else "float32"
        )

    def widened(self, restore: Restore) -> NetworkSide:
        """The network in fp32, with its weights as they were before they were rounded."""
        network = self.model.network
        layers = tuple(
            replace(
                layer,
                parameters=_unrounded(
                    layer.parameters, {id(w): name for name, w in layer.weights()}, restore
                ),
            )
            for layer in network.layers
        )
        model = neuralnetwork.Model(replace(network, layers=layers))
        return NetworkSide(model, str(self.path))


def _held(name: str, weights: Weights, reader: str) -> Held | None:
    if weights.bits >= 16:
        dtype = "float32" if weights.bits == 32 else "float16"
        return Held(name, np.frombuffer(weights.raw, dtype), dtype, reader)
    if weights.table:
        table = np.asarray(weights.table, np.float32)
        how = f"table of {len(table)}"
        return Held(name, table[weights.numbers()], "float32", reader, how, table=table[None])
    scale, numbers = np.asarray(weights.scale, np.float32), weights.numbers()
    if not scale.size or len(numbers) % scale.size:
        return None
    rows = numbers.reshape(scale.size, -1).astype(np.float32) * scale[:, None]
    if len(weights.offset) == scale.size:
        rows = rows + np.asarray(weights.offset, np.float32)[:, None]
    step = np.broadcast_to(np.abs(scale)[:, None], rows.shape).reshape(-1)
    how = f"{weights.bits} bits, linear"
    return Held(name, rows.reshape(-1), "float32", reader, how, step)


def _unrounded(value: Any, names: Mapping[int, str], restore: Restore) -> Any:
    if isinstance(value, Mapping):
        return {name: _unrounded(one, names, restore) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_unrounded(one, names, restore) for one in value)
    if not isinstance(value, Weights) or value.bits == 32:
        return value
    if value.bits != 16:  # packed: nothing puts it back
        restore.unknown += 1
        return value
    rounded = np.frombuffer(value.raw, "<f2").astype(np.float16)
    wide = restore.constant(rounded, names.get(id(value), ""))
    return Weights(np.ascontiguousarray(wide).astype("<f4").tobytes(), place=value.place)
