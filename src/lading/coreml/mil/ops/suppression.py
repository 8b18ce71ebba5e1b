"""Non-maximum suppression of boxes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact


def _overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of each pair of boxes (B, 4) = x, y of the centre, width, height."""
    x, y, w, h = boxes.double().unbind(-1)
    left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    width = torch.minimum(right[:, None], right) - torch.maximum(left[:, None], left)
    height = torch.minimum(bottom[:, None], bottom) - torch.maximum(top[:, None], top)
    shared = width.clamp(min=0) * height.clamp(min=0)
    area = w * h
    return shared / (area[:, None] + area - shared)


def _kept(
    boxes: Tensor, scores: Tensor, iou: float, least: float, most: int, per_class: bool
) -> list[int]:
    """Indices of the boxes that stay, the best first; never none, the best always stays.

    Args:
        boxes: (B, 4).
        scores: (B, K); a box counts with its best class.
        iou: what a box may share with a better one.
        least: the score that a box needs.
        most: how many may stay.
        per_class: boxes compete only with those of their class.
    """
    best, label = scores.max(-1)
    order = torch.argsort(best, descending=True, stable=True).tolist()
    rivals = _overlaps(boxes) > iou
    if per_class:
        rivals &= label[:, None] == label
    kept: list[int] = []
    for index in order:
        if len(kept) == most or float(best[index]) < least:
            break
        if not kept or not bool(rivals[index, kept].any()):
            kept.append(index)
    return kept or order[:1]


def _suppressed(
    boxes: Tensor, scores: Tensor, iou: float, least: float, most: int, per_class: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """boxes (N, B, 4), scores (N, B, K) to those kept, filled up with zeros and indices -1."""
    N, _, K = scores.shape
    out_boxes, out_scores = boxes.new_zeros(N, most, 4), scores.new_zeros(N, most, K)
    indices = torch.full((N, most), -1, dtype=torch.int32)
    counts = torch.zeros(N, dtype=torch.int32)
    for n in range(N):
        kept = _kept(boxes[n], scores[n], iou, least, most, per_class)
        out_boxes[n, : len(kept)] = boxes[n, kept]
        out_scores[n, : len(kept)] = scores[n, kept]
        indices[n, : len(kept)] = torch.tensor(kept, dtype=torch.int32)
        counts[n] = len(kept)
    return out_boxes, out_scores, indices, counts


@exact
def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    score_threshold: float,
    max_boxes: int,
    per_class_suppression: bool = False,
) -> Sequence[Tensor]:
    """boxes (N, B, 4) = centre x, y, width, height; scores (N, B, K): the boxes, scores and
    indices that stay, and how many of them."""
    return _suppressed(
        boxes, scores, iou_threshold, score_threshold, max_boxes, per_class_suppression
    )


@exact
def non_maximum_suppression_ios17(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    max_boxes: int,
    per_class_suppression: bool = False,
) -> Sequence[Tensor]:
    """As before, with boxes (N, 4, B) and scores (N, K, B), no least score and no count."""
    some, theirs, indices, _ = _suppressed(
        boxes.transpose(1, 2),
        scores.transpose(1, 2),
        iou_threshold,
        float("-inf"),
        max_boxes,
        per_class_suppression,
    )
    return some.transpose(1, 2), theirs.transpose(1, 2), indices
