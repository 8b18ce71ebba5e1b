"""Scaling pictures up and to a size, over the last two axes.

The modes differ in where the points between the elements lie at which a result is taken (Apple's
NeuralNetwork.proto, `SamplingMode` and `LinearUpsampleMode`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading.coreml.neuralnetwork.builder import Builder, Ref

_MODES = {
    "STRICT_ALIGN_ENDPOINTS_MODE": "STRICT_ALIGN_CORNERS",
    "ALIGN_ENDPOINTS_MODE": "ALIGN_CORNERS",
    "UPSAMPLE_MODE": "DEFAULT",
    "ROI_ALIGN_MODE": "OFFSET_CORNERS",
}


def upsample(
    b: Builder,
    x: Ref,
    *,
    scaling_factor: Sequence[int] = (),
    fractional_scaling_factor: Sequence[float] = (),
    mode: str = "NN",
    linear_upsample_mode: str = "DEFAULT",
) -> Any:
    """By a factor for each axis; nearest neighbour takes the element that a point lies in."""
    height, width = scaling_factor or fractional_scaling_factor or (1, 1)
    if mode == "NN":
        return b.upsample_nearest_neighbor(x, height, width)
    corners = linear_upsample_mode == "ALIGN_CORNERS_TRUE"
    centers = linear_upsample_mode == "ALIGN_CORNERS_FALSE"
    return b.upsample_bilinear(x, height, width, corners, centers)


def resize_bilinear(
    b: Builder,
    x: Ref,
    *,
    target_size: Sequence[int] = (),
    mode: Mapping[str, Any] | None = None,
) -> Any:
    """To a size for each axis."""
    method = (mode or {}).get("sampling_method", "STRICT_ALIGN_ENDPOINTS_MODE")
    height, width = target_size or (1, 1)
    return b.resize_bilinear(x, height, width, _MODES[method])
