"""Every reader and every runtime against files that are almost right.

    python -m tests.fuzz                             # every kind, COUNT cases each
    python -m tests.fuzz "torch zip" --count 100000  # one kind; run again, it goes on
    python -m tests.fuzz "torch zip" --again 812     # one case, with its traceback

Status 1 where a case was bad.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.kind import all_kinds, lay
from tests.fuzz.run import Count, fuzz, load, make

ROOT = Path(__file__).parent.parent.parent
BEGIN, END = "<!-- fuzz: make fuzz -->\n", "<!-- end of fuzz -->"


def table(counts: list[Count]) -> str:
    """The counts as a table in Markdown."""
    rows = ["| kind | files | read | refused | bad | slowest |", "|---|---|---|---|---|---|"]
    for count in counts:
        refused = sum(count.refused.values())
        rows.append(
            f"| {count.kind} | {count.total:,} | {count.read:,} | {refused:,} | "
            f"{len(count.bad)} | {count.slowest:.1f} s |"
        )
    return "\n".join(rows) + "\n"


def document(path: Path, counts: list[Count]) -> None:
    """Writes the table between the document's markers, with date, seed and command."""
    seeds = sorted({count.seed for count in counts})
    today = datetime.date.today().isoformat()
    text = (
        f"{today}, seed {', '.join(map(str, seeds))}, `python -m tests.fuzz --seed {seeds[0]} "
        f"--count {max(count.next for count in counts)}`:\n\n{table(counts)}"
    )
    head, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{head}{BEGIN}{text}{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """The command."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.fuzz", None, __doc__, formatter_class=plain)
    parser.add_argument("kinds", nargs="*", help="which kinds (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000, help="cases of each kind, in all")
    parser.add_argument("--minutes", type=float, default=1e6, help="at most, for each kind")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--again", type=int, help="make this one case again and read it, unjudged")
    parser.add_argument("--fresh", action="store_true", help="forget the counts so far")
    parser.add_argument("--document", type=Path, help="write the table into this file")
    parser.add_argument("--list", action="store_true", help="the kinds there are")
    asked = parser.parse_args(argv)
    shelf = all_kinds()
    unknown = [name for name in asked.kinds if name not in shelf]
    if unknown or asked.list:
        print("\n".join(shelf))
        return 2 if unknown else 0
    chosen = [shelf[name] for name in asked.kinds or shelf]
    if asked.again is not None:
        (kind,) = chosen
        path = Path(tempfile.mkdtemp(prefix="fuzz-")) / kind.file
        lay(make(kind, kind.seeds(), asked.seed, asked.again), path)
        print(path)
        print(kind.read(path))
        return 0
    os.nice(10)
    counts = []
    for kind in chosen:
        file = asked.state / f"{kind.name.replace(' ', '_')}.json"
        if asked.fresh:
            file.unlink(missing_ok=True)
        count = fuzz(kind, asked.seed, asked.count, asked.minutes, asked.state)
        counts.append(count)
        print(table([count]).splitlines()[-1], flush=True)
        for why, times in Counter(count.bad.values()).most_common(20):
            print(f"    {times} × {why}")
    if asked.document:
        every = [load(asked.state / f"{name.replace(' ', '_')}.json", name, asked.seed)
                 for name in shelf]  # fmt: skip
        document(asked.document, [one for one in every if one.total])
    return 1 if any(count.bad for count in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
