"""The diffusion UNets of improved-diffusion and guided-diffusion, and what was made from them.

`shapes` knows what tensors prove, `names` what a configuration says, `read` weighs them, `network`
is the network, and `task` what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lading.checkpoint import Checkpoint
from lading.network.families import Rebuilt
from lading.network.families.guided_diffusion import read as reader
from lading.network.families.guided_diffusion import shapes
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.network.families.guided_diffusion.task import task
from lading.record import Recognition, Sign


class GuidedDiffusion:
    """The family of guided-diffusion's UNets."""

    name = reader.FAMILY
    title = reader.TITLE
    takes_config = True

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """The eight signs, see `shapes.signs`."""
        return shapes.signs(checkpoint)

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """Every hyper-parameter with its evidence, see `read.read`."""
        return reader.read(checkpoint, settings)

    def build(self, recognition: Recognition) -> Rebuilt:
        """The network on the meta device, in eval mode: no weight is drawn only to be replaced."""
        with torch.device("meta"):
            module = UNet(config(recognition)).eval()
        return Rebuilt(module, task(recognition), unused={})


def config(recognition: Recognition) -> Config:
    """The hyper-parameters as the network takes them."""
    known: dict[str, Any] = {one.name: one.value for one in recognition.hyperparameters}
    return Config(
        in_channels=known["in_channels"],
        out_channels=known["out_channels"],
        model_channels=known["model_channels"],
        num_res_blocks=known["num_res_blocks"],
        attention_resolutions=tuple(known["attention_resolutions"]),
        channel_mult=tuple(known["channel_mult"]),
        conv_resample=known["conv_resample"],
        dims=known["dims"],
        num_classes=known.get("num_classes"),
        num_heads=known["num_heads"],
        num_head_channels=known["num_head_channels"],
        num_heads_upsample=known["num_heads_upsample"],
        use_scale_shift_norm=known["use_scale_shift_norm"],
        resblock_updown=known["resblock_updown"],
        use_new_attention_order=known["use_new_attention_order"],
        super_resolution=known["super_resolution"],
        norm_groups=known["norm_groups"],
        norm_eps=known["norm_eps"],
    )


FAMILY = GuidedDiffusion()
