"""nnU-Net v2: U-Nets with a plain or a residual encoder, in 2-D and 3-D.

`names` knows the tensors' names, `shapes` what they prove, `plans` and `dataset` what the JSON
says, `read` weighs them, `network` is the network, and `task` what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from lading.checkpoint import Checkpoint
from lading.network.families import Rebuilt
from lading.network.families.nnunet.names import signs, spellings
from lading.network.families.nnunet.network import Plan, Style, UNet
from lading.network.families.nnunet.read import read
from lading.network.families.nnunet.task import task
from lading.record import Recognition, Sign


class NNUNet:
    """The family of nnU-Net v2's networks."""

    name = "nnunet"
    title = "nnU-Net v2"

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """The seven signs, see `names.signs`."""
        return signs(checkpoint)

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """Every hyper-parameter with its evidence, see `read.read`."""
        return read(checkpoint, settings)

    def build(self, recognition: Recognition) -> Rebuilt:
        """The network on the meta device, in eval mode: no weight is drawn only to be replaced."""
        with torch.device("meta"):
            module = UNet(plan(recognition)).eval()
        unused = dict(_unused(recognition))
        names = [*module.state_dict(), *unused]
        return Rebuilt(module, task(recognition), unused, spellings(names))


def plan(recognition: Recognition) -> Plan:
    """The hyper-parameters as the network takes them."""
    known: dict[str, Any] = {one.name: one.value for one in recognition.hyperparameters}

    def sizes(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(row) for row in rows)

    style = Style(
        dimension=known["dimension"],
        bias=known["conv_bias"],
        norm=known["norm"],
        affine=known.get("norm_affine", False),
        eps=known.get("norm_eps", 0.0),
        nonlin=known["nonlin"],
        slope=known.get("negative_slope", 0.0),
        nonlin_first=known.get("nonlin_first", False),
    )
    return Plan(
        architecture=known["architecture"],
        style=style,
        channels=known["input_channels"],
        classes=known["num_classes"],
        features=tuple(known["features_per_stage"]),
        kernels=sizes(known["kernel_sizes"]),
        strides=sizes([known["first_stride"], *known["down_strides"]]),
        depths=tuple(known.get("n_conv_per_stage") or known["n_blocks_per_stage"]),
        decoder_depths=tuple(known["n_conv_per_stage_decoder"]),
        stem=known.get("stem_channels", 0),
        bottleneck=tuple(known.get("bottleneck_channels", ())),
    )


def _unused(recognition: Recognition) -> list[tuple[str, str]]:
    """The heads below full resolution, which only the loss in training reads."""
    heads, strides = recognition["segmentation_heads"], recognition["down_strides"]
    found = []
    for head in heads[:-1]:
        # head 0 is one step above the lowest resolution: what lies above it are the first strides
        steps = strides[: len(strides) - 1 - head]
        scale = [prod(column) for column in zip(*steps, strict=True)]
        told = f"1/{scale[0]}" if len(set(scale)) == 1 else "x".join(f"1/{s}" for s in scale)
        reason = f"unused at inference: deep-supervision head at {told}"
        found += [(f"decoder.seg_layers.{head}.{part}", reason) for part in ("weight", "bias")]
    return found


FAMILY = NNUNet()
