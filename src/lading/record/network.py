"""The checkpoint, what network it holds, and what became of each of its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Where a hyper-parameter's value comes from; see the guide, "Evidence".
Evidence = Literal["tensors", "embedded", "side file", "user", "measured", "assumed"]
#: What became of a name in the checkpoint.
Fate = Literal["loaded", "alias", "unused", "folded"]


@dataclass(frozen=True)
class Mention:
    """A class or function that a pickle in the file names and that lading does not know.

    Whoever loads the file with Python's own unpickler imports it, and where it is `called` runs it.

    Attributes:
        name: as the file spells it, ``requests.api.get``.
        called: whether the file calls it, and does not only mention it.
        where: the file and its entry.
        byte: where in it the name is first mentioned.
        times: how often it is called, or mentioned where it is never called.
    """

    name: str
    called: bool
    where: str
    byte: int
    times: int


@dataclass(frozen=True)
class CheckpointRecord:
    """The file that was read. `steps` says, in order, what was unwrapped to reach the tensors."""

    path: str
    sha256: str
    bytes: int
    container: str
    steps: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One source's word on a value: ``Claim("tensors", "7", "encoder.stages.*")``."""

    evidence: Evidence
    value: Any
    source: str


@dataclass(frozen=True)
class Conflict:
    """Sources that disagree about `name`. `settled` names the claim that the user chose, if any."""

    name: str
    claims: tuple[Claim, ...]
    settled: str = ""


@dataclass(frozen=True)
class Sign:
    """One thing a family looks for, whether it is there, and what was found instead."""

    text: str
    present: bool
    found: str = ""


@dataclass(frozen=True)
class HyperParameter:
    """A value and its evidence. `source` says where: tensor names, a JSON path, an option."""

    name: str
    value: Any
    evidence: Evidence
    source: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One row of a settling's table.

    Attributes:
        values: of the hyper-parameters that are in question.
        also: other values of them that give the very same behaviour.
        error: mean squared error of the predicted noise.
        difference: mean relative error above the best candidate's, on the same samples.
        low: lower end of the interval of `difference`; above 0, the candidate is worse.
        high: upper end.
        samples: on which it was run; worse candidates are dropped early.
        plausible: whether it is not worse with confidence.
    """

    values: Mapping[str, str]
    also: tuple[str, ...]
    error: float
    difference: float
    low: float
    high: float
    samples: int
    plausible: bool


@dataclass(frozen=True)
class Settling:
    """Candidates for undecided hyper-parameters, run on the user's pictures, best first.

    Attributes:
        kind: what they differ in, e.g. ``"attention"``.
        candidates: the table.
        levels: share of the picture's variance in each noisy one.
        pictures: how many there were.
        confidence: that no right candidate is called worse.
        settled: the hyper-parameters on whose value all plausible candidates agree.
        undecided: those on which they do not.
        outcome: the outcome in words.
    """

    kind: str
    candidates: tuple[Candidate, ...]
    levels: tuple[float, ...]
    pictures: int
    confidence: float
    settled: Mapping[str, str]
    undecided: tuple[str, ...]
    outcome: str


@dataclass(frozen=True)
class Recognition:
    """A family's reading of a checkpoint."""

    family: str
    title: str
    signs: tuple[Sign, ...]
    hyperparameters: tuple[HyperParameter, ...]
    conflicts: tuple[Conflict, ...] = ()
    settlings: tuple[Settling, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The value of the hyper-parameter `name`.

        Raises:
            KeyError: there is none of that name.
        """
        for one in self.hyperparameters:
            if one.name == name:
                return one.value
        raise KeyError(name)


@dataclass(frozen=True)
class LedgerLine:
    """One name of the checkpoint and what became of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    fate: Fate
    reason: str
    sha256: str


@dataclass(frozen=True)
class LedgerSummary:
    """Counts over a ledger: `names` = loaded + aliases + unused + folded when it is closed."""

    names: int
    tensors: int
    loaded: int
    aliases: int
    unused: int
    unexplained: int
    parameters: int
