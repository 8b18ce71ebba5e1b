"""One reading of an nnU-Net v2 checkpoint: tensors first, then plans, then what must be assumed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from lading.checkpoint import Checkpoint
from lading.errors import LadingError, RecognitionError, RequestError
from lading.network.families.nnunet import dataset
from lading.network.families.nnunet.names import by_canonical_name, signs
from lading.network.families.nnunet.network import NONLINS
from lading.network.families.nnunet.plans import Claims, Source, sources
from lading.network.families.nnunet.shapes import Facts, facts
from lading.network.reading import Reading, flag, grid, integer, integers, number, text
from lading.record import Recognition
from lading.record.values import show

#: Values that decide how the others are to be read; a source that is wrong here is not asked on.
ROOTS = ("architecture", "dimension", "n_stages")
#: What describes the network; the rest describes the data.
NETWORK = (
    "features_per_stage",
    "kernel_sizes",
    "n_conv_per_stage",
    "n_blocks_per_stage",
    "n_conv_per_stage_decoder",
    "conv_bias",
    "norm",
    "norm_affine",
    "norm_eps",
    "nonlin",
    "negative_slope",
    "nonlin_first",
    "bottleneck_channels",
    "stem_channels",
    "patch_size",
)
#: What stays true of the data even where the plans are of another network.
DATA = ("intensity_properties", "file_ending", "dataset")
#: A patch that nobody states: at least this wide, and at least four cells at the lowest resolution.
DEFAULT_PATCH = {2: 256, 3: 64}
LEAST_CELLS = 4


def read(checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
    """Every hyper-parameter with its evidence.

    Raises:
        RecognitionError: the tensors contradict the family, or the plans cannot be read.
        RequestError: a setting is unknown, impossible, or contradicts the tensors.
    """
    tensors = by_canonical_name(checkpoint)
    try:
        proven = facts(tensors)
    except KeyError as missing:
        raise RecognitionError(
            checkpoint.record.path,
            found=f"no tensor {missing.args[0]}",
            expected="all of an nnU-Net v2 network's tensors",
            remedy="the file is cut down or of a variant that is not known: use the original file",
        ) from None
    proven |= _block_order(checkpoint, proven)
    reading = Reading(settings, checkpoint.record.path)
    for name, (value, where) in proven.items():
        reading.claim(name, value, "tensors", where)
    asked = [(s, _configuration(s, reading, settings, proven)) for s in sources(checkpoint)]
    if reading.claimed("configuration"):
        name = reading.settle("configuration", text)
        asked = [(s, name if name in s.configurations() else own) for s, own in asked]
    told: list[tuple[Source, Claims]] = []
    for source, name in asked:
        network = source.claims(name) if name else {}
        # Plans know the normalisation better than the channel names that it was derived from.
        data = dataset.claims(source, "previous_stage" in network)
        told.append((source, {**data, **network}))
    _settle_roots(reading, told)
    _settle_network(reading, told, tensors)
    _settle_data(reading, told, checkpoint)
    return reading.finish("nnunet", "nnU-Net v2", signs(checkpoint))


def _configuration(
    source: Source, reading: Reading, settings: Mapping[str, str], proven: Facts
) -> str:
    """Which configuration of `source` was trained: it says so, or only one fits the tensors."""
    names = source.configurations()
    if not names:
        return ""
    if source.configuration:
        where = source.where.replace("plans", "configuration")
        reading.claim("configuration", source.configuration, source.evidence, where)
        return source.configuration
    asked = settings.get("configuration")
    if asked in names:
        return str(asked)
    fitting = [name for name in names if _fits(source.claims(name), proven)]
    if len(fitting) == 1 or len(names) == 1:
        chosen = (fitting or names)[0]
        why = f"the only one in {source.where}"
        if len(names) > 1:
            why += f" that fits the tensors, of {', '.join(names)}"
        reading.claim("configuration", chosen, source.evidence, why)
        return chosen
    if not reading.claimed("configuration"):
        raise RecognitionError(
            f"{source.where}: which configuration was trained",
            found=f"{len(fitting)} that fit the tensors: {', '.join(fitting) or 'none'}",
            expected="exactly one",
            remedy=f"--set configuration={(fitting or names)[0]}",
        )
    return ""


def _fits(claims: Claims, proven: Facts) -> bool:
    """Whether nothing that a configuration says of the network's shape contradicts the tensors."""

    def plain(value: Any) -> Any:
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    strides = claims.get("strides")
    told = {n: v for n, (v, _) in claims.items()}
    if strides is not None and isinstance(strides[0], (list, tuple)):
        told["down_strides"] = strides[0][1:]
    names = (*ROOTS, "features_per_stage", "down_strides", "kernel_sizes")
    return all(plain(told[n]) == proven[n][0] for n in names if n in told and n in proven)


def _block_order(checkpoint: Checkpoint, proven: Facts) -> Facts:
    """Whether the activation comes before the norm, as far as `all_modules` numbers show it.

    Inside a block lie, in order: convolution, dropout if any, then norm and activation, or the
    other way round. A norm at 1 follows the convolution; at 3 both stand before it; at 2 it may
    be either of them. Only the plain network knows the other order.
    """
    if proven["architecture"][0] != "PlainConvUNet":
        return {}
    pattern = re.compile(r"\.stages\.0\.0\.convs\.0\.all_modules\.([123])\.")
    hits = {hit[1] for name in checkpoint.tensors if (hit := pattern.search(name))}
    where = "encoder.stages.0.0.convs.0.all_modules."
    if hits == {"1"}:
        return {"nonlin_first": (False, where + "1")}
    if hits == {"3"}:
        return {"nonlin_first": (True, where + "3")}
    return {}


def _claim(reading: Reading, told: list[tuple[Source, Claims]], names: Iterable[str]) -> None:
    for source, claims in told:
        for name in names:
            if name in claims:
                reading.claim(name, claims[name][0], source.evidence, claims[name][1])


def _without_losers(
    reading: Reading, told: list[tuple[Source, Claims]], names: Iterable[str]
) -> list[tuple[Source, Claims]]:
    """The sources that were right about `names`, for what only makes sense if they were."""
    lost = frozenset().union(*(reading.losers(name) for name in names))
    return [(source, claims) for source, claims in told if source.evidence not in lost]


def _settle_roots(reading: Reading, told: list[tuple[Source, Claims]]) -> None:
    _claim(reading, told, ROOTS)
    reading.settle("architecture", text)
    reading.settle("dimension", _dimension)
    reading.settle("n_stages", integer(2))
    _claim(reading, told, ("input_channels", "num_classes"))
    reading.settle("input_channels", integer())
    reading.settle("num_classes", integer())


def _settle_network(
    reading: Reading, told: list[tuple[Source, Claims]], tensors: Mapping[str, torch.Tensor]
) -> None:
    told = _without_losers(reading, told, ROOTS)
    stages, dimension = reading.value("n_stages"), reading.value("dimension")
    residual = reading.value("architecture") == "ResidualEncoderUNet"
    for source, claims in told:
        if "strides" in claims:
            value, where = claims["strides"]
            rows = reading.checked("strides", value, where, grid(stages, dimension))
            reading.claim("first_stride", rows[0], source.evidence, where)
            reading.claim("down_strides", rows[1:], source.evidence, where)
    _claim(reading, told, NETWORK)
    settle = reading.settle
    settle("features_per_stage", integers(stages))
    settle("kernel_sizes", grid(stages, dimension))
    pooled = "encoder.stages.0.blocks.0.skip.1.conv.weight" in tensors
    first = settle(
        "first_stride",
        integers(dimension),
        assume=[2 if pooled else 1] * dimension,
        why="a pooling stands before encoder.stages.0.blocks.0.skip.1: some stride, of unknown size"
        if pooled
        else "nnU-Net never strides the first stage",
        alternatives=("any other than 1",) if pooled else (show([2] * dimension),),
    )
    down = settle("down_strides", grid(stages - 1, dimension))
    if residual:
        settle("n_blocks_per_stage", integers(stages))
        settle("stem_channels", integer())
        settle("bottleneck_channels", lambda v: integers(stages)(v) if v != [] else [])
    else:
        settle("n_conv_per_stage", integers(stages))
    settle("n_conv_per_stage_decoder", integers(stages - 1))
    settle("conv_bias", flag)
    _settle_style(reading, residual)
    settle("segmentation_heads", lambda heads: [integer(0)(head) for head in heads])
    _settle_patch(reading, [math.prod(column) for column in zip(first, *down, strict=True)])


def _settle_data(
    reading: Reading, told: list[tuple[Source, Claims]], checkpoint: Checkpoint
) -> None:
    _claim(reading, told, DATA)
    same = _without_losers(reading, told, ("architecture", "dimension"))
    _claim(reading, same, ("spacing", "transpose_forward", "previous_stage"))
    same = _without_losers(reading, told, ("dimension", "input_channels"))
    _claim(reading, same, ("normalization_schemes", "use_mask_for_norm", "channel_names"))
    same = _without_losers(reading, told, ("num_classes",))
    _claim(reading, same, ("labels", "activation", "region_order"))
    trainer = checkpoint.metadata.get("trainer_name")
    if isinstance(trainer, str):
        reading.claim("trainer", trainer, "embedded", "trainer_name")
    mirrored = "inference_allowed_mirroring_axes"
    axes = checkpoint.metadata.get(mirrored, "absent")
    if axes is None or isinstance(axes, (list, tuple)):
        # None and an empty list both mean: do not mirror
        reading.claim("mirror_axes", list(axes or ()), "embedded", mirrored)
    dataset.settle(reading)


def _settle_style(reading: Reading, residual: bool) -> None:
    """Norm and activation: what the tensors show, and what they cannot."""
    norm = reading.settle(
        "norm",
        lambda value: "none" if value is None else text(value),
        assume="none",
        why="no norm tensors",
        alternatives=("instance (without weights)",),
    )
    if norm not in ("instance", "batch", "none"):
        raise _unknown(reading, "norm", norm, "instance, batch or none")
    if norm != "none":
        reading.settle("norm_affine", flag)
        reading.settle("norm_eps", number, assume=1e-5, why="nnU-Net's and torch's default")
    nonlin = reading.settle(
        "nonlin", text, assume="LeakyReLU", why="nnU-Net's default", alternatives=("ReLU",)
    )
    if nonlin not in NONLINS:
        raise _unknown(reading, "nonlin", nonlin, ", ".join(NONLINS))
    if nonlin == "LeakyReLU":
        reading.settle("negative_slope", number, assume=0.01, why="nnU-Net's and torch's default")
    if not residual and norm != "none":
        reading.settle(
            "nonlin_first",
            flag,
            assume=False,
            why="nnU-Net's default: convolution, norm, activation",
            alternatives=("true",),
        )


def _settle_patch(reading: Reading, divisors: list[int]) -> None:
    """The patch size: stated, or the smallest sensible one that every stride divides."""
    least = DEFAULT_PATCH[len(divisors)]
    sizes = [math.ceil(max(least, LEAST_CELLS * d) / d) * d for d in divisors]
    size = reading.settle(
        "patch_size",
        integers(len(divisors)),
        assume=sizes,
        why=f"sizes must be multiples of {show(divisors)}; the trained patch is not in the file",
        alternatives=(f"any multiples of {show(divisors)}",),
    )
    if any(s % d for s, d in zip(size, divisors, strict=True)):
        good = [math.ceil(s / d) * d for s, d in zip(size, divisors, strict=True)]
        told = reading.evidence("patch_size")
        kind = RequestError if told == "user" else RecognitionError
        raise kind(
            f"patch_size ({told})",
            found=show(size),
            expected=f"multiples of {show(divisors)}, the product of the strides",
            remedy=f"--set patch_size={show(good)}",
        )
    if size == divisors and reading.value("norm") == "instance":
        raise RequestError(
            f"patch_size ({reading.evidence('patch_size')})",
            found=f"{show(size)}, a single cell at the lowest resolution",
            expected="two cells or more, since an instance norm of one cell is 0 whatever it holds",
            remedy=f"--set patch_size={show([2 * s for s in size])}",
        )


def _dimension(value: Any) -> Any:
    """2 or 3; a class name that is in no table stays as it is, to be quoted in the conflict."""
    return value if isinstance(value, str) else integer(2)(value)


def _unknown(reading: Reading, name: str, found: str, expected: str) -> LadingError:
    kind = RequestError if reading.evidence(name) == "user" else RecognitionError
    return kind(
        f"{reading.subject}: {name}",
        found=found,
        expected=expected,
        remedy=f"if it is one of these under another name, --set {name}=...; else this network "
        "cannot be rebuilt",
    )
