"""The names of tensors in an nnU-Net v2 checkpoint, and the signs by which it is known.

A genuine file says most things several times: `decoder.encoder.*` repeats the encoder, and inside
a block `all_modules.N` repeats `conv` and `norm`. `canonical` maps all of them to one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

from lading.checkpoint import Checkpoint
from lading.record import Sign

#: A block of convolution, dropout or nothing, norm, activation: its norm may lie at 1, 2 or 3.
NORM_INDICES = (1, 2, 3)


def canonical(name: str) -> str:
    """The one name of a tensor.

    >>> canonical("decoder.encoder.stages.0.0.convs.1.all_modules.1.bias")
    'encoder.stages.0.0.convs.1.norm.bias'
    """
    name = name.removeprefix("decoder.") if name.startswith("decoder.encoder.") else name
    name = name.replace(".all_modules.0.", ".conv.")
    return re.sub(r"\.all_modules\.[123]\.", ".norm.", name)


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Every other name by which a genuine file may know the canonical `names`, to each of them."""
    found: dict[str, str] = {}
    for name in names:
        inside = [name]
        if ".conv." in name:
            inside.append(name.replace(".conv.", ".all_modules.0."))
        inside += [
            name.replace(".norm.", f".all_modules.{n}.") for n in NORM_INDICES if ".norm." in name
        ]
        for one in inside:
            if one != name:
                found[one] = name
            if one.startswith("encoder."):
                found["decoder." + one] = name
    return found


def by_canonical_name(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The tensors under their canonical names, each by the first that the file has for it."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in checkpoint.tensors.items():
        found.setdefault(canonical(name), tensor)
    return found


def indices(tensors: Mapping[str, torch.Tensor], prefix: str, suffix: str = "") -> list[int]:
    """The numbers N, sorted, for which a name begins with ``prefix.N`` and goes on with `suffix`.

    >>> indices({"a.0.weight": torch.zeros(1), "a.2.bias": torch.zeros(1)}, "a")
    [0, 2]
    """
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)" + re.escape(suffix) + r"(?:\.|$)")
    return sorted({int(hit[1]) for name in tensors if (hit := pattern.match(name))})


def signs(checkpoint: Checkpoint) -> tuple[Sign, ...]:
    """The seven signs of nnU-Net v2's U-Nets."""
    tensors = by_canonical_name(checkpoint)
    stages = indices(tensors, "encoder.stages")
    plain = [s for s in stages if f"encoder.stages.{s}.0.convs.0.conv.weight" in tensors]
    residual = [s for s in stages if f"encoder.stages.{s}.blocks.0.conv1.conv.weight" in tensors]
    decoder = indices(tensors, "decoder.stages", ".convs")
    ups = indices(tensors, "decoder.transpconvs")
    heads = indices(tensors, "decoder.seg_layers")
    weights = {n: t for n, t in tensors.items() if n.endswith(".conv.weight")}
    ranks = sorted({tensor.ndim - 2 for tensor in weights.values()})
    first = next(iter(checkpoint.tensors), "no tensor")
    joined = [
        s
        for s in decoder
        if (w := tensors.get(f"decoder.stages.{s}.convs.0.conv.weight")) is not None
        and w.ndim > 2
        and w.shape[1] == 2 * w.shape[0]
    ]
    return (
        Sign(
            "an encoder in stages, encoder.stages.0 to .N with N > 0",
            len(stages) > 1 and stages == list(range(len(stages))),
            f"stages {stages}" if stages else f"{first!r} as the first name",
        ),
        Sign(
            "every encoder stage of plain convolutions or of residual blocks with a stem",
            bool(stages)
            and (
                plain == stages
                or (residual == stages and "encoder.stem.convs.0.conv.weight" in tensors)
            ),
            f"{len(plain)} plain, {len(residual)} residual of {len(stages)} stages",
        ),
        Sign(
            "convolutions in 2-D or 3-D, all alike",
            ranks in ([2], [3]),
            " and ".join(f"{rank}-D" for rank in ranks) if ranks else "no convolution blocks",
        ),
        Sign(
            "one decoder stage fewer than encoder stages, decoder.stages.N.convs",
            bool(decoder) and decoder == list(range(len(stages) - 1)),
            f"{len(decoder)} decoder stages to {len(stages)} encoder stages",
        ),
        Sign(
            "a transposed convolution per decoder stage, decoder.transpconvs.N",
            bool(ups) and ups == list(range(len(stages) - 1)),
            f"{len(ups)} to {len(stages)} encoder stages",
        ),
        Sign(
            "decoder stages that take twice the channels they give (the joined skip)",
            bool(joined) and joined == decoder,
            f"{len(joined)} of {len(decoder)} decoder stages do",
        ),
        Sign(
            "a segmentation head at full resolution, the last of decoder.seg_layers",
            bool(heads) and bool(stages) and heads[-1] == len(stages) - 2,
            f"heads {heads}" if heads else "no decoder.seg_layers",
        ),
    )
