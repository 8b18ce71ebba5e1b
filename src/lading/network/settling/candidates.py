"""What a diffusion network's undecided hyper-parameters may be, grouped where no run can tell.

Two kinds of choice, each a list of options of which one is right: how attention splits its heads,
and what the network's time means. A hyper-parameter that a source has settled has one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lading.record.values import show

Values = Mapping[str, Any]

ATTENTION = ("num_heads", "num_head_channels", "use_new_attention_order")
DECODER = ("num_heads_upsample",)
TIME = ("noise_schedule", "diffusion_steps", "rescale_timesteps", "predict_xstart")
SCHEDULES = ("linear", "cosine")
STEPS = (100, 250, 500, 1000, 2000, 4000)
#: The units of a rescaled time.
UNIT = 1000


@dataclass(frozen=True)
class Option:
    """Values that give one behaviour; `same` are all sets of values that give it, itself first."""

    same: tuple[tuple[tuple[str, Any], ...], ...]

    @property
    def values(self) -> dict[str, Any]:
        """The first of the sets."""
        return dict(self.same[0])

    def __str__(self) -> str:
        return ", ".join(f"{name} {show(value)}" for name, value in self.same[0])


def attention(known: Values, undecided: Iterable[str]) -> list[Option]:
    """How the heads may lie. One head has no order; heads by count or by width may be the same."""
    loose = set(undecided)
    widths = attended(known)
    ways: list[dict[str, Any]] = [{}]
    if "num_heads" in loose and "num_head_channels" in loose:
        fitting = [n for n in range(1, widths[0] + 1) if all(w % n == 0 for w in widths)]
        ways = [{"num_heads": n, "num_head_channels": -1} for n in fitting]
        ways += [{"num_heads": known["num_heads"], "num_head_channels": n} for n in fitting]
    elif "num_heads" in loose and known["num_head_channels"] == -1:
        ways = [{"num_heads": n} for n in range(1, widths[0] + 1) if not any(w % n for w in widths)]
    orders = [False, True] if "use_new_attention_order" in loose else [None]
    groups: dict[Any, list[dict[str, Any]]] = {}
    for way in ways:
        heads = tuple(_heads({**known, **way}, width) for width in widths)
        for order in orders:
            candidate = dict(way) if order is None else {**way, "use_new_attention_order": order}
            kind = (heads, None if set(heads) == {1} else order)
            if any(_same_but_spelt(candidate, other) for other in groups.get(kind, ())):
                continue
            groups.setdefault(kind, []).append(candidate)
    return _options(groups, known)


def decoder(known: Values, undecided: Iterable[str]) -> list[Option]:
    """How many heads the decoder's attention may have, beside the encoder's."""
    if "num_heads_upsample" not in set(undecided) or known["num_head_channels"] != -1:
        return []
    base, mult = known["model_channels"], known["channel_mult"]
    widths = sorted(
        {round(m * base) for i, m in enumerate(mult) if 2**i in known["attention_resolutions"]}
    )
    if not widths:
        return []
    fitting = [n for n in range(1, widths[0] + 1) if all(w % n == 0 for w in widths)]
    return [
        Option(((("num_heads_upsample", -1 if n == known["num_heads"] else n),),)) for n in fitting
    ]


def times(known: Values, undecided: Iterable[str]) -> list[Option]:
    """What the network's time may mean.

    Processes of more or of fewer steps with rescaled time run over the same noise in the same
    units: no run of the network tells them apart.
    """
    loose = set(undecided)

    def choices(name: str, of: Iterable[Any]) -> list[Any]:
        return list(of) if name in loose else [known[name]]

    groups: dict[Any, list[dict[str, Any]]] = {}
    for schedule in choices("noise_schedule", SCHEDULES):
        for steps in choices("diffusion_steps", STEPS):
            for rescale in choices("rescale_timesteps", (False, True)):
                for clean in choices("predict_xstart", (False, True)):
                    values = dict(zip(TIME, (schedule, steps, rescale, clean), strict=True))
                    reach = UNIT if rescale else steps
                    kept = {name: value for name, value in values.items() if name in loose}
                    groups.setdefault((schedule, reach, clean), []).append(kept)
    return _options(groups, known)


def attended(known: Values) -> list[int]:
    """Widths over which the network attends, ascending."""
    base, mult = known["model_channels"], known["channel_mult"]
    widths = [round(m * base) for m in mult]
    at = {w for i, w in enumerate(widths) if 2**i in known["attention_resolutions"]}
    return sorted(at | {widths[-1]})


def _heads(values: Values, width: int) -> int:
    by_width = values["num_head_channels"]
    return int(values["num_heads"] if by_width == -1 else width // by_width)


def _same_but_spelt(one: Values, other: Values) -> bool:
    """Whether two ways are one network under two names: heads by count, and heads by width."""
    order = "use_new_attention_order"
    return one.get(order) == other.get(order)


def _options(groups: Mapping[Any, list[dict[str, Any]]], known: Values) -> list[Option]:
    """One option per group; within it, the values that are assumed now come first."""
    return [
        Option(
            tuple(
                tuple(values.items())
                for values in sorted(
                    group, key=lambda values: sum(known[n] != v for n, v in values.items())
                )
            )
        )
        for group in groups.values()
        if group[0]
    ]
