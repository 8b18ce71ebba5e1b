"""What the plugin decides by: which cases a sample takes, when two arrays agree, what is red."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.conformance.known import ATOL, RTOL
from tests.conformance.watch import Case


def stratified(ids: Iterable[str], count: int) -> set[str]:
    """`count` of the node ids, each test class in proportion and none left out while room lasts.

    Within a class the order is that of a hash: the same choice on every computer.
    """
    classes: dict[str, list[str]] = defaultdict(list)
    for one in ids:
        classes[one.partition("[")[0].rpartition("::")[0]].append(one)
    ranked = []
    for members in classes.values():
        members.sort(key=_digest)
        ranked += [(rank / len(members), _digest(one), one) for rank, one in enumerate(members)]
    return {one for _, _, one in sorted(ranked)[:count]}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def difference(found: Any, expected: Any, rtol: float = RTOL, atol: float = ATOL) -> str:
    """Where `found` is outside the tolerance, or empty. NaN equals NaN; shapes must agree.

    >>> difference(np.float32([1.0, 2.1]), np.float32([1.0, 2.0]))
    '1 of 2 elements; worst: found 2.1 expected 2'
    """
    if not isinstance(found, np.ndarray):
        return ""  # a label or a dictionary: the suite's own comparison is exact
    expected = np.asarray(expected)
    if found.size != expected.size:
        return f"shape {found.shape}, expected {expected.shape}"
    found = found.astype(np.float64).reshape(expected.shape)
    expected = expected.astype(np.float64)
    close = np.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return ""
    with np.errstate(invalid="ignore"):
        excess = np.where(close, -1.0, np.nan_to_num(np.abs(found - expected), nan=np.inf))
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    return (
        f"{(~close).sum()} of {close.size} elements; "
        f"worst: found {found[worst]:.6g} expected {expected[worst]:.6g}"
    )


def refusals(case: Case, demanded: str = "") -> list[str]:
    """What the runtime refused; `demanded` is what a refusal says that the test itself asks for."""
    return [one for one in case.errors if not demanded or demanded not in one]


def verdict(case: Case, outcome: str, demanded: str = "") -> str:
    """Why a case is red though the suite may think otherwise; empty if it is not."""
    refused = refusals(case, demanded)
    if refused:
        return "the runtime refused: " + " | ".join(refused)
    if case.mismatches:
        return f"outside rtol {RTOL}, atol {ATOL}: " + " | ".join(case.mismatches)
    seen = case.compared or case.looked_at or case.errors
    if case.predictions and outcome == "passed" and not seen:
        return "the runtime answered, and nobody looked at the answer"
    if case.predictions and outcome == "skipped":
        return "skipped after the runtime had answered"
    return ""
