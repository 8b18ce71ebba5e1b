"""What the tensors of a diffusion UNet prove: names and shapes, no values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lading.checkpoint import Checkpoint
from lading.record import Sign

Tensors = Mapping[str, torch.Tensor]

#: Names that every network of the family has, each with what it says for people.
SIGNS = {
    "time_embed.0.weight": "the embedding of the timestep",
    "time_embed.2.weight": "its second layer",
    "input_blocks.0.0.weight": "the first convolution",
    "input_blocks.1.0.in_layers.0.weight": "a residual block of the encoder",
    "input_blocks.1.0.emb_layers.1.weight": "its part that the timestep drives",
    "middle_block.1.qkv.weight": "attention in the middle",
    "output_blocks.0.0.in_layers.0.weight": "a residual block of the decoder",
    "out.2.weight": "the last convolution",
}


@dataclass(frozen=True)
class Proof:
    """A hyper-parameter, its value, and the tensors that show it."""

    name: str
    value: Any
    source: str


def signs(checkpoint: Checkpoint) -> tuple[Sign, ...]:
    """One sign for each of `SIGNS`."""
    names = checkpoint.tensors
    near = ", ".join(list(names)[:2])
    return tuple(
        Sign(f"{text}, {name}", name in names, "" if name in names else f"{near}, …")
        for name, text in SIGNS.items()
    )


def proofs(tensors: Tensors) -> list[Proof]:
    """Every hyper-parameter that the tensors decide.

    Raises:
        KeyError: a tensor that must be there is not; its name is the argument.
        ValueError: names or shapes that no network of the family has; the text says which.
    """
    first = tensors["input_blocks.0.0.weight"]
    last = tensors["out.2.weight"]
    _axes(tensors, "time_embed.0.weight", 2)
    if not 3 <= first.ndim <= 5:
        raise ValueError(f"input_blocks.0.0.weight with {first.ndim} axes")
    encoder, decoder = _indices(tensors, "input_blocks"), _indices(tensors, "output_blocks")
    ups = [i for i in sorted(decoder) if _above(tensors, i, "conv") or _above(tensors, i, "block")]
    levels, per_level, where = _levels(encoder, decoder, ups)
    base = int(tensors["time_embed.0.weight"].shape[1])
    rows = [f"input_blocks.{1 + level * per_level}" for level in range(levels)]
    widths = [_axes(tensors, f"{row}.0.out_layers.3.weight", first.ndim)[0] for row in rows]
    attends = [2**level for level, row in enumerate(rows) if f"{row}.1.qkv.weight" in tensors]
    told = _axes(tensors, "input_blocks.1.0.emb_layers.1.weight", 2)[0]
    if told not in (widths[0], 2 * widths[0]):
        raise ValueError(f"input_blocks.1.0.emb_layers.1.weight with {told} rows beside a width "
                         f"of {widths[0]}")  # fmt: skip
    found = [
        Proof("dims", first.ndim - 2, "input_blocks.0.0.weight"),
        Proof("model_channels", base, "time_embed.0.weight"),
        Proof("channel_mult", [plain(w / base) for w in widths], "input_blocks.*.0.out_layers.3"),
        Proof("num_res_blocks", per_level - 1, where),
        Proof("attention_resolutions", attends, "input_blocks.*.1.qkv"),
        Proof("use_scale_shift_norm", told != widths[0], "input_blocks.1.0.emb_layers.1.weight"),
        Proof("class_cond", "label_emb.weight" in tensors, "label_emb.weight"),
    ]
    if "label_emb.weight" in tensors:
        classes = _axes(tensors, "label_emb.weight", 2)[0]
        found.append(Proof("num_classes", classes, "label_emb.weight"))
    if levels > 1:
        in_blocks = bool(ups) and _above(tensors, ups[0], "block")
        where = f"output_blocks.{per_level - 1}.*"
        found.append(Proof("resblock_updown", in_blocks, where))
        if not in_blocks:
            conv = f"input_blocks.{per_level}.0.op.weight" in tensors
            found.append(Proof("conv_resample", conv, f"input_blocks.{per_level}.0.op.weight"))
    return found + _channels(int(first.shape[1]), int(last.shape[0]))


def plain(value: float) -> float | int:
    """A whole number as one.

    >>> plain(2.0), plain(0.5)
    (2, 0.5)
    """
    return int(value) if float(value).is_integer() else value


def _channels(taken: int, given: int) -> list[Proof]:
    """Channels in and out, and what their ratio proves of variance and super-resolution."""
    where = "input_blocks.0.0.weight, out.2.weight"
    found = [Proof("channels_in", taken, "input_blocks.0.0.weight")]
    found.append(Proof("out_channels", given, "out.2.weight"))
    if given == 2 * taken or taken % 2 or (given not in (taken, taken // 2)):
        found.append(Proof("super_resolution", False, where))
    elif 2 * given == taken:
        found.append(Proof("super_resolution", True, where))
    return found


def _levels(
    encoder: set[int], decoder: set[int], ups: list[int]
) -> tuple[int, int, str]:  # fmt: skip
    """How many levels, blocks of each with its sampler, and the tensors that show it."""
    count = len(decoder)
    gaps = sorted(set(range(count)) - encoder)
    if decoder != set(range(count)) or encoder - decoder:
        raise ValueError(
            f"output_blocks {_some(decoder)} beside input_blocks {_some(encoder)}, "
            "which should be as many"
        )
    if ups:
        per_level, where = ups[0] + 1, f"output_blocks.{ups[0]} carries the first up-sampler"
    elif gaps:
        per_level, where = gaps[0], f"input_blocks.{gaps[0]} has no tensors: the first pooling"
    else:
        per_level, where = count, "no sampler in output_blocks: one level"
    if per_level < 2 or count % per_level:
        raise ValueError(f"{count} output_blocks in levels of {per_level}")
    bounds = list(range(per_level, count, per_level))
    if (ups and [i + 1 for i in ups] != bounds) or (gaps and gaps != bounds):
        raise ValueError(
            f"samplers at output_blocks {_some(set(ups))} and gaps at input_blocks "
            f"{_some(set(gaps))}, in levels of {per_level}"
        )
    return count // per_level, per_level, where


def _above(tensors: Tensors, index: int, kind: str) -> bool:
    """Whether a decoder's stage ends in an up-sampler of that kind."""
    inner = "conv.weight" if kind == "conv" else "in_layers.0.weight"
    return any(f"output_blocks.{index}.{place}.{inner}" in tensors for place in (1, 2))


def _indices(tensors: Tensors, stack: str) -> set[int]:
    hits = (re.match(rf"{stack}\.(\d{{1,6}})\.", name) for name in tensors)
    return {int(hit[1]) for hit in hits if hit}


def _axes(tensors: Tensors, name: str, axes: int) -> list[int]:
    shape = [int(n) for n in tensors[name].shape]
    if len(shape) != axes or not all(shape):
        raise ValueError(f"{name} of shape {shape}, in place of {axes} axes")
    return shape


def _some(indices: set[int]) -> str:
    ordered = sorted(indices)
    return ", ".join(map(str, ordered[:12])) + (", …" if len(ordered) > 12 else "") or "none"
