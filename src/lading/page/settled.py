"""What was settled by noise prediction: the candidates for each open question, best first."""

from __future__ import annotations

from dataclasses import dataclass

from lading.record import Settling
from lading.record.wording import above, outcome, settled, share


@dataclass(frozen=True)
class Row:
    """One candidate; `also` spells it otherwise and behaves the very same."""

    values: tuple[str, ...]
    also: tuple[str, ...]
    error: str
    above: str
    interval: str
    samples: int
    outcome: str


@dataclass(frozen=True)
class Settled:
    """One question: the answer in words, then the table."""

    question: str
    how: str
    sentences: tuple[str, ...]
    rows: tuple[Row, ...]


def look(record: Settling) -> Settled:
    """A settling as the page shows it."""
    levels = ", ".join(f"{level:g}" for level in record.levels)
    return Settled(
        record.kind,
        f"Each candidate is the same weights read another way. It is shown {record.pictures} "
        f"pictures in noise (share of the picture: {levels}) and says what the noise is; the right "
        "reading errs least. Error is the mean squared error. How far a candidate lies above the "
        "best one is taken sample by sample, relative to the best one's error there, and averaged; "
        f"the interval of that holds with {share(record.confidence)} for the whole table.",
        settled(record),
        tuple(
            Row(
                tuple(f"{name} {value or 'none'}" for name, value in one.values.items()),
                one.also,
                f"{one.error:.4g}",
                *above(record, one),
                one.samples,
                outcome(record, one),
            )
            for one in record.candidates
        ),
    )
