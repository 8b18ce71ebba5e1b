"""Settling a diffusion network's unknowns by running it: which candidate predicts noise best.

A network trained to predict noise does so best when it is run as it was trained (Ho et al., arXiv
2006.11239, eq. 14). Pictures of the kind that it was trained on are noised to several levels; every
candidate sees the very same noisy pictures, given the time that it takes for that level, and is
ranked by the mean squared error of the noise. What the race leaves open stays assumed.

`candidates` lists what is possible, `statistics` compares, and this module runs the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from lading.checkpoint import Checkpoint, ledger
from lading.errors import RequestError
from lading.network.families import Family
from lading.network.settling import candidates as possible
from lading.network.settling.candidates import Option, Values
from lading.network.settling.statistics import LOOKS, RISK, Standing, interval, race
from lading.record import Candidate, HyperParameter, Recognition, Settling
from lading.record.values import show
from lading.task import pictures
from lading.task.diffusion.schedule import betas

Floats = npt.NDArray[np.float64]
#: Shares of the picture's variance in the noisy one, from little noise to much.
LEVELS = (0.98, 0.85, 0.5, 0.15, 0.02)
#: The time that the winner is given, off by these factors, must not do better.
ASTRAY = (0.8, 1.25)
#: Values in one call of the network, per channel: bounds memory.
MAX_PIXELS = 1 << 19
#: Rounds over the kinds of choice, each raced while the others stand at their best.
MAX_ROUNDS = 4
FEWEST = 4
Progress = Callable[[str, str], None]
#: The network that hyper-parameters describe, weights loaded, in eval mode.
Builder = Callable[[Values], nn.Module]


def settled(
    checkpoint: Checkpoint,
    family: Family,
    recognition: Recognition,
    files: Sequence[Path],
    progress: Progress,
) -> Recognition:
    """`settle` with the checkpoint's own weights in every candidate.

    Raises:
        LedgerError: the checkpoint's tensors do not fit the network.
        RequestError, InputError: as `settle`.
    """
    known = {one.name: one.value for one in recognition.hyperparameters}
    _require_possible(recognition, known, files)
    rebuilt = family.build(recognition)
    ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    weights = rebuilt.module.state_dict()

    def build(values: Values) -> nn.Module:
        values_of = tuple(replace(h, value=values[h.name]) for h in recognition.hyperparameters)
        network = family.build(replace(recognition, hyperparameters=values_of)).module
        network.load_state_dict(weights, assign=True)
        return network

    return settle(recognition, build, files, progress)


def settle(
    recognition: Recognition,
    build: Builder,
    files: Sequence[Path],
    progress: Progress,
    seed: int = 0,
) -> Recognition:
    """The recognition with what could be measured, and the tables of candidates.

    Args:
        recognition: of a guided-diffusion UNet.
        build: makes the network of given hyper-parameters.
        files: pictures of the kind that the network was trained on, at least `FEWEST`.
        progress: called what is raced.
        seed: of the noise.

    Raises:
        RequestError: the network is none that can be settled so, or the pictures are too few.
        InputError: a picture cannot be read.
    """
    known = {one.name: one.value for one in recognition.hyperparameters}
    _require_possible(recognition, known, files)
    undecided = {one.name for one in recognition.hyperparameters if one.evidence == "assumed"}
    bench = _Bench(known, build, _read(files, known), seed)
    kinds: dict[str, Callable[[Values], list[Option]]] = {
        "attention": lambda now: possible.attention(now, undecided),
        "time": lambda now: possible.times(now, undecided),
        "the decoder's attention": lambda now: possible.decoder(now, undecided),
    }
    best = dict(known)
    raced: dict[str, list[Standing[Option]]] = {}
    for _ in range(MAX_ROUNDS):
        before = dict(best)
        for kind, options in kinds.items():
            listed = options(best)
            if len(listed) < 2:
                raced.pop(kind, None)
                continue
            progress("settle", f"{kind}: {len(listed)} candidates")
            standing = race(listed, bench.on(best), len(files))
            raced[kind] = standing
            best |= standing[0].candidate.values
        if best == before:
            break
    stable = best == before
    doubt = "" if stable else f"the winners still changed after {MAX_ROUNDS} rounds"
    doubt = doubt or _useless(bench, best)
    tables = [
        _table(kind, standing, bench, best, doubt) for kind, standing in raced.items()
    ]  # fmt: skip
    return _told(recognition, tables)


def _require_possible(recognition: Recognition, known: Values, files: Sequence[Path]) -> None:
    said = recognition.title
    if "noise_schedule" not in known:
        found, expected = f"a checkpoint of {said}", "a diffusion network"
        remedy = "leave --settle-with out, and say what is unknown with --set"
    elif known["dims"] != 2 or known["class_cond"]:
        found = "a class-conditional network" if known["class_cond"] else f"{known['dims']}-D"
        expected = "a 2-D network without classes, as pictures alone do not say theirs"
        remedy = "say what is unknown with --set or --config"
    elif len(files) < FEWEST:
        found, expected = f"{len(files)} pictures", f"at least {FEWEST}; 16 or more tell better"
        remedy = "add pictures of the kind that the network was trained on"
    else:
        return
    raise RequestError("--settle-with", found=found, expected=expected, remedy=remedy)


def _read(files: Sequence[Path], known: Values) -> npt.NDArray[np.float32]:
    """[N, C, H, W] from -1 to 1; arrays that lie there already are taken as they are."""
    height, width = known["image_size"]
    read = [pictures.read(path, known["in_channels"], (height, width)) for path in files]
    return np.stack(
        [
            values
            if path.suffix.lower() == ".npy" and np.abs(values).max() <= 1
            else values / 127.5 - 1
            for path, values in zip(files, read, strict=True)
        ]
    ).astype(np.float32)


class _Bench:
    """Noisy pictures, the same for everyone, and the error of a candidate on them."""

    def __init__(
        self, known: Values, build: Builder, clean: npt.NDArray[np.float32], seed: int
    ) -> None:
        self.known = known
        self.build = build
        self.clean = clean
        self.seed = seed
        self._built: tuple[Values, nn.Module] | None = None
        self._seen: dict[Any, Floats] = {}

    def on(self, now: Values) -> Callable[[Option, int, int], Floats]:
        """The errors of options that replace values in `now`."""
        kept = dict(now)
        return lambda option, start, stop: self.errors({**kept, **option.values}, start, stop)

    def errors(self, values: Values, start: int, stop: int, astray: float = 1.0) -> Floats:
        """Mean squared error of the noise, [samples, levels]; `astray` scales the time given."""
        names = (*possible.ATTENTION, *possible.DECODER, *possible.TIME)
        key = (*(values[name] for name in names), astray)
        seen = self._seen.get(key, np.zeros((0, len(LEVELS))))
        if len(seen) < stop:
            network = self._network(values)
            shape = self.clean.shape[1:]
            per_call = max(1, MAX_PIXELS // (len(LEVELS) * shape[1] * shape[2]))
            rows = [
                self._call(network, values, range(first, min(first + per_call, stop)), astray)
                for first in range(len(seen), stop, per_call)
            ]
            seen = self._seen[key] = np.concatenate([seen, *rows])
        return seen[start:stop]

    def _call(
        self, network: nn.Module, values: Values, samples: range, astray: float
    ) -> Floats:  # fmt: skip
        channels = self.clean.shape[1]
        clean = torch.from_numpy(self.clean[[n % len(self.clean) for n in samples]])
        noise = torch.from_numpy(np.stack([self._noise(n) for n in samples]))
        clean = clean[:, None].expand_as(noise)
        kept = torch.tensor(LEVELS, dtype=torch.float32).reshape(1, -1, 1, 1, 1)
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        times = torch.from_numpy(moments(values) * astray).round_() if astray != 1 else None
        if times is None:
            times = torch.from_numpy(moments(values))
        inputs = [noisy.flatten(0, 1), times.float().repeat(len(samples))]
        more = {}
        if values["super_resolution"]:
            small = F.interpolate(
                clean.flatten(0, 1), tuple(values["small_size"]), mode="bilinear", antialias=True
            )
            more["low_res"] = small
        with torch.inference_mode():
            out = network(*inputs, **more)[:, :channels].reshape(noisy.shape)
        if values["predict_xstart"]:
            out = (noisy - kept.sqrt() * out) / (1 - kept).sqrt()
        squared = (out.double() - noise.double()).square()
        found: Floats = squared.mean(dim=(2, 3, 4)).numpy()
        return found

    def _noise(self, sample: int) -> npt.NDArray[np.float32]:
        generator = np.random.Generator(np.random.Philox(key=[self.seed, sample]))
        shape = (len(LEVELS), *self.clean.shape[1:])
        return generator.standard_normal(shape).astype(np.float32)

    def _network(self, values: Values) -> nn.Module:
        names = (*possible.ATTENTION, *possible.DECODER)
        wanted = {name: values[name] for name in names}
        if self._built is None or self._built[0] != wanted:
            self._built = (wanted, self.build(values))
        return self._built[1]


def moments(values: Values) -> Floats:
    """The time that the network is given at each of `LEVELS`, in its own units.

    The step whose noise is nearest, by the ratio of picture to noise on a logarithmic scale.
    """
    steps = values["diffusion_steps"]
    kept = np.cumprod(1.0 - betas(values["noise_schedule"], steps))
    ratio = np.log(kept) - np.log1p(-kept)
    wanted = [np.log(level / (1 - level)) for level in LEVELS]
    nearest = np.array([float(np.abs(ratio - one).argmin()) for one in wanted])
    scale = possible.UNIT / steps if values["rescale_timesteps"] else 1.0
    return nearest * scale


# ------------------------------------------------------------------------------------- what it says
@dataclass(frozen=True)
class _Told:
    record: Settling
    measured: Mapping[str, Any]
    open_: Mapping[str, tuple[Any, ...]]


def _table(
    kind: str, standing: list[Standing[Option]], bench: _Bench, best: Values, doubt: str
) -> _Told:
    """The table of one kind of choice, and what it settles."""
    plausible = [standing[0], *(one for one in standing[1:] if one.low <= 0)]
    if kind == "time" and not doubt:
        doubt = _astray(bench, best, standing[0].samples)
    members = [dict(values) for one in plausible for values in one.candidate.same]
    assumed = {name: bench.known[name] for name in members[0]}
    kept = assumed if assumed in members else members[0]
    measured: dict[str, Any] = {}
    open_: dict[str, tuple[Any, ...]] = {}
    for name, value in kept.items():
        found = list(dict.fromkeys(member[name] for member in members))
        if len(found) == 1 and not doubt:
            measured[name] = value
        else:
            open_[name] = (value, *(one for one in found if one != value))
    pictures_ = len(bench.clean)
    rows = tuple(
        Candidate(
            values={name: show(value) for name, value in one.candidate.same[0]},
            also=tuple(
                ", ".join(f"{name} {show(value)}" for name, value in values)
                for values in one.candidate.same[1:]
            ),
            error=one.error,
            difference=one.difference,
            low=one.low,
            high=one.high,
            samples=one.samples,
            plausible=one in plausible,
        )
        for one in standing
    )
    outcome = doubt or (
        "the best is better than every other with confidence"
        if len(plausible) == 1
        else f"{len(plausible)} of {len(standing)} candidates cannot be distinguished"
    )
    record = Settling(
        kind, rows, LEVELS, pictures_, 1.0 - RISK,
        {name: show(value) for name, value in measured.items()}, tuple(open_), outcome,
    )  # fmt: skip
    return _Told(record, measured, open_)


def linear_error(clean: npt.NDArray[np.float32]) -> Floats:
    """The noise's error per level of the best guess that is a multiple of the noisy picture.

    With a mean square m of pictures and a share k of them, the guess x_t·√(1-k)/(km + 1-k) leaves
    km/(km + 1-k).
    """
    kept = np.array(LEVELS) * float(np.square(clean, dtype=np.float64).mean())
    error: Floats = kept / (kept + 1.0 - np.array(LEVELS))
    return error


def _useless(bench: _Bench, best: Values) -> str:
    """Empty if the winner knows these pictures; a network that does not has a winner too."""
    errors = bench.errors(best, 0, len(bench.clean)).mean(axis=0)
    ratio = float(errors.sum() / linear_error(bench.clean).sum())
    if ratio < 1:
        return ""
    return (
        f"the network predicts noise no better than a multiple of the picture does ({ratio:.2f} "
        "times its error): these are not pictures of the kind that it was trained on"
    )


def _astray(bench: _Bench, best: Values, samples: int) -> str:
    """Empty if no other time than the winner's does better at some level; else where one does.

    The candidates may all be wrong: a network of another schedule has a winner too, and it shows
    here.
    """
    right = bench.errors(best, 0, samples)
    risk = RISK / (len(ASTRAY) * len(LEVELS))
    for factor in ASTRAY:
        other = bench.errors(best, 0, samples, factor)
        for place, level in enumerate(LEVELS):
            gain = right[:, place] - other[:, place]
            if interval(gain, len(bench.clean), risk)[1] > 0:
                return (
                    f"none of the candidates: at a level of {level:g} the network does better when "
                    f"given {factor:g} times the winner's time"
                )
    return ""


def _told(recognition: Recognition, tables: Sequence[_Told]) -> Recognition:
    """Measured values in the place of assumed ones; undecided ones say so."""
    changed: dict[str, HyperParameter] = {}
    for table in tables:
        kind, shown = table.record.kind, f"{table.record.pictures} pictures"
        for name, value in table.measured.items():
            source = f"noise prediction on {shown}, {kind}: {table.record.outcome}"
            changed[name] = HyperParameter(name, value, "measured", source)
        for name, values in table.open_.items():
            others = tuple(show(one) for one in values[1:])
            why = table.record.outcome
            if len([one for one in table.record.candidates if one.plausible]) == 1:
                why = "its other values go with other values here, and no run tells them apart"
            source = f"undecided by noise prediction on {shown}, {kind}: {why}"
            changed[name] = HyperParameter(name, values[0], "assumed", source, others)
    return replace(
        recognition,
        hyperparameters=tuple(
            changed.get(one.name, one) for one in recognition.hyperparameters
        ),
        settlings=tuple(table.record for table in tables),
    )  # fmt: skip


__all__ = ["FEWEST", "LEVELS", "LOOKS", "moments", "settle", "settled"]
