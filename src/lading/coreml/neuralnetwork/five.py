"""The five axes of networks before iOS 13: every array is [Seq, Batch, C, H, W] inside.

An input declared [C] or [C, H, W] comes in that shape, or with Seq and Batch before it. An output
goes out in its declared shape where it has as many elements, else without the axes before and
behind that are 1 in it: [Seq, Batch, C] of vectors, else all five.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.coreml.mil import features
from lading.coreml.mil.features import Feature, Interface
from lading.errors import ProgramError

Array = npt.NDArray[Any]


def inner(interface: Interface, path: object) -> Interface:
    """The interface of the network behind `enter`: arrays of five axes and of any size.

    Raises:
        ProgramError: an input is declared with other than one or three axes.
    """
    for feature in interface.inputs:
        if not feature.color and len(feature.shape) not in (1, 3):
            raise ProgramError(
                f"{path}: input {feature.name}",
                found=f"a shape of {len(feature.shape)} axes, {list(feature.shape)}",
                expected="[C] or [C, H, W], as before iOS 13",
                remedy="convert the original again with coremltools 4 or later",
            )
    return replace(interface, inputs=tuple(map(_anyhow, interface.inputs)))


def _anyhow(feature: Feature) -> Feature:
    if feature.color:
        return feature
    return replace(feature, shape=(), ranges=(), enumerated=())


def enter(interface: Interface, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the caller gave, its arrays with five axes; what may be left out is filled in.

    Raises:
        InputError: an array of another shape than declared, or of no numbers.
    """
    given = dict(data)
    for feature in interface.inputs:
        if feature.color:
            continue
        if feature.name in data:
            given[feature.name] = _entered(feature, data[feature.name])
        elif feature.optional:
            given[feature.name] = _entered(feature, features.missing(feature, ""))
    return given


def _entered(feature: Feature, value: Any) -> Array:
    array, rank = np.asarray(value), len(feature.shape)
    if rank == 1 and array.ndim == 5 and array.shape[3:] == (1, 1):
        array = array[..., 0, 0]
    if array.ndim != rank + 2:
        array = features.take(feature, value, "")[None, None]
    each = array.reshape(-1, *array.shape[2:])
    features.take(feature, each[0] if len(each) else np.empty(array.shape[2:]), "")
    return array.reshape(*array.shape, *[1] * (3 - rank))


def leave(interface: Interface, results: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs as the caller gets them."""
    known = {feature.name: feature for feature in interface.outputs}
    return {name: _left(known[name], value) for name, value in results.items()}


def _left(feature: Feature, value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.ndim != 5:
        return value
    shape = feature.shape
    if shape and math.prod(shape) == value.size:
        return value.reshape(shape)
    flat = value.shape[3:] == (1, 1) and len(shape) != 3
    value = value[..., 0, 0] if flat else value
    return value[0, 0] if value.shape[:2] == (1, 1) else value
