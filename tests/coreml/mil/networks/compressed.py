"""Ways of `coremltools.optimize` to pack weights, each on one of two networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.coreml.mil.networks.attention import Causal
from tests.coreml.mil.networks.table import Network, Residual, noise, tokens


def coarse() -> nn.Module:
    """A convolutional network; its weights take 16 values, of neighbours only 16 pairs."""
    module = pictures()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_((weight / weight.std()).round().clamp(-2, 1) * weight.std())
    return module


def pictures() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, groups=2), nn.ReLU(),
        nn.ConvTranspose2d(32, 8, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 16),
    )  # fmt: skip


def reader() -> nn.Module:
    return nn.Sequential(
        nn.Embedding(24, 16), Residual(nn.LayerNorm(16), Causal(16, 4, True)), nn.Linear(16, 32),
        nn.GELU(), nn.Linear(32, 8),
    )  # fmt: skip


@dataclass(frozen=True)
class Packed:
    """A network and what is done to its weights.

    Attributes:
        network: the network, and how it is converted.
        pack: from the converted `MLModel` to the packed one.
        holds: operations that the packed program must hold.
        dtype: the packed dtype that one of their constants must have; empty if it is all the same.
    """

    network: Network
    pack: Callable[[Any], Any]
    holds: frozenset[str]
    dtype: str = ""


def linear(**options: Any) -> Callable[[Any], Any]:
    def pack(model: Any, **more: Any) -> Any:
        import coremltools.optimize.coreml as cto

        config = cto.OpLinearQuantizerConfig(weight_threshold=64, **options)
        return cto.linear_quantize_weights(model, cto.OptimizationConfig(config), **more)

    return pack


def palette(**options: Any) -> Callable[[Any], Any]:
    def pack(model: Any, **more: Any) -> Any:
        import coremltools.optimize.coreml as cto

        config = cto.OpPalettizerConfig(weight_threshold=64, **{"mode": "uniform", **options})
        return cto.palettize_weights(model, cto.OptimizationConfig(config), **more)

    return pack


def pruned(**options: Any) -> Callable[[Any], Any]:
    def pack(model: Any) -> Any:
        import coremltools.optimize.coreml as cto

        config = cto.OpMagnitudePrunerConfig(weight_threshold=64, **options)
        return cto.prune_weights(model, cto.OptimizationConfig(config))

    return pack


def both(first: Callable[[Any], Any], second: Callable[..., Any]) -> Callable[[Any], Any]:
    """One after the other, jointly: the second packs what the first has left."""
    return lambda model: second(first(model), joint_compression=True)


def two_scales(weight: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """A palette of one's own: four levels of both signs."""
    table = np.array([-0.2, -0.05, 0.05, 0.2], np.float32)
    indices = np.abs(weight.reshape(-1, 1) - table).argmin(1)
    return table.tolist(), indices.astype(np.uint8)


PICTURES = ("pictures", pictures, noise((2, 4, 15, 15)))
TEXT = ("reader", reader, tokens(24, (2, 9)))


def _line(
    name: str, base: tuple[Any, Any, Any], pack: Callable[[Any], Any], *holds: str,
    dtype: str = "", target: str = "iOS16", half: bool = False,
) -> Packed:  # fmt: skip
    network = Network(f"{base[0]}: {name}", *base[1:], target=target, half=half)
    return Packed(network, pack, frozenset(f"constexpr_{one}" for one in holds), dtype)


_BLOCKS = {"granularity": "per_block", "block_size": 8}
_GROUPS = {"granularity": "per_grouped_channel", "group_size": 4}
_PRUNED = pruned(target_sparsity=0.6)

PACKED = [
    _line("8 bits, symmetric", PICTURES, linear(), "affine_dequantize", dtype="int8"),
    _line("8 bits, unsigned, one scale, float16", PICTURES,
          linear(mode="linear", dtype="uint8", granularity="per_tensor"), "affine_dequantize",
          dtype="uint8", half=True),
    _line("8 bits, iOS 18", TEXT, linear(), "blockwise_shift_scale", dtype="int8", target="iOS18"),
    _line("4 bits in blocks", PICTURES, linear(dtype="int4", **_BLOCKS), "blockwise_shift_scale",
          dtype="int4", target="iOS18"),
    _line("4 bits in blocks, unsigned", TEXT, linear(dtype="uint4", mode="linear", **_BLOCKS),
          "blockwise_shift_scale", dtype="uint4", target="iOS18"),
    _line("palette of 8 bits", PICTURES, palette(nbits=8), "lut_to_dense", dtype="uint8"),
    _line("palette of 6 bits", PICTURES, palette(nbits=6), "lut_to_dense", dtype="uint8"),
    _line("palette of 6 bits, iOS 18", TEXT, palette(nbits=6), "lut_to_dense", dtype="uint6",
          target="iOS18"),
    _line("palette of 4 bits", TEXT, palette(nbits=4), "lut_to_dense", dtype="uint4",
          target="iOS18"),
    _line("palette of 3 bits", PICTURES, palette(nbits=3), "lut_to_dense", dtype="uint3",
          target="iOS18"),
    _line("palette of 2 bits, by hand", PICTURES,
          palette(mode="custom", lut_function=two_scales), "lut_to_dense", dtype="uint2",
          target="iOS18"),
    _line("palette of 2 bits, iOS 16", PICTURES, palette(nbits=2), "lut_to_dense"),
    _line("palette of 1 bit", PICTURES, palette(nbits=1), "lut_to_dense", dtype="uint1",
          target="iOS18"),
    _line("palettes of 4 bits, one for four channels", PICTURES, palette(nbits=4, **_GROUPS),
          "lut_to_dense", dtype="uint4", target="iOS18"),
    _line("palette of 4 bits, a scale for each channel", PICTURES,
          palette(nbits=4, enable_per_channel_scale=True, **_GROUPS), "lut_to_dense",
          "blockwise_shift_scale", target="iOS18"),
    _line("palette of pairs", ("coarse", coarse, PICTURES[2]),
          palette(mode="unique", cluster_dim=2), "lut_to_dense", dtype="uint4", target="iOS18"),
    _line("pruned", PICTURES, _PRUNED, "sparse_to_dense"),
    _line("pruned, two of four, iOS 18", PICTURES, pruned(n_m_ratio=(2, 4)), "sparse_to_dense",
          dtype="uint1", target="iOS18"),
    _line("pruned, then 8 bits", PICTURES, both(_PRUNED, linear()),
          "sparse_blockwise_shift_scale", "sparse_to_dense", dtype="int8", target="iOS18"),
    _line("pruned, then a palette of 4 bits", PICTURES, both(_PRUNED, palette(nbits=4)),
          "lut_to_sparse", "sparse_to_dense", dtype="uint4", target="iOS18"),
    _line("palette of 4 bits, itself of 8 bits", TEXT,
          both(palette(nbits=4), linear(granularity="per_tensor")), "blockwise_shift_scale",
          "lut_to_dense", dtype="uint4", target="iOS18"),
]  # fmt: skip
