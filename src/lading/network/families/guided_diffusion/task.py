"""What the network is for, from its hyper-parameters: ports, and how a sampler drives it."""

from __future__ import annotations

from typing import Any

from lading.record import Port, Recognition, Task
from lading.record.values import show

#: The scale to which `rescale_timesteps` brings every number of steps.
RESCALED = 1000
#: What a sampler has to know, in order.
NOTED = (
    "diffusion_steps", "noise_schedule", "timestep_respacing", "rescale_timesteps",
    "predict_xstart", "learn_sigma", "image_size",
)  # fmt: skip


def task(recognition: Recognition) -> Task:
    """x_t and its timestep in, the prediction out; classes and a low image where it takes them."""
    known: dict[str, Any] = {one.name: one.value for one in recognition.hyperparameters}
    size, channels = tuple(known["image_size"]), known["in_channels"]
    levels = len(known["channel_mult"])
    steps = [2 ** (levels - 1)] * known["dims"]
    if known["dims"] == 3:
        steps[0] = 1
    image = Port(
        "x", "tensor", "float32", (1, channels, *size), multiples=(1, 1, *steps),
        meaning="normalised values of the noisy image x_t; without noise, -1 to 1",
        value_range=(-1.0, 1.0),
    )  # fmt: skip
    inputs = [image, _timesteps(known)]
    if known["class_cond"]:
        last = known["num_classes"] - 1
        inputs.append(
            Port("y", "tensor", "int32", (1,), meaning="class", value_range=(0.0, float(last)))
        )
    if known["super_resolution"]:
        low = (1, channels, *known["small_size"])
        inputs.append(
            Port("low_res", "tensor", "float32", low, meaning="low image",
                 value_range=(-1.0, 1.0))
        )  # fmt: skip
    out = Port(
        "prediction", "tensor", "float32", (1, known["out_channels"], *size),
        meaning=_meaning(known),
    )  # fmt: skip
    return Task("diffusion", tuple(inputs), (out,), notes=_notes(known))


def timestep_scale(steps: int, rescale: bool) -> float:
    """What a step's number is multiplied by before the network sees it.

    >>> timestep_scale(4000, True), timestep_scale(4000, False)
    (0.25, 1.0)
    """
    return RESCALED / steps if rescale else 1.0


def _timesteps(known: dict[str, Any]) -> Port:
    """Whole numbers, unless rescaling makes fractions of them."""
    last = known["diffusion_steps"] - 1
    scale = timestep_scale(known["diffusion_steps"], known["rescale_timesteps"])
    return Port(
        "timesteps", "tensor", "int32" if scale == 1.0 else "float32", (1,),
        meaning="timestep" if scale == 1.0 else f"timestep times {scale:g}",
        value_range=(0.0, last * scale),
    )  # fmt: skip


def _meaning(known: dict[str, Any]) -> str:
    predicted = "predicted x_0" if known["predict_xstart"] else "predicted noise"
    if not known["learn_sigma"]:
        return predicted
    half = known["out_channels"] // 2
    return (
        f"{predicted} in channels 0 to {half - 1}; then, -1 to 1, where the log variance lies "
        "between the posterior's and beta's"
    )


def _notes(known: dict[str, Any]) -> dict[str, str]:
    notes = {name: show(known[name]) for name in NOTED}
    if "sigma_small" in known:
        notes["sigma_small"] = show(known["sigma_small"])
    scale = timestep_scale(known["diffusion_steps"], known["rescale_timesteps"])
    notes["timestep_scale"] = f"{scale:g}"
    notes["values"] = "images as grey or RGB values over 127.5, minus 1"
    return notes
