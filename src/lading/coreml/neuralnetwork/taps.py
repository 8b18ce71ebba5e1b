"""Looking inside a run: intermediate values by their names in the file.

>>> taps = Taps(take=["conv_out"])  # then: model.predict(inputs, taps=taps)
>>> taps.values
{}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lading.errors import RequestError


@dataclass
class Taps:
    """What to keep of one call of `predict`, and afterwards what was kept.

    One `Taps` serves one call at a time.

    Attributes:
        take: names of values: inputs as the first layer gets them, and what layers give.
        values: the values kept, float32, as the layers after them get them.
    """

    take: Collection[str]
    values: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted = frozenset(self.take)

    def keep(self, values: Mapping[str, torch.Tensor], names: Collection[str]) -> None:
        """Keeps those of `names` that are wanted: a copy, as a later layer may write over it."""
        for name in names:
            if name in self._wanted and name in values:
                self.values[name] = np.array(values[name].numpy())

    def require(self) -> None:
        """Passes only if everything that was asked for was seen.

        Raises:
            RequestError: a name that no value of the network has.
        """
        missing = sorted(self._wanted - set(self.values))
        if missing:
            raise RequestError(
                f"taps {', '.join(missing[:3])}",
                found="no value of that name",
                expected="the name of an input or of what a layer gives",
                remedy="look at the layers: model.network.layers",
            )
