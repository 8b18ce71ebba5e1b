"""What the tensors alone prove about an nnU-Net v2 network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lading.network.families.nnunet.names import indices

#: name -> (value, the tensor names that prove it)
Facts = dict[str, tuple[Any, str]]


def facts(tensors: Mapping[str, torch.Tensor]) -> Facts:
    """Every hyper-parameter that shapes and names decide.

    Args:
        tensors: by canonical name, with every sign of the family present.

    Not decided, hence absent: the stride of the first stage (unless a residual skip shows that it
    is 1), whether a network without any norm tensor has a norm without weights, ε, the
    activation, the patch size, and what the classes mean.
    """
    residual = "encoder.stem.convs.0.conv.weight" in tensors
    stages = range(len(indices(tensors, "encoder.stages")))
    found: Facts = (
        _encoder_residual(tensors, stages) if residual else _encoder_plain(tensors, stages)
    )
    first_conv = "encoder.stem.convs.0.conv" if residual else "encoder.stages.0.0.convs.0.conv"
    stem = tensors[f"{first_conv}.weight"]
    head = f"decoder.seg_layers.{len(stages) - 2}.weight"
    ups = [f"decoder.transpconvs.{len(stages) - 1 - s}.weight" for s in stages if s > 0]
    depths = [len(indices(tensors, f"decoder.stages.{s}.convs")) for s in stages[:-1]]
    found |= {
        "architecture": (
            "ResidualEncoderUNet" if residual else "PlainConvUNet",
            "encoder.stages.*.blocks" if residual else "encoder.stages.*.0.convs",
        ),
        "dimension": (stem.ndim - 2, f"{first_conv}.weight"),
        "n_stages": (len(stages), "encoder.stages.*"),
        "input_channels": (stem.shape[1], f"{first_conv}.weight"),
        "num_classes": (tensors[head].shape[0], head),
        "down_strides": ([list(tensors[u].shape[2:]) for u in ups], "decoder.transpconvs.*.weight"),
        "n_conv_per_stage_decoder": (depths, "decoder.stages.*.convs"),
        "conv_bias": (f"{first_conv}.bias" in tensors, f"{first_conv}.bias"),
        "segmentation_heads": (indices(tensors, "decoder.seg_layers"), "decoder.seg_layers.*"),
    }
    found |= _norm(tensors, first_conv.removesuffix(".conv"))
    return found


def _encoder_plain(tensors: Mapping[str, torch.Tensor], stages: range) -> Facts:
    first = [tensors[f"encoder.stages.{s}.0.convs.0.conv.weight"] for s in stages]
    depths = [len(indices(tensors, f"encoder.stages.{s}.0.convs")) for s in stages]
    where = "encoder.stages.*.0.convs.0.conv.weight"
    return {
        "features_per_stage": ([w.shape[0] for w in first], where),
        "kernel_sizes": ([list(w.shape[2:]) for w in first], where),
        "n_conv_per_stage": (depths, "encoder.stages.*.0.convs"),
    }


def _encoder_residual(tensors: Mapping[str, torch.Tensor], stages: range) -> Facts:
    def weight(s: int, conv: int) -> torch.Tensor:
        return tensors[f"encoder.stages.{s}.blocks.0.conv{conv}.conv.weight"]

    deep = "encoder.stages.0.blocks.0.conv3.conv.weight" in tensors
    last, wide = (3, 2) if deep else (2, 1)
    blocks = "encoder.stages.*.blocks"
    found: Facts = {
        "features_per_stage": (
            [weight(s, last).shape[0] for s in stages],
            f"{blocks}.0.conv{last}.conv.weight",
        ),
        "kernel_sizes": (
            [list(weight(s, wide).shape[2:]) for s in stages],
            f"{blocks}.0.conv{wide}.conv.weight",
        ),
        "n_blocks_per_stage": (
            [len(indices(tensors, f"encoder.stages.{s}.blocks")) for s in stages],
            blocks,
        ),
        "stem_channels": (
            tensors["encoder.stem.convs.0.conv.weight"].shape[0],
            "encoder.stem.convs.0.conv.weight",
        ),
        "bottleneck_channels": (
            [weight(s, 1).shape[0] for s in stages] if deep else [],
            f"{blocks}.0.conv1.conv.weight" if deep else f"no {blocks}.0.conv3",
        ),
    }
    # A projection that is the skip's first module has no pooling before it: the stride is 1.
    skip = "encoder.stages.0.blocks.0.skip.0.conv.weight"
    if skip in tensors:
        found["first_stride"] = ([1] * (tensors[skip].ndim - 2), skip)
    return found


def _norm(tensors: Mapping[str, torch.Tensor], block: str) -> Facts:
    weight, mean = f"{block}.norm.weight", f"{block}.norm.running_mean"
    affine = weight in tensors
    if mean in tensors:
        return {"norm": ("batch", mean), "norm_affine": (affine, weight)}
    if affine:
        return {
            "norm": ("instance", f"{weight} without running_mean"),
            "norm_affine": (True, weight),
        }
    return {"norm_affine": (False, f"no {weight}")}
