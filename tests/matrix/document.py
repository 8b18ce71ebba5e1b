"""The page of `docs/versions.md`, from the corners that were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import requires

from lading.base.environment import numbers
from lading.job.tried import Tried

HEAD = """# Versions that were tried together

Written by `make matrix`; do not edit. A corner is one Python with one release of torch: of each
Python the oldest that lading is for, the pinned and the newest that it can have, others by name. It
has an environment of its own, everything else at the versions of `constraints.txt`. In it run the
demonstration, ten networks of [the table](breadth.md), and the tests of capture, repairs and
spellings. `lading doctor` says which of it holds for the versions at hand.

"""


def text(
    rows: Sequence[Tried], wanted: Mapping[str, Sequence[str]], absent: Mapping[str, str]
) -> str:
    """The page.

    Args:
        rows: what was tried.
        wanted: by Python, e.g. ``"3.11"``, the releases of torch that are asked for.
        absent: of each Python that is not here, what is said of it.
    """
    asks = next(one for one in requires("lading") or () if one.startswith("torch"))
    passed = sum(not row.misses for row in rows)
    lines = [
        f"{HEAD}{len(rows)} corners were tried, **{passed} of them without a miss**. lading asks "
        f"for `{asks}`.",
        "",
        "| Python | torch | coremltools | demo | networks | tests of capture | misses |",
        "|---|---|---|---|---|---|---|",
    ]
    for python in sorted({*wanted, *absent, *(row.python for row in rows)}, key=numbers):
        tried = {row.torch: _row(row) for row in rows if row.python == python}
        missing = {
            one: f"| {python} | {one} | | | | | not tried yet |" for one in wanted.get(python, ())
        }
        if python in absent and not tried:
            lines.append(f"| {python} | | | | | | {absent[python]} |")
        else:
            lines += [row for _, row in sorted((missing | tried).items(), key=_release)]
    return "\n".join(lines) + "\n"


def _release(item: tuple[str, str]) -> tuple[int, ...]:
    return numbers(item[0])


def _row(row: Tried) -> str:
    counts = (f"{good} of {all_}" for good, all_ in (row.demo, row.networks, row.tests))
    misses = "; ".join(row.misses).replace("|", "/").replace("[", "\\[")
    return f"| {row.python} | {row.torch} | {row.coremltools} | {' | '.join(counts)} | {misses} |"
