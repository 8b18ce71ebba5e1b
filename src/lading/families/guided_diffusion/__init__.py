"""The diffusion UNets of improved-diffusion and guided-diffusion, and what was made from them.

`network` is the network.
"""

from __future__ import annotations

from collections.abc import Mapping

from lading.checkpoint import Checkpoint
from lading.errors import RecognitionError
from lading.evidence import Recognition, Sign
from lading.family import Rebuilt

SIGNS = ("time_embed.0.weight", "input_blocks.0.0.weight", "middle_block.0.in_layers.0.weight")


class GuidedDiffusion:
    """The family; its hyper-parameters are not read yet."""

    name = "guided_diffusion"
    title = "guided-diffusion UNet"

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """See `lading.family.Family`."""
        return tuple(Sign(name, name in checkpoint.tensors) for name in SIGNS)

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """See `lading.family.Family`."""
        raise RecognitionError(
            checkpoint.record.path,
            found="a diffusion UNet",
            expected="a family whose hyper-parameters can be read",
            remedy="convert another network",
        )

    def build(self, recognition: Recognition) -> Rebuilt:
        """See `lading.family.Family`."""
        raise NotImplementedError


FAMILY = GuidedDiffusion()
