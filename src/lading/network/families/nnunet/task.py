"""What the network is for, from its hyper-parameters: ports, labels, and how nnU-Net feeds it."""

from __future__ import annotations

from math import prod
from typing import Any

from lading.record import Port, Recognition, Task
from lading.record.values import show

#: What each scheme does to one channel of one image, before resampling.
SCHEME_TEXT = {
    "ZScoreNormalization": "(x - mean) / max(standard deviation, 1e-8), over the cropped image",
    "NoNormalization": "none; the values go in as they are",
    "RescaleTo01Normalization": "(x - min) / (max - min), over the cropped image",
    "RGBTo01Normalization": "x / 255, for 8-bit values",
}
MASKED = "(x - mean) / max(standard deviation, 1e-8) over the non-zero region; 0 outside of it"


def task(recognition: Recognition) -> Task:
    """One image port, one port of logits, and notes a user needs to reproduce nnU-Net."""
    known: dict[str, Any] = {one.name: one.value for one in recognition.hyperparameters}
    patch = known["patch_size"]
    steps = [known["first_stride"], *known["down_strides"]]
    divisors = [prod(column) for column in zip(*steps, strict=True)]
    out = [size // step for size, step in zip(patch, known["first_stride"], strict=True)]
    schemes, masks = known["normalization_schemes"], known["use_mask_for_norm"]
    zscore = all(s == "ZScoreNormalization" for s in schemes) and not any(masks)
    image = Port(
        "image",
        "tensor",
        "float32",
        (1, known["input_channels"], *patch),
        multiples=(1, 1, *divisors),
        meaning="normalised grey levels",
        value_range=_range(schemes),
    )
    logits = Port(
        "logits",
        "tensor",
        "float32",
        (1, known["num_classes"], *out),
        meaning="logits",
        class_axis=1,
    )
    return Task(
        "segmentation",
        (image,),
        (logits,),
        labels=tuple(known["labels"]),
        activation=known["activation"],
        region_order=tuple(known.get("region_order", ())),
        normalisation="zscore" if zscore and "previous_stage" not in known else "",
        notes=_notes(known),
    )


def _range(schemes: list[str]) -> tuple[float, ...]:
    bounded = {"RescaleTo01Normalization", "RGBTo01Normalization"}
    return (0.0, 1.0) if set(schemes) <= bounded else ()


def _notes(known: dict[str, Any]) -> dict[str, str]:
    channels = known.get("channel_names") or [
        str(n) for n in range(len(known["normalization_schemes"]))
    ]
    intensities = known.get("intensity_properties", {})
    notes = {
        "preprocessing": "transpose, crop to non-zero, normalise, resample to the spacing, pad",
        "normalisation": "; ".join(
            f"{name}: {_scheme(scheme, mask, intensities.get(str(index)))}"
            for index, (name, scheme, mask) in enumerate(
                zip(
                    channels,
                    known["normalization_schemes"],
                    known["use_mask_for_norm"],
                    strict=True,
                )
            )
        ),
        "tile_step": "0.5",
        "tile_weights": "Gaussian, sigma 1/8 of the patch",
    }
    if "mirror_axes" in known:
        axes = known["mirror_axes"]
        notes["mirroring_axes"] = show(axes) if axes else "none"
    if "previous_stage" in known:
        notes["cascade"] = (
            f"after the image's channels come the one-hot foreground labels of configuration "
            f"{known['previous_stage']}"
        )
    for key in ("dataset", "configuration", "trainer", "file_ending"):
        if key in known:
            notes[key] = str(known[key])
    for key in ("channel_names", "spacing", "transpose_forward"):
        if key in known:
            notes[key] = ", ".join(str(item) for item in known[key])
    if any(size != 1 for size in known["first_stride"]):
        notes["output_size"] = f"the image's over {show(known['first_stride'])}"
    return notes


def _scheme(scheme: str, mask: bool, intensity: Any) -> str:
    """What a scheme does, in words and numbers."""
    if scheme == "ZScoreNormalization" and mask:
        return MASKED
    if scheme == "CTNormalization":
        keys = ("percentile_00_5", "percentile_99_5", "mean", "std")
        if not isinstance(intensity, dict) or not all(key in intensity for key in keys):
            return "CTNormalization; its intensities are not in the file"
        low, high, mean, std = (intensity[key] for key in keys)
        return f"(clip(x, {low}, {high}) - {mean}) / max({std}, 1e-8)"
    return SCHEME_TEXT.get(scheme, scheme)
