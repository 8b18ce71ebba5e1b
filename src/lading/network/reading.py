"""From claims to hyper-parameters: the strongest evidence wins, and no disagreement is hidden.

A family collects what each source says with `Reading.claim`, then settles name by name. Strength
runs tensors, embedded metadata, side file, assumption; the user may settle a conflict or replace
what is not proven, and can never contradict the tensors. Values are kept in the form that JSON
has (lists, not tuples), so that a record read back is equal to the one written.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lading.errors import RecognitionError, RequestError
from lading.record import Claim, Conflict, Evidence, HyperParameter, Recognition, Sign
from lading.record.values import parse, show

STRENGTH: tuple[Evidence, ...] = (
    "tensors", "measured", "embedded", "side file", "user", "assumed"
)  # fmt: skip

#: Brings a value into its one form. Raises ValueError whose text says what was expected.
Check = Callable[[Any], Any]


class Reading:
    """One family's reading in progress.

    Args:
        settings: what the user set, as text.
        subject: what is being read, for errors: the file's path.

    >>> reading = Reading({"patch_size": "64x64"}, "checkpoint.pth")
    >>> reading.claim("n_stages", 7, "tensors", "encoder.stages.*")
    >>> reading.claim("n_stages", 6, "embedded", "plans")
    >>> reading.settle("n_stages", integer())
    7
    >>> reading.settle("patch_size", integers(2), assume=[256, 256], why="usual")
    [64, 64]
    >>> [conflict.name for conflict in reading.finish("toy", "Toy", ()).conflicts]
    ['n_stages']
    """

    def __init__(self, settings: Mapping[str, str], subject: str) -> None:
        self._settings = dict(settings)
        self.subject = subject
        self._claims: dict[str, list[Claim]] = {}
        self._settled: dict[str, HyperParameter] = {}
        self._conflicts: list[Conflict] = []

    def claim(self, name: str, value: Any, evidence: Evidence, source: str) -> None:
        """Notes that `source` gives `value` for `name`; None says nothing and is not noted."""
        if value is not None:
            self._claims.setdefault(name, []).append(Claim(evidence, value, source))

    def claimed(self, name: str) -> bool:
        """Whether any source, or the user, has spoken on `name`."""
        return name in self._claims or name in self._settings

    def has(self, name: str) -> bool:
        """Whether `name` is settled."""
        return name in self._settled

    def value(self, name: str) -> Any:
        """The settled value of `name`."""
        return self._settled[name].value

    def evidence(self, name: str) -> Evidence:
        """The evidence on which the settled `name` rests."""
        return self._settled[name].evidence

    def source(self, name: str) -> str:
        """Where the settled `name` comes from."""
        return self._settled[name].source

    def hint(self, name: str) -> Claim | None:
        """What the user or else the strongest source says on `name`, before it is settled."""
        if name in self._settings:
            text = self._settings[name]
            return Claim("user", parse(text), f"--set {name}={text}")
        claims = self._claims.get(name, ())
        return min(claims, key=lambda c: STRENGTH.index(c.evidence)) if claims else None

    def settle(
        self,
        name: str,
        check: Check,
        *,
        assume: Any = None,
        why: str = "",
        alternatives: Sequence[str] = (),
    ) -> Any:
        """The value of `name`, from the strongest claim, the user, or `assume`, in that order.

        Args:
            name: of the hyper-parameter.
            check: brings a value into its one form; its ValueError says what was expected.
            assume: the value when no source speaks; None for none.
            why: why that assumption, as the record's source.
            alternatives: what else it could be, for the record of an assumption.

        Raises:
            RecognitionError: a source's value cannot be; or nothing is known and nothing assumed.
            RequestError: the user's value cannot be, or contradicts the tensors.
        """
        claims = [
            Claim(c.evidence, self.checked(name, c.value, c.source, check), c.source)
            for c in self._claims.get(name, ())
        ]
        claims.sort(key=lambda claim: STRENGTH.index(claim.evidence))
        if name in self._settings:
            return self._by_user(name, check, claims)
        if claims:
            best = claims[0]
            if any(claim.value != best.value for claim in claims):
                self._conflicts.append(Conflict(name, tuple(claims)))
            return self._keep(HyperParameter(name, best.value, best.evidence, best.source))
        if assume is None:
            raise RecognitionError(
                f"{self.subject}: {name}",
                found="no source that says it",
                expected="a value in the tensors, the embedded metadata or a side file",
                remedy=f"--set {name}=VALUE",
            )
        return self._keep(HyperParameter(name, check(assume), "assumed", why, tuple(alternatives)))

    def checked(self, name: str, value: Any, source: str, check: Check) -> Any:
        """`value` in its one form, as `check` gives it.

        Raises:
            RecognitionError: it cannot be.
        """
        try:
            return check(value)
        except (ValueError, TypeError) as no:
            raise RecognitionError(
                f"{self.subject}: {name} in {source}",
                found=show(value),
                expected=str(no),
                remedy="repair that entry, or take the tensors out of the file on their own",
            ) from None

    def _by_user(self, name: str, check: Check, claims: list[Claim]) -> Any:
        text = self._settings[name]
        try:
            value = check(parse(text))
        except (ValueError, TypeError) as no:
            raise RequestError(
                f"--set {name}={text}",
                found=text,
                expected=str(no),
                remedy=f"write it as {show(claims[0].value)}" if claims else "correct the value",
            ) from None
        proof = next((claim for claim in claims if claim.evidence == "tensors"), None)
        if proof is not None and proof.value != value:
            raise RequestError(
                f"--set {name}={text}",
                found=show(value),
                expected=f"{show(proof.value)}, which the tensors prove ({proof.source})",
                remedy="leave the setting out: no setting can change what the tensors show",
            )
        backing = next((claim for claim in claims if claim.value == value), None)
        if any(claim.value != value for claim in claims):
            chosen = Claim("user", value, f"--set {name}={text}")
            settled = backing.evidence if backing else "user"
            self._conflicts.append(Conflict(name, (*claims, chosen), settled))
        elif backing is not None:
            return self._keep(HyperParameter(name, value, backing.evidence, backing.source))
        if proof is not None:
            return self._keep(HyperParameter(name, value, "tensors", proof.source))
        return self._keep(HyperParameter(name, value, "user", f"--set {name}={text}"))

    def _keep(self, parameter: HyperParameter) -> Any:
        self._settled[parameter.name] = parameter
        return parameter.value

    def losers(self, name: str) -> frozenset[str]:
        """The sources' evidence whose word on the settled `name` is not its value."""
        conflict = next((c for c in self._conflicts if c.name == name), None)
        value = self._settled[name].value
        return frozenset(
            c.evidence for c in (conflict.claims if conflict else ()) if c.value != value
        )

    def finish(self, family: str, title: str, signs: tuple[Sign, ...]) -> Recognition:
        """The record.

        Raises:
            RequestError: the user set a name that this family does not have.
        """
        for name in self._settings:
            if name not in self._settled:
                near = difflib.get_close_matches(name, self._settled, n=1)
                raise RequestError(
                    f"--set {name}={self._settings[name]}",
                    found=f"no hyper-parameter {name!r} in this {title} network",
                    expected="one of " + ", ".join(sorted(self._settled)),
                    remedy=f"did you mean {near[0]}?" if near else "correct the name",
                )
        return Recognition(
            family, title, signs, tuple(self._settled.values()), tuple(self._conflicts)
        )


# ------------------------------------------------------------------------------------------ checks
def integer(low: int = 1) -> Check:
    """A whole number of at least `low`."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
            raise ValueError(f"a whole number of at least {low}")
        return int(value)

    return check


def flag(value: Any) -> bool:
    """True or false; nothing else stands for them."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, numbers.Real))
        or not math.isfinite(value)
    ):
        raise ValueError("a finite number")
    return float(value)


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("one of " + ", ".join(words))
        return str(value)

    return check


def text(value: Any) -> str:
    """Any word; a bare number that the user typed is one too."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ValueError("a word")
    return str(value)


def integers(length: int, low: int = 1) -> Check:
    """`length` whole numbers; one number stands for all of them."""

    def check(value: Any) -> list[int]:
        items = list(value) if isinstance(value, (list, tuple)) else [value] * length
        if len(items) != length:
            raise ValueError(f"{length} whole numbers of at least {low}")
        one = integer(low)
        return [one(item) for item in items]

    return check


def grid(rows: int, columns: int, low: int = 1) -> Check:
    """`rows` lists of `columns` whole numbers; one number stands for a row, or for all."""

    def check(value: Any) -> list[list[int]]:
        items = list(value) if isinstance(value, (list, tuple)) else [value] * rows
        if rows == 1 and len(items) == columns and all(isinstance(i, int) for i in items):
            items = [items]
        if len(items) != rows:
            raise ValueError(f"{rows} times {columns} whole numbers of at least {low}")
        row = integers(columns, low)
        return [row(item) for item in items]

    return check
