"""The table of `docs/breadth.md`, from the rows that were run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

HEAD = """# The breadth of networks

Networks of other people's libraries in small configurations, with random but living weights (norms
that have seen data, no constant parameter), saved as their users save them and converted by one
command line; a live module by one call. `make breadth` runs them and writes this page; what is
known of a network is not run again. Where a row misses, the last column says at what, and whose it
is: `conversion` (a format could not be written), `verdict` (it was written and not signed) or
`refused` (the command stopped before).

"""


def text(rows: Sequence[dict[str, Any]], there_are: int) -> str:
    """The page.

    Args:
        rows: what was run.
        there_are: how many networks the table knows.
    """
    made = [row for row in rows if row["made"]]
    both = sum(_signed(row, "coreml") and _signed(row, "onnx") for row in made)
    lines = [
        HEAD,
        f"{len(made)} of {there_are} networks of {len({row['library'] for row in made})} libraries "
        f"in {len({row['form'] for row in made})} file forms were run: **{both} signed in both "
        f"formats**, {sum(_signed(row, 'coreml') for row in made)} in Core ML (fp16), "
        f"{sum(_signed(row, 'onnx') for row in made)} in ONNX; "
        f"{sum(bool(row.get('traceback')) for row in made)} tracebacks.\n",
        "| misses | |\n|---|---|",
        *(
            f"| {kind} | {count} |"
            for kind, count in Counter(map(fault, made)).most_common()
            if kind
        ),
        "",
        "| network | file form | route | Core ML fp16 | ONNX | seconds | words | a miss, and why |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, made)]) + "\n"


def _row(row: dict[str, Any]) -> str:
    formats = row.get("formats", {})
    routes = dict.fromkeys(one["route"] for one in formats.values())
    cells = [
        row["name"], row["form"], ", ".join(routes), _cell(row, "coreml"), _cell(row, "onnx"),
        str(row.get("seconds", "")), str(row.get("words", "")), why(row),
    ]  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _signed(row: dict[str, Any], name: str) -> bool:
    return bool(row.get("formats", {}).get(name, {}).get("signed"))


def _cell(row: dict[str, Any], name: str) -> str:
    found = row.get("formats", {}).get(name)
    return "not written" if found is None else "verified" if found["signed"] else "not signed"


def fault(row: dict[str, Any]) -> str:
    """Whose a miss is; empty where there is none."""
    if _signed(row, "coreml") and _signed(row, "onnx"):
        return ""
    if row.get("traceback"):
        return "traceback"
    formats = row.get("formats")
    if formats is None:
        return "refused"
    written = all(name in formats for name in ("coreml", "onnx"))
    return "verdict" if written else "conversion"


def why(row: dict[str, Any]) -> str:
    """At what a network misses."""
    kind = fault(row)
    if not kind:
        return ""
    formats = row.get("formats")
    if formats is None:
        lines = [line.strip() for line in row.get("said", "").splitlines()]
        found = [line for line in lines if line.startswith(("lading:", "found"))][:2]
        return f"{kind}: {' '.join(found or lines[-1:])}"[:200]
    said = [f"{name}: {one['why']}" for name, one in formats.items() if not one["signed"]]
    said += [f"{one['title']}: {one['reasons'][0]}" for one in row.get("refused", ())]
    return f"{kind}: {'; '.join(said)}"[:200]
