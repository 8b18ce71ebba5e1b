"""What `lading diff` does: what changed between two bills."""

from __future__ import annotations

from pathlib import Path

from lading import page
from lading.base import storage
from lading.job.request import Diff
from lading.page.diff import Difference, compare, markdown, render


def diff(request: Diff) -> Difference:
    """Compares the bills; what changed goes to `out`, where that is named: a page, or for a name
    that ends in ``.md`` Markdown.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """
    before, after = page.read(Path(request.a)), page.read(Path(request.b))
    found = compare(before, after, (str(request.a), str(request.b)))
    if request.out:
        draw = markdown if Path(request.out).suffix == ".md" else render
        storage.write_file(Path(request.out), draw(found).encode("utf-8"))
    return found
