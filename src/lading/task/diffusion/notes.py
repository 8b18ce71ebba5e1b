"""From what a network's notes say to the process that samples from it.

The notes are those of a diffusion task: guided-diffusion's own names, each value as text. They come
from a checkpoint's recognition or from the metadata of an artifact, where the same notes travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lading.errors import RequestError
from lading.task.diffusion.samplers import Process, Variance
from lading.task.diffusion.schedule import Schedule

#: Notes without which nobody can sample.
NEEDED = ("diffusion_steps", "noise_schedule", "rescale_timesteps", "predict_xstart", "learn_sigma")


def process(
    notes: Mapping[str, str], respacing: str | None = None, *, clip: bool = True
) -> Process:
    """The process of the network with these notes, in `respacing` or in the notes' own.

    Raises:
        RequestError: a note is missing or makes no sense, or the respacing asks for more steps than
            were trained.

    >>> noted = {"diffusion_steps": "1000", "noise_schedule": "linear", "learn_sigma": "true",
    ...         "rescale_timesteps": "false", "predict_xstart": "false"}
    >>> made = process(noted, "25")
    >>> made.schedule.steps, made.gives, made.variance
    (25, 'noise', 'learned range')
    """
    missing = [name for name in NEEDED if name not in notes]
    if missing:
        raise RequestError(
            "the notes of this network",
            found=f"nothing about {', '.join(missing)}",
            expected="the process that it was trained with",
            remedy=f"give the checkpoint, and say it with --set {missing[0]}=...",
        )
    schedule = Schedule.of(
        notes["noise_schedule"],
        _whole("diffusion_steps", notes["diffusion_steps"]),
        notes.get("timestep_respacing", "") if respacing is None else respacing,
        rescaled=_flag("rescale_timesteps", notes["rescale_timesteps"]),
    )
    learned = _flag("learn_sigma", notes["learn_sigma"])
    small = _flag("sigma_small", notes.get("sigma_small", "false"))
    variance: Variance = "learned range" if learned else "fixed small" if small else "fixed large"
    made = Process(schedule, variance=variance, clip=clip)
    return (
        replace(made, gives="picture") if _flag("predict_xstart", notes["predict_xstart"]) else made
    )


def _flag(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise _odd(name, text, "true or false")
    return word == "true"


def _whole(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise _odd(name, text, "a whole number")
    return int(text)


def _odd(name: str, text: str, expected: str) -> RequestError:
    return RequestError(
        f"the note {name} of this network",
        found=repr(text),
        expected=expected,
        remedy="convert the checkpoint again",
    )
