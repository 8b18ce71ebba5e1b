"""The page of a bill: one file of HTML that needs no network and no script from elsewhere.

Records go in, text comes out: `read` takes the bill from disk, `render` draws it. Nothing here
knows a stage, so that a bill is drawn again on a computer without torch. `view` says what stands
on the page, `charts`, `tables` and `trajectories` what is drawn, `repeat` how to do it again;
`templates/` says how it looks.
"""

from __future__ import annotations

from lading.page.sheet import cell, draw, framed, read, render, show

__all__ = ["cell", "draw", "framed", "read", "render", "show"]
