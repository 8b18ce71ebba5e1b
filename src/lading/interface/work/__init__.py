"""How much a network computes and holds: multiply-accumulates, numbers and bytes, by operation.

`rules` has one formula a kind of operation, `program` reads the operands of a Core ML program; the
ONNX format reads its own. What is no product of weights or of two values (a sum, an activation, a
normalisation) counts as none, as it does for torch's counter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One operation of an artifact.

    Attributes:
        name: of its first output.
        op: its type, as the format spells it.
        module: path of the module that it comes from, or the name of the weight that it reads where
            the file keeps no path; empty where neither is known.
        macs: multiply-accumulates of one call, all rounds of a loop together; None where a size
            that they depend on is open.
        parameters: numbers of the weights that it is the first to read; packed ones unpacked.
        bytes: of all its constants, as the file holds them.
        holds: names of these constants.
        node: the operation's own name, where it has one.
    """

    name: str
    op: str
    module: str = ""
    macs: int | None = 0
    parameters: int = 0
    bytes: int = 0
    holds: tuple[str, ...] = ()
    node: str = ""
