"""What is asked of the files: their precision, the systems that must run them, their metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["fp16", "fp32"]
PRECISIONS: tuple[Precision, ...] = ("fp16", "fp32")

#: Core ML came to both systems together: each macOS reads what its twin reads.
MACOS_TWIN = {"macOS12": "iOS15", "macOS13": "iOS16", "macOS14": "iOS17", "macOS15": "iOS18"}

#: The first iOS whose Core ML keeps states, as macOS 15 does.
KEEPS_STATES = 18


@dataclass(frozen=True)
class Settings:
    """What was asked of the files.

    Attributes:
        precision: of Core ML's arithmetic and weights. ONNX is always written in fp32: the
            reference form that anything else can be made from.
        deployment: the oldest system that must run it, e.g. ``"iOS16"`` or ``"macOS13"``.
        opset: of ONNX.
        author: written into the artifact's metadata when not empty, like the next two.
        license: see `author`.
        description: see `author`.
        facts: further metadata, by key: checkpoint digest, lading's version, labels, ports.
        auto: where fp16 misses its gates, look for the fewest operations that must stay in fp32.
        wide: names of operations of an fp16 program that stay in fp32, as the converter has them.
    """

    precision: Precision = "fp16"
    deployment: str = "iOS16"
    opset: int = 18
    author: str = ""
    license: str = ""
    description: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    auto: bool = False
    wide: tuple[str, ...] = ()
