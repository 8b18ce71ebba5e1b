"""Each channel of an output by itself, against how far it varies: a large one hides no small one.

The peak of a whole output says nothing of a channel that is a thousand times smaller, and an offset
says nothing of what stands on it. So every index of the axis of channels is held against its own
spread over positions and probes, and its gate is measured on the original as that of the whole is:
what its disturbed twin (`lading.proof.noise`) moves in this channel. Nothing is run for it.

Where sums in another order move more than a channel varies, the part of the error that goes along
with the channel is looked at: over many values noise averages out, and a channel that is missing,
turned round or another one does not. What that does not show either is held against its size, and
said to be not proved.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from lading.interface.side import Array
from lading.proof import noise
from lading.record import Measurement, Port

#: What fp16 does to a result beside what a disturbed twin does: the ratio of the two disturbances,
#: as errors this small add up linearly.
HALF = noise.HALF / noise.DISTURBANCE
#: The spacing of the smallest numbers of fp16, in the output's own units; fp32's is below all else.
SMALLEST = {"fp32": 0.0, "fp16": 2.0**-24}
#: Of the part of an error that goes along with a channel, in dB: half of the channel.
ALONG = 6.0
#: Below this part of the whole output's peak a channel is nothing: fp32 holds no more beside it.
NOTHING = 2.0**-24
#: Probes at which what the original keeps is measured, of one size of an output.
SAMPLE = 2
#: At how many: at one of a size and with its disturbed twin alone, at the sample, at all.
Effort: TypeAlias = Literal["least", "sample", "all"]
_MOST: dict[Effort, float] = {"least": 1, "sample": SAMPLE, "all": math.inf}
#: As many dB above a gate that was measured with the least effort, and the sample cannot raise it
#: so far: a root mean square over n values is at least each of them, divided by the root of n; and
#: what rounding the tensors moves besides only lowers a gate.
CLEAR = 10.0 * math.log10(SAMPLE)
#: Squares of what is between this and its inverse neither overflow nor vanish in float64.
_FINE = 1e-140
SPREAD_REASON = "against the channel's spread: what the original keeps of it when disturbed"
ALONG_REASON = "the part of the error that goes along with the channel: noise does not"
HIGHEST_REASON = "against the channel's spread; no gate is higher: none had to be measured"
CLEAR_REASON = "at one probe, as others could not have raised it so far"
SIZE_REASON = "against the channel's size: its spread is less than the arithmetic resolves"


@dataclass(frozen=True)
class Channels:
    """What is known of every index of an axis of an output; arrays are float64 [size of the axis].

    Attributes:
        axis: of the output.
        centre: the median over probes of the mean over positions.
        spread: the median over probes of the root mean square distance from the centre; over those
            at which the channel is not silent. A unit that is so at most probes would have none,
            and the last bit of a zero would be an error without measure.
        noise: what a sound fp32 computation moves, relative to the spread; root mean square.
        least: the same, relative to the size.
        halved: what the original's own tensors and inputs, rounded to fp16, move, relative to the
            spread: it is the same at every position, and no mean takes it away as it does noise.
        halved_least: the same, relative to the size.
    """

    axis: int
    centre: Array
    spread: Array
    noise: Array
    least: Array
    halved: Array | float = 0.0
    halved_least: Array | float = 0.0


@dataclass(frozen=True)
class Judged:
    """The worst channel, and those of which nothing can be shown, in numpy's notation: along the
    axis that shows most."""

    number: Measurement
    unresolved: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether it passes whatever the sample would show, where the least was measured."""
        gate = self.number.gate
        return gate is not None and not self.unresolved and self.number.value >= gate + CLEAR


def axes(port: Port, ndim: int) -> tuple[int, ...]:
    """The axes of an output along which channels may lie: that of classes where it is known.

    >>> axes(Port("y", "tensor", "float32", (1, 3, 8, 8)), 4)
    (1, 3)
    """
    if port.class_axis is not None:
        return (port.class_axis,)
    return tuple(dict.fromkeys((min(1, ndim - 1), ndim - 1)))


def sample(
    places: Sequence[int],
    outputs: Mapping[int, Array],
    steady: Callable[[int], bool],
    effort: Effort = "sample",
) -> list[int]:
    """The probes at which what the original keeps is measured.

    Args:
        places: of probes, in the order in which they are asked.
        outputs: by place the value of an output.
        steady: whether the original is at a place.
        effort: of one size as many as that.

    >>> sample([8, 3, 5, 6], dict.fromkeys([3, 5, 6, 8], np.zeros(3)), lambda place: place != 3)
    [8, 5]
    """
    shapes: Counter[tuple[int, ...]] = Counter()
    chosen = []
    for place in places:
        shape = outputs[place].shape
        if shapes[shape] < _MOST[effort] and steady(place):
            shapes[shape] += 1
            chosen.append(place)
    return chosen


@dataclass(frozen=True)
class Moved:
    """What an original keeps of an output at a probe.

    Attributes:
        calm: its values in fp32; as a rule those that an artifact is held against.
        twin: the same with every result disturbed as in `lading.proof.noise`.
        halved: with its tensors and inputs rounded to fp16, where that is known.
    """

    calm: Array
    twin: Array
    halved: Array | None = None


def plain(port: Port, wanted: Sequence[Array]) -> tuple[Channels, ...]:
    """As `measured`, of an original that keeps everything: no gate is higher."""
    return measured(port, wanted, {i: Moved(one, one) for i, one in enumerate(wanted)})


def measured(
    port: Port, wanted: Sequence[Array], moved: Mapping[int, Moved]
) -> tuple[Channels, ...]:
    """What is known of an output's channels: one for each axis and size of it.

    Args:
        port: of the output, which has floating-point values.
        wanted: the reference's values, one array per probe.
        moved: by places in `wanted`, what it keeps there: of every shape at one place at least.
    """
    found = []
    for axis in axes(port, max(1, wanted[0].ndim)):
        for size, same in _by_size(wanted, axis).items():
            rows = [_rows(wanted[i], axis) for i in same]
            centre = np.median([row.mean(1) for row in rows], axis=0)
            spread = _spread(rows, centre)
            asked = [i for i in same if i in moved]
            if not asked:
                continue
            own = [moved[i] for i in asked]
            scales = _Scales([_rows(wanted[i], axis) for i in asked], centre, spread)
            off = [_rms(_apart(one.calm, one.twin, axis)) for one in own]
            near, far = (_typical(_relative(off, scale)) for scale in (scales.varied, scales.size))
            assert len(centre) == size
            half: list[Array] = []
            halved = [one.halved for one in own if one.halved is not None]
            if halved:
                pairs = zip(asked, halved, strict=True)
                off = [_rms(_apart(wanted[i], one, axis)) for i, one in pairs]
                # an overflow excuses nothing
                off = [np.where(np.isfinite(one), one, 0.0) for one in off]
                half = [_typical(_relative(off, one)) for one in (scales.varied, scales.size)]
            found.append(Channels(axis, centre, spread, near, far, *half))
    return tuple(found)


def judged(
    port: Port,
    known: Sequence[Channels],
    wanted: Sequence[Array],
    got: Sequence[Array],
    precision: str,
    cap: float,
    labels: Sequence[str] = (),
    **more: Any,
) -> Judged | None:
    """The channel with the least left above its gate, all probes together; None where there is no
    channel.

    Args:
        port: of the output.
        known: of it, from `measured`.
        wanted: the reference's values, one array per probe.
        got: the artifact's.
        precision: of its arithmetic: fp16 moves more than a twin in fp32.
        cap: no gate above, in dB.
        labels: names of the classes along the axis of classes.
        more: fields of the measurement.
    """
    numbers: list[tuple[float, Measurement]] = []
    unresolved: dict[int, list[str]] = {}
    for one in known:
        same = _by_size(wanted, one.axis).get(len(one.centre))
        if not same:
            continue
        rows = [_rows(wanted[i], one.axis) for i in same]
        scales = _Scales(rows, one.centre, one.spread, _usual(one, precision))
        errors = [_apart(wanted[i], got[i], one.axis) for i in same]
        off = [_rms(error) for error in errors]
        near, far = (
            _Beside(_relative(off, scale), moved, scale, precision, cap)
            for scale, moved in (
                (scales.varied, scales.floor(_moved(one.noise, one.halved, precision))),
                (scales.size, scales.floor(_moved(one.least, one.halved_least, precision))),
            )
        )
        shown = near.gate > 0.0
        traced = ~shown & (precision == "fp32") & _traceable(rows, one)
        value = np.where(shown, near.value, np.where(traced, _along(rows, errors, one), far.value))
        gate = np.where(shown, near.gate, np.where(traced, ALONG, far.gate))
        gate = np.where(scales.nothing, np.minimum(gate, 0.0), gate)
        left = np.where(np.isnan(value), -np.inf, value - gate)
        worst = int(np.argmin(left))
        ndim = max(1, wanted[0].ndim)
        lost = np.flatnonzero(~shown & ~traced & ~scales.still)
        unresolved.setdefault(one.axis, []).extend(_index(one.axis, int(i), ndim) for i in lost)
        named = labels if port.class_axis is not None else ()
        name = named[worst] if worst < len(named) else _index(one.axis, worst, ndim)
        why = ALONG_REASON if traced[worst] else SPREAD_REASON if shown[worst] else SIZE_REASON
        found, least = float(value[worst]), float(gate[worst])
        made = Measurement(port.name, "snr", found, least, why, channel=name, **more)
        numbers.append((float(left[worst]), made))
    if not numbers:
        return None
    fewest = min(unresolved.values(), key=lambda names: len(names))
    return Judged(min(numbers, key=lambda pair: pair[0])[1], tuple(fewest))


class _Scales:
    """What errors are held against, per probe and channel.

    Attributes:
        size: the root mean square.
        varied: that of the distance from the centre, or the spread where that is more; the size of
            what is constant everywhere.
        still: per channel, whether it is constant.
        nothing: per channel, whether it is less than fp32 holds beside the largest.
        rest: per channel, what its neighbours move where it is silent at most probes; 0 elsewhere.
    """

    def __init__(
        self, rows: Sequence[Array], centre: Array, spread: Array, usual: float = 0.0
    ) -> None:
        size = np.array([_rms(row) for row in rows])
        varied = np.array([np.maximum(spread, _rms(row - centre[:, None])) for row in rows])
        least = NOTHING * size.max(axis=1, initial=0.0, keepdims=True)
        self.still = varied.max(axis=0) <= 0.0
        self.nothing = np.all(size <= least, axis=0)
        self.size = np.maximum(size, least)
        self.varied = np.maximum(np.where(self.still, size, varied), least)
        # a unit that is silent as a rule may wake, or fall silent, by what its neighbours move
        self.rest = np.where(np.median(size - least, axis=0) <= 0.0, usual, 0.0)
        self.size = np.maximum(self.size, self.rest)
        self.varied = np.maximum(self.varied, self.rest)

    def floor(self, moved: Array) -> Array:
        """`moved`, and of a silent unit no less than its neighbours' part of its scale."""
        return np.asarray(
            np.maximum(moved, self.rest / np.maximum(self.varied.min(axis=0), 1e-300))
        )


class _Beside:
    """Ratios of channels to their errors, and the gates on these, in dB."""

    def __init__(self, off: Array, moved: Array, scale: Array, precision: str, cap: float) -> None:
        smallest = np.full(scale.shape, SMALLEST[precision])
        self.value = _decibels(off)
        self.gate = np.minimum(
            _decibels(moved + _relative(list(smallest), scale)) - noise.MARGIN, cap
        )


def _spread(rows: Sequence[Array], centre: Array) -> Array:
    """See `Channels.spread`.

    >>> _spread([np.array([[0.0]]), np.array([[0.0]]), np.array([[2.0]])], np.zeros(1))
    array([2.])
    """
    apart = np.array([_rms(row - centre[:, None]) for row in rows])
    size = np.array([_rms(row) for row in rows])
    alive = np.where(size > NOTHING * size.max(axis=1, initial=0.0, keepdims=True), apart, np.nan)
    resting = np.isnan(alive).all(axis=0)
    return np.where(resting, 0.0, np.nanmedian(np.where(resting, 0.0, alive), axis=0))


def _usual(known: Channels, precision: str) -> float:
    """What a channel moves in a sound computation, in the output's own units: the median of those
    that vary."""
    moved = (_moved(known.noise, known.halved, precision) * known.spread)[known.spread > 0.0]
    return float(np.median(moved)) if moved.size and np.isfinite(moved).all() else 0.0


def _moved(noise: Array, halved: Array | float, precision: str) -> Array:
    """What a sound computation in a precision moves."""
    return HALF * noise + halved if precision == "fp16" else noise


def _traceable(rows: Sequence[Array], known: Channels) -> Array:
    """Whether half a channel stands out of noise that averages over all values, and above the
    spacing of fp32."""
    count = sum(row.shape[1] for row in rows)
    size = np.max([_rms(row) for row in rows], axis=0)
    clear = 4.0 * known.noise / np.sqrt(count) <= 10.0 ** (-ALONG / 20.0)
    return np.asarray(clear & (known.spread > 8.0 * 2.0**-24 * size))


def _along(rows: Sequence[Array], errors: Sequence[Array], known: Channels) -> Array:
    """The slope of the error over the channel's distance from its centre, in dB below one."""
    apart = [row - known.centre[:, None] for row in rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        both = sum((one * error).sum(1) for one, error in zip(apart, errors, strict=True))
        own = sum(np.square(one).sum(1) for one in apart)
        return _decibels(np.abs(np.asarray(both / own)))


def _relative(off: Sequence[Array], scale: Array) -> Array:
    """What is off per probe and channel, relative to a scale; root mean square over the probes."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        parts = [np.where(a == 0.0, 0.0, a / b) for a, b in zip(off, scale, strict=True)]
        return np.asarray(np.sqrt(np.mean(np.square(parts), axis=0)))


def _by_size(arrays: Sequence[Array], axis: int) -> dict[int, list[int]]:
    """The places of arrays by their size along an axis."""
    found: dict[int, list[int]] = {}
    for place, one in enumerate(arrays):
        found.setdefault(one.shape[axis] if one.ndim else 1, []).append(place)
    return found


def _apart(wanted: Array, got: Array, axis: int) -> Array:
    """The difference, [size of the axis, positions]. What is infinite alike is equal."""
    with np.errstate(invalid="ignore"):
        apart = np.subtract(got, wanted, dtype=np.float64)
        if not np.isfinite(apart.sum()):
            apart = np.where(wanted == got, 0.0, apart)
    return _axis_first(apart, axis)


def _typical(moved: Array) -> Array:
    """No channel is held to less than half of them are: of few values one may hardly have moved."""
    finite = moved[np.isfinite(moved)]
    return np.maximum(moved, np.median(finite)) if finite.size else moved


def _rows(array: Array, axis: int) -> Array:
    """[size of the axis, positions], in float64; what is infinite in it is left out."""
    wide = array.astype(np.float64)
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(wide.sum())
    return _axis_first(wide if whole else np.where(np.isfinite(wide), wide, 0.0), axis)


def _axis_first(array: Array, axis: int) -> Array:
    wide = np.atleast_1d(array)
    return np.moveaxis(wide, axis, 0).reshape(wide.shape[axis], -1)


def _rms(rows: Array) -> Array:
    """Root mean square of each row; without overflow."""
    count = max(rows.shape[1], 1)
    plain = np.sqrt(np.einsum("ij,ij->i", rows, rows) / count)
    if bool(((plain > _FINE) & (plain < 1.0 / _FINE)).all()):
        return np.asarray(plain)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scaled = rows / np.where((largest > 0.0) & (largest < np.inf), largest, 1.0)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(largest * np.sqrt(np.mean(np.square(scaled), axis=1)))


def _decibels(ratio: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(-20.0 * np.log10(ratio))


def _index(axis: int, index: int, ndim: int) -> str:
    """In numpy's notation, the shorter way.

    >>> _index(1, 2, 4), _index(3, 2, 4), _index(0, 2, 1)
    ('[:, 2]', '[..., 2]', '[2]')
    """
    if axis == ndim - 1 and ndim > 2:
        return f"[..., {index}]"
    return f"[{':, ' * axis}{index}]"
