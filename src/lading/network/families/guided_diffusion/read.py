"""One reading of a diffusion UNet: what the shapes prove, what configurations say, and the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lading.checkpoint import Checkpoint
from lading.errors import RecognitionError, RequestError
from lading.network.families.guided_diffusion import names
from lading.network.families.guided_diffusion.shapes import plain, proofs, signs
from lading.network.reading import Reading, flag, integer, integers, number, one_of
from lading.record import Evidence, Recognition
from lading.record.values import show

FAMILY, TITLE = "guided_diffusion", "guided-diffusion UNet"
SCHEDULES = ("linear", "cosine")
_DEFAULT = "guided-diffusion's default: no shape depends on it"


def read(checkpoint: Checkpoint, settings: Any) -> Recognition:
    """Every hyper-parameter with its evidence.

    Raises:
        RecognitionError: the tensors are of no network of the family, or a source's value cannot
            be.
        RequestError: a setting or the configuration is unknown or impossible, or a setting
            contradicts the tensors.
    """
    path = checkpoint.record.path
    try:
        proven = proofs(checkpoint.tensors)
    except KeyError as missing:
        raise RecognitionError(
            path,
            found=f"no tensor {missing.args[0]}",
            expected="all tensors of a diffusion UNet",
            remedy="the file is cut down: use the original file",
        ) from None
    except ValueError as odd:
        raise RecognitionError(
            path,
            found=str(odd),
            expected="the layers of a diffusion UNet, as many up as down",
            remedy="the file is of a variant that is not known: use the original file",
        ) from None
    reading = Reading(settings, path)
    for one in proven:
        reading.claim(one.name, one.value, "tensors", one.source)
    known = {one.name: one.value for one in proven}
    unread = _claim_others(reading, checkpoint, known)
    _structure(reading)
    _heads(reading)
    _size(reading)
    _diffusion(reading)
    if unread:
        reading.claim("config_unread", unread, "side file", checkpoint.config)
        reading.settle("config_unread", list)
    return reading.finish(FAMILY, TITLE, signs(checkpoint))


def _claim_others(reading: Reading, checkpoint: Checkpoint, known: dict[str, Any]) -> list[str]:
    """What the file's metadata and the configuration say; names of the latter that say nothing."""
    levels, attends = len(known["channel_mult"]), known["attention_resolutions"]
    inside = names.embedded(checkpoint.metadata)
    values, remarks = names.translated({n: v for n, (v, _) in inside.items()}, levels, attends)
    for name, value in values.items():
        where = remarks.get(name) or inside[name][1]
        _claim(reading, name, value, "embedded", where, known)
    if not checkpoint.config:
        return []
    found, unread = names.of_config(checkpoint.sides[checkpoint.config], checkpoint.config)
    values, remarks = names.translated(found, levels, attends)
    for name, value in values.items():
        where = f"{checkpoint.config}: {remarks.get(name, name)}"
        _claim(reading, name, value, "side file", where, known)
    return unread


def _claim(
    reading: Reading, name: str, value: Any, evidence: Evidence, where: str, known: dict[str, Any]
) -> None:
    """One claim, unless it is on something that this network does not have."""
    several = len(known["channel_mult"]) > 1
    if name in ("resblock_updown", "conv_resample") and not several:
        return
    if name == "conv_resample" and known.get("resblock_updown"):
        return
    if name == "num_classes" and not known["class_cond"]:
        return  # class_cond is where the conflict shows
    if name == "small_size" and known.get("super_resolution") is False:
        return  # super_resolution is
    reading.claim(name, value, evidence, where)


def _structure(reading: Reading) -> None:
    for name, check in (
        ("dims", integer()),
        ("model_channels", integer()),
        ("channel_mult", _mult),
        ("num_res_blocks", integer()),
        ("attention_resolutions", _wholes),
        ("use_scale_shift_norm", flag),
        ("class_cond", flag),
    ):
        reading.settle(name, check)
    if reading.value("class_cond"):
        reading.settle("num_classes", integer())
    none = "no layer depends on it"
    reading.settle("resblock_updown", flag, assume=False, why=none)
    reading.settle("conv_resample", flag, assume=True, why=none)
    _channels(reading)
    reading.settle("norm_groups", integer(), assume=32, why="the family's constant")
    reading.settle("norm_eps", number, assume=1e-5, why="torch's default")


def _channels(reading: Reading) -> None:
    """Channels of x, and whether a low image and a learned variance are beside them.

    As many channels out as in is either a plain network without a learned variance, or one for
    super-resolution with one: the first where an image of half the channels is unlikely.
    """
    taken = reading.settle("channels_in", integer())
    given = reading.settle("out_channels", integer())
    said = reading.hint("learn_sigma")
    if said is not None and isinstance(said.value, bool) and taken == given and taken % 2 == 0:
        where = f"{said.source}, with as many channels out as in"
        reading.claim("super_resolution", said.value, said.evidence, where)
    upscales = reading.settle(
        "super_resolution",
        flag,
        assume=taken == 6,
        why=f"{taken} channels in and {given} out: "
        + ("an image of 3 beside its low one" if taken == 6 else "as many, and no low image"),
        alternatives=("false",) if taken == 6 else ("true",),
    )
    own = taken // 2 if upscales else taken
    reading.claim("in_channels", own, "tensors", "input_blocks.0.0.weight")
    reading.settle("in_channels", integer())
    if given in (own, 2 * own):
        reading.claim("learn_sigma", given == 2 * own, "tensors", "out.2.weight")
    reading.settle(
        "learn_sigma", flag, assume=False, why=f"{given} channels out of {own}",
        alternatives=("true",) if given % 2 == 0 else (),
    )  # fmt: skip


def _heads(reading: Reading) -> None:
    """Heads of every attention; they have to divide the widths that they attend over."""
    base, mult = reading.value("model_channels"), reading.value("channel_mult")
    widths = [round(m * base) for m in mult]
    over = sorted(
        {w for i, w in enumerate(widths) if 2**i in reading.value("attention_resolutions")}
        | {widths[-1]}
    )
    fitting = [n for n in range(1, over[0] + 1) if all(w % n == 0 for w in over)]
    told = [str(n) for n in fitting]
    usual = 4 if 4 in fitting else 1
    by_width = reading.settle(
        "num_head_channels", _or_default, assume=-1, why=_DEFAULT, alternatives=told
    )
    count = reading.settle("num_heads", integer(), assume=usual, why=_DEFAULT, alternatives=told)
    up = reading.settle(
        "num_heads_upsample", _or_default, assume=-1, why=_DEFAULT, alternatives=told
    )
    reading.settle(
        "use_new_attention_order", flag, assume=False, why=_DEFAULT, alternatives=("true",)
    )
    if by_width != -1:
        _require_fit(reading, "num_head_channels", by_width, over)
        for name in ("num_heads", "num_heads_upsample"):
            if reading.evidence(name) == "user":
                raise RequestError(
                    reading.source(name),
                    found=f"num_head_channels {by_width} ({reading.source('num_head_channels')})",
                    expected="no channels per head beside it, as they decide the heads",
                    remedy="add --set num_head_channels=-1",
                )
        return
    _require_fit(reading, "num_heads", count, over)
    if up != -1:
        _require_fit(reading, "num_heads_upsample", up, over)


def _require_fit(reading: Reading, name: str, value: int, over: Sequence[int]) -> None:
    odd = next((width for width in over if width % value), None)
    if odd is not None:
        told = ", ".join(map(str, over))
        raise RequestError(
            f"{name}: {reading.source(name)}",
            found=f"{value}, beside attention over {odd} channels",
            expected=f"a number that divides {told}",
            remedy="use the value that the network was trained with",
        )


def _size(reading: Reading) -> None:
    """The image's sizes: whole multiples of the down-sampling."""
    mult, dims = reading.value("channel_mult"), reading.value("dims")
    step = 2 ** (len(mult) - 1)
    listed = [size for size, usual in names.USUAL_MULT.items() if usual == mult]
    usual = listed[0] if listed else 8 * step
    why = "guided-diffusion's for this channel_mult" if listed else "8 at the lowest resolution"
    sizes = reading.settle(
        "image_size", integers(dims), assume=usual, why=why,
        alternatives=[f"any multiple of {step}"],
    )  # fmt: skip
    halved = sizes[1:] if dims == 3 else sizes
    for size in halved:
        if size % step:
            below, above = size // step * step, (size // step + 1) * step
            raise RequestError(
                f"image_size: {reading.source('image_size')}",
                found=show(sizes),
                expected=f"multiples of {step}, as the network halves them down to 1/{step}",
                remedy=f"use {below} or {above}" if below else f"use {above}",
            )
    if reading.value("super_resolution"):
        quarter = [max(1, size // 4) for size in sizes]
        reading.settle(
            "small_size", integers(dims), assume=quarter, why="a quarter of image_size",
            alternatives=["any size"],
        )  # fmt: skip


def _diffusion(reading: Reading) -> None:
    steps = reading.settle(
        "diffusion_steps", integer(), assume=1000, why=_DEFAULT, alternatives=("4000",)
    )
    reading.settle(
        "noise_schedule", one_of(*SCHEDULES), assume="linear", why=_DEFAULT,
        alternatives=("cosine",),
    )  # fmt: skip
    reading.settle(
        "timestep_respacing", _respacing(steps), assume="", why="every step",
        alternatives=("250", "ddim50"),
    )  # fmt: skip
    for name in ("rescale_timesteps", "predict_xstart"):
        reading.settle(name, flag, assume=False, why=_DEFAULT, alternatives=("true",))
    if reading.value("learn_sigma"):
        reading.settle(
            "rescale_learned_sigmas", flag, assume=False, why="only training's loss reads it"
        )
    else:
        reading.settle("sigma_small", flag, assume=False, why=_DEFAULT, alternatives=("true",))


# ------------------------------------------------------------------------------------------ checks
def _mult(value: Any) -> list[float | int]:
    """One positive number per level."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(number(item) > 0 for item in items):
        raise ValueError("one positive number per level, such as 1,2,3,4")
    return [plain(float(item)) for item in items]


def _wholes(value: Any) -> list[int]:
    """Whole numbers in order; possibly none."""
    items = value if isinstance(value, list) else [value]
    try:
        return sorted(integer()(item) for item in items)
    except ValueError:
        raise ValueError("whole numbers, such as 16,8") from None


def _or_default(value: Any) -> int:
    """A whole number of at least 1, or -1."""
    if value == -1 and not isinstance(value, bool):
        return -1
    try:
        return int(integer()(value))
    except ValueError:
        raise ValueError("a whole number of at least 1, or -1 for the default") from None


def _respacing(steps: int) -> Any:
    """Guided-diffusion's way of writing which steps are taken."""
    expected = f"'' for every step, 250, ddim50, or sections such as 10,15,20, of {steps} steps"

    def check(value: Any) -> str:
        text = show(value) if value is not None else ""
        if text in ("", '""'):
            return ""
        hit = re.fullmatch(r"ddim(\d{1,9})|(\d{1,9}(?:,\d{1,9})*)", text)
        counts = [int(n) for n in (hit[1] or hit[2]).split(",")] if hit else []
        if not counts or not all(counts) or max(counts) > steps or sum(counts) > steps:
            raise ValueError(expected)
        return text

    return check
