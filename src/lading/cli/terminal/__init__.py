"""What a person reads in the terminal, drawn from records. 80 columns; no colour when piped.

`bill` is what `convert` and `verify` end with, `inspection` what `inspect` shows, `findings` what
the verifier found besides, `progress` what moves while they work, `other` the rest; `text` is what
these share.
"""

from __future__ import annotations

from lading.cli.terminal.bill import bill, comparisons, datasets, replay
from lading.cli.terminal.inspection import artifact, inspection, ledger_line, settling, tensor_tree
from lading.cli.terminal.other import difference, doctor, failure, obstacles
from lading.cli.terminal.progress import Bar, bar
from lading.cli.terminal.text import STYLE, Plain, Table, words

__all__ = [
    "STYLE", "Bar", "Plain", "Table", "artifact", "bar", "bill", "comparisons", "datasets",
    "difference", "doctor", "failure", "inspection", "ledger_line", "obstacles", "replay",
    "settling", "tensor_tree", "words",
]  # fmt: skip
