"""The contract of a family, and recognition: ask every family, explain the answer.

A family is a kind of network that can be rebuilt from its tensors. Each lives in one file (or one
folder) of `families/` and is found by being there: the module holds one object ``FAMILY`` that
keeps the contract below. `recognise` is the one way in: exactly one family must claim the file.

What the sources of a family say about a value goes through `reading.Reading`, which picks by
strength of evidence and never settles a disagreement on its own: `require_settled` stops
on one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import nn

from lading.base import shelf
from lading.checkpoint import Checkpoint, hub
from lading.errors import ConflictError, RecognitionError, RequestError
from lading.record import Claim, Conflict, Recognition, Sign, Task
from lading.record.values import show


@dataclass(frozen=True)
class Rebuilt:
    """A network built from a recognition, not yet loaded.

    Attributes:
        module: in eval mode, on the meta device or with any values; its state dict's names are
            names of the checkpoint.
        task: what it takes and gives.
        unused: tensor names of the checkpoint that the module has no place for on purpose, each
            with the reason, e.g. ``{"decoder.seg_layers.0.weight": "unused at inference: deep
            supervision head at 1/32"}``.
        spellings: further names by which a checkpoint may know a tensor of the module, each to the
            module's own name, e.g. ``{"decoder.encoder.stem.weight": "encoder.stem.weight"}``.
    """

    module: nn.Module
    task: Task
    unused: Mapping[str, str]
    spellings: Mapping[str, str] = field(default_factory=dict)


class Family(Protocol):
    """What a family knows.

    One that reads the configuration that a user names (`Checkpoint.config`) says so with an
    attribute ``takes_config = True``; for another, naming one is an error.
    """

    #: the file's name in `families/`, e.g. ``"nnunet"``
    name: str
    #: for people, e.g. ``"nnU-Net v2"``
    title: str

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """What the family looks for; it claims the checkpoint when every sign is present."""
        ...

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """Every hyper-parameter with its evidence.

        Args:
            checkpoint: one that the family claims.
            settings: what the user set (``--set NAME=VALUE``), as text.

        Raises:
            RecognitionError: the tensors contradict the family.
            RequestError: a setting has an unknown name or a value that cannot be.
        """
        ...

    def build(self, recognition: Recognition) -> Rebuilt:
        """The network that the hyper-parameters describe."""
        ...


def families() -> dict[str, Family]:
    """Every family, by name: those on the shelf in the order of their names, then those that other
    packages bring in their entry points ``lading.families``.

    Raises:
        RequestError: such a package is broken.
    """
    needs = ("name", "title", "signs", "read", "build")
    return shelf.read("lading.network.families", "FAMILY", "lading.families", needs)


def recognise(
    checkpoint: Checkpoint,
    settings: Mapping[str, str],
    among: Mapping[str, Family] | None = None,
) -> tuple[Family, Recognition]:
    """The one family that claims the checkpoint, and its reading of it.

    Args:
        checkpoint: what was read from the file.
        settings: what the user set (``--set NAME=VALUE``), as text.
        among: the families to ask; by default all of `families()`.

    Raises:
        RecognitionError: no family claims it (the nearest is named, with the first sign that it
            lacks), two do, or the one that does finds that the tensors contradict it.
        RequestError: a setting is unknown, impossible, or contradicts the tensors.
    """
    asked = families() if among is None else among
    signs = {name: family.signs(checkpoint) for name, family in asked.items()}
    claimants = [name for name in asked if signs[name] and all(s.present for s in signs[name])]
    if len(claimants) == 1:
        family = asked[claimants[0]]
        if checkpoint.config and not getattr(family, "takes_config", False):
            raise RequestError(
                f"--config {checkpoint.config}",
                found=f"a checkpoint of {family.title}, which is described by the file itself "
                "and by what lies beside it",
                expected="a family that takes a configuration",
                remedy="leave --config out, and say what is unknown with --set",
            )
        return family, family.read(checkpoint, settings)
    known = ", ".join(family.title for family in asked.values()) or "none at all"
    if claimants:
        raise RecognitionError(
            checkpoint.record.path,
            found="every sign of " + " and of ".join(asked[name].title for name in claimants),
            expected="a checkpoint that one family claims",
            remedy="report the file's tensor names: the signs of these families overlap",
        )
    raise RecognitionError(
        checkpoint.record.path,
        found=_nearest(asked, signs) if asked else f"{len(checkpoint.tensors)} tensors",
        expected=f"a checkpoint of a known family: {known}",
        remedy="check that this is the file of the network itself, not of an optimizer or another "
        "network beside it; a network of your own comes with its code: "
        f"--model {_code(checkpoint)} --input NAME:DTYPE[SHAPE]",
    )


def _code(checkpoint: Checkpoint) -> str:
    """What ``--model`` would be, as far as a configuration beside the file tells."""
    return hub.maker(checkpoint.sides.get(hub.CONFIG)) or "FILE.py:FACTORY"


def _nearest(asked: Mapping[str, Family], signs: Mapping[str, tuple[Sign, ...]]) -> str:
    """What the family with the largest share of its signs saw, and what it missed first."""

    def share(name: str) -> float:
        return sum(s.present for s in signs[name]) / max(len(signs[name]), 1)

    name = max(asked, key=share)
    mine = signs[name]
    missing = next((s for s in mine if not s.present), None)
    text = f"{sum(s.present for s in mine)} of {len(mine)} signs of {asked[name].title}"
    if missing is None:
        return text
    return f"{text}; missing first: {missing.text} (found {missing.found or 'nothing of the kind'})"


def unsettled(recognition: Recognition) -> tuple[Conflict, ...]:
    """The conflicts that nobody has settled."""
    return tuple(conflict for conflict in recognition.conflicts if not conflict.settled)


def require_settled(recognition: Recognition) -> None:
    """Lets only a recognition without open conflicts pass.

    Raises:
        ConflictError: sources disagree; both sides are quoted, and the ``--set`` that would settle
            each is given.
    """
    open_ones = unsettled(recognition)
    if not open_ones:
        return
    told = "; ".join(f"{one.name}: {', but '.join(map(_quoted, one.claims))}" for one in open_ones)
    names = ", ".join(one.name for one in open_ones)
    proven = [one for one in open_ones if one.claims[0].evidence == "tensors"]
    remedy = " ".join(
        f"--set {shlex.quote(f'{one.name}={show(one.claims[0].value)}')}" for one in open_ones
    )
    advice = (
        "the tensors cannot be argued with: check that the other source belongs to this file, "
        "then accept "
        if proven
        else "choose one side, e.g. "
    )
    raise ConflictError(
        f"{recognition.title}: sources disagree on {names}",
        found=told,
        expected="sources that agree, or your choice",
        remedy=advice + remedy,
    )


def _quoted(claim: Claim) -> str:
    verb = "say" if claim.evidence == "tensors" else "says"
    return f"{claim.evidence} {verb} {show(claim.value)} ({claim.source})"
