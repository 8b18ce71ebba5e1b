"""What is counted of one artifact in one runtime over a table, and what the counts must be.

Nothing but counts and the worst samples is kept, so that a table may have any size; all of it can
be saved and gone on from.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lading.base import storage
from lading.proof.table.rows import Place, Row
from lading.record import Changed, Measurement, from_json, to_json
from lading.task.finish import class_name

#: Labels [N] and probabilities [N, C]; see `lading.task.finish.of_samples`.
Answers: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any] | None]

#: Largest difference of any probability on any sample, by declared precision.
GATES = {
    "fp32": (1e-3, "fp32 rounding moves probabilities by some 1e-6"),
    "fp16": (1e-2, "one per cent is what a user of the probabilities can be promised in fp16"),
}
#: Difference of the shares of right answers. In fp16 a tie may go either way: the accuracy as it is
#: told, per cent with two decimals, must stay within its last digit.
APART = {
    "fp32": (0.0, "the accuracy is the original's to the last sample"),
    "fp16": (1e-4, "the accuracy is the original's to the second decimal of a per cent"),
}
#: Upper edges of the histogram of errors: half decades from 1e-9 to 1.
EDGES = tuple(10.0 ** (half / 2) for half in range(-18, 1))
#: Changed samples that are kept by name; of more, the counts remain.
KEPT = 1000


@dataclass
class Tally:
    """What is counted of one side; plain values, so that it can be saved."""

    right_original: int = 0
    right: int = 0
    confusion: Counter[tuple[int, int]] = field(default_factory=Counter)
    confusion_original: Counter[tuple[int, int]] = field(default_factory=Counter)
    errors: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    largest: float = -1.0
    largest_at: str = ""
    changed: int = 0
    unmeasured: int = 0
    kept: list[Changed] = field(default_factory=list)

    def add(
        self,
        rows: Sequence[Row],
        first: int,
        original: Answers,
        got: Answers,
        labels: Sequence[str],
    ) -> None:
        """Counts a batch; `first` is the number of its first row among all, from 1."""
        (said, expected), (told, shares) = original, got
        assert expected is not None
        truth = np.array([row.label for row in rows])
        self.right_original += int((said == truth).sum())
        self.right += int((told == truth).sum())
        self.confusion_original.update(zip(truth.tolist(), said.tolist(), strict=True))
        self.confusion.update(zip(truth.tolist(), told.tolist(), strict=True))
        if shares is None:
            self.unmeasured += len(rows)
        else:
            apart = np.abs(shares - expected).max(axis=1)
            for place in np.searchsorted(EDGES, np.nan_to_num(apart, nan=np.inf), side="left"):
                self.errors[int(place)] += 1
            worst = int(np.argmax(apart))  # numpy's argmax takes the first NaN for the largest
            # `not <=` and not `>`: NaN is worse than anything, and stays so.
            if not math.isnan(self.largest) and not apart[worst] <= self.largest:
                self.largest = float(apart[worst])
                self.largest_at = f"row {first + worst}: {rows[worst].sample[:40]}"
        ordered = np.sort(expected, axis=1)
        for i in np.flatnonzero(told != said):
            self.changed += 1
            self.kept.append(
                Changed(
                    first + int(i),
                    rows[i].sample[:80],
                    class_name(int(said[i]), labels),
                    class_name(int(told[i]), labels),
                    float(ordered[i, -1] - ordered[i, -2]),
                )
            )
        # NaN margins first: they are the worst. Ties by row, so that the order is always the same.
        self.kept.sort(key=lambda one: (one.margin == one.margin, -one.margin, one.row))
        del self.kept[KEPT:]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{n: v for n, v in vars(self).items() if n not in ("kept", "largest")},
            "confusion": triples(self.confusion),
            "confusion_original": triples(self.confusion_original),
            "largest": to_json(self.largest),
            "kept": to_json(self.kept),
        }

    @staticmethod
    def of(saved: Mapping[str, Any]) -> Tally:
        """The inverse of `as_dict`."""
        counts = ("confusion", "confusion_original")
        return Tally(
            **{
                **saved,
                **{name: Counter({(a, b): n for a, b, n in saved[name]}) for name in counts},
                "largest": from_json(float, saved["largest"]),
                "kept": [from_json(Changed, one) for one in saved["kept"]],
            }
        )


@dataclass(frozen=True)
class Keep:
    """Where the state of an unfinished comparison lies, and whose it is.

    Attributes:
        path: of the file; it is removed at the end.
        of: what the counts depend on: digests and settings.
    """

    path: Path
    of: Mapping[str, str]

    def read(self, names: Sequence[str]) -> tuple[Place, dict[str, Tally], int] | None:
        """Place, tallies and unknown texts of an earlier run of the same; None where there is
        none."""
        try:
            saved = json.loads(self.path.read_text(encoding="utf-8"))
            if saved["of"] != dict(self.of) or sorted(saved["tallies"]) != sorted(names):
                return None
            tallies = {name: Tally.of(one) for name, one in saved["tallies"].items()}
            return from_json(Place, saved["place"]), tallies, int(saved["unknown"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, place: Place, tallies: Mapping[str, Tally], unknown: int) -> None:
        """Saves.

        Raises:
            StorageError: it cannot be written.
        """
        plain = {
            "of": dict(self.of),
            "place": to_json(place),
            "tallies": {name: one.as_dict() for name, one in tallies.items()},
            "unknown": unknown,
        }
        storage.write_file(self.path, json.dumps(plain, ensure_ascii=False).encode())


def measured(tally: Tally, samples: int, precision: str) -> list[Measurement]:
    """The numbers of one side with their gates."""
    gate, reason = GATES[precision]
    apart, apart_reason = APART[precision]
    numbers = []
    error = gate
    if not tally.unmeasured:
        error = tally.largest
        numbers.append(Measurement("probability", "max_abs", error, gate, reason, tally.largest_at))
    beyond = sum(not one.margin <= error for one in tally.kept)
    worst = tally.kept[0] if tally.kept else None
    right, original = tally.right / samples, tally.right_original / samples
    numbers += [
        Measurement(
            "", "classes changed beyond the error", float(beyond), 0.0,
            "a sample may change its class only where the original's two best probabilities are "
            "nearer to each other than the largest error",
            f"row {worst.row}: {worst.sample}" if worst and beyond else "",
        ),
        Measurement("", "accuracy apart", abs(tally.right - tally.right_original) / samples, apart,
                    apart_reason),
        Measurement("", "classes changed", float(tally.changed), None, "ties included"),
        Measurement("", "accuracy", right, None, "the artifact's"),
        Measurement("", "accuracy of the original", original, None, "on the same rows"),
    ]  # fmt: skip
    return numbers


def triples(counts: Counter[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """``(row, column, count)`` of every count, in order."""
    return tuple((a, b, n) for (a, b), n in sorted(counts.items()))
