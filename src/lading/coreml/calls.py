"""Several calls of one network, in arrays with one axis more than its inputs have: the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from lading.errors import InputError

Array = npt.NDArray[Any]


def calls(inputs: Mapping[str, Array], ranks: Mapping[str, int]) -> list[dict[str, Array]]:
    """The inputs of each call in turn; of one, where no array has that axis.

    Args:
        inputs: by name.
        ranks: axes that an input has in one call, by name.

    Raises:
        InputError: some have that axis and some do not, or of another length.

    >>> import numpy as np
    >>> [one["x"].tolist() for one in calls({"x": np.array([[1.0], [2.0]])}, {"x": 1})]
    [[1.0], [2.0]]
    >>> len(calls({"x": np.array([1.0])}, {"x": 1}))
    1
    """
    counts = {
        name: len(value) if value.ndim > ranks.get(name, value.ndim) else 0
        for name, value in inputs.items()
    }
    if not any(counts.values()):
        return [dict(inputs)]
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} of {count or 'one call without it'}"
                         for name, count in counts.items())  # fmt: skip
        raise InputError(
            "inputs of several calls",
            found=told,
            expected="a first axis of the same length in every input: the calls",
            remedy="give every input as many values as there are calls",
        )
    return [{name: value[place] for name, value in inputs.items()}
            for place in range(max(counts.values()))]  # fmt: skip
