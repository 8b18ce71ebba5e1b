"""Networks of libraries whose users write a line of their own to make one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import tests.breadth.vision  # noqa: F401  # before what imports torchvision


def language(causal: bool = True, **how: Any) -> Any:
    """An x-transformers language model."""
    from x_transformers import Decoder, Encoder, TransformerWrapper

    kind = Decoder if causal else Encoder
    return TransformerWrapper(
        num_tokens=50, max_seq_len=24, attn_layers=kind(dim=32, depth=2, heads=4, **how)
    )


def picture(**how: Any) -> Any:
    """An x-transformers picture classifier."""
    from x_transformers import Encoder, ViTransformerWrapper

    layers = Encoder(dim=32, depth=2, heads=4, **how)
    return ViTransformerWrapper(image_size=32, patch_size=8, num_classes=5, attn_layers=layers)


def lightning_module() -> Any:
    """The class, made where it is asked for: importing Lightning takes seconds."""
    import lightning

    class Segmenter(lightning.LightningModule):
        def __init__(self, width: int = 8, rate: float = 1e-3) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, 2, 1),
            )  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.net(x)
            return answer

    return Segmenter


def segmenter(**how: Any) -> Any:
    """A Lightning module."""
    return lightning_module()(**how)


def patches() -> Any:
    """A vision transformer of einops layers."""
    from einops.layers.torch import Rearrange, Reduce

    return nn.Sequential(
        Rearrange("b c (h p) (w q) -> b (h w) (p q c)", p=8, q=8), nn.Linear(192, 32),
        nn.LayerNorm(32), nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True),
        Reduce("b n d -> b d", "mean"), nn.Linear(32, 6),
    )  # fmt: skip
