"""A family: two linear layers with a ReLU between them, ``first`` and ``second``."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.network.families import Rebuilt
from lading.network.reading import Reading, integer
from lading.record import Port, Recognition, Sign, Task

NAMES = ("first.weight", "first.bias", "second.weight", "second.bias")


class TwoLayers(nn.Module):
    """``second(relu(first(x)))``"""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


class Family:
    """See `lading.network.families.Family`."""

    name = "two_layers"
    title = "Two linear layers"

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        missing = [name for name in NAMES if name not in checkpoint.tensors]
        found = f"no {missing[0]}" if missing else ", ".join(NAMES)
        return (Sign("the tensors first and second, weight and bias", not missing, found),)

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        first, second = (checkpoint.tensors[f"{name}.weight"] for name in ("first", "second"))
        reading = Reading(settings, checkpoint.record.path)
        shapes = {"inputs": first.shape[1], "hidden": first.shape[0], "outputs": second.shape[0]}
        for name, size in shapes.items():
            reading.claim(name, size, "tensors", "first.weight, second.weight")
            reading.settle(name, integer())
        return reading.finish(self.name, self.title, self.signs(checkpoint))

    def build(self, recognition: Recognition) -> Rebuilt:
        inputs, hidden, outputs = (recognition[n] for n in ("inputs", "hidden", "outputs"))
        with torch.device("meta"):
            module = TwoLayers(inputs, hidden, outputs).eval()
        x = Port("x", "tensor", "float32", (1, inputs), value_range=(-1.0, 1.0))
        y = Port("y", "tensor", "float32", (1, outputs))
        return Rebuilt(module, Task("module", (x,), (y,)), unused={})


FAMILY = Family()
