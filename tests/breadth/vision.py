"""torchvision beside a CPU-only torch: what its extension would declare, so that it imports.

Its wheel on the package index is built for another torch; the networks need none of its own
operators.
"""

from __future__ import annotations

import importlib.util

import torch

if importlib.util.find_spec("torchvision") is not None:
    LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
