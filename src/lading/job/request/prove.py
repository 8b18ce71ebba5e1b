"""The verbs that end in a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lading.errors import RequestError
from lading.job.options import (  # fmt: skip
    FLAG,
    PATH,
    TEXT,
    StrPath,
    argument,
    joined,
    many,
    number,
    one_of,
    option,
    whole,
)
from lading.job.request.network import Described, Proved
from lading.job.request.values import (
    DIFFUSION,
    FILES,
    FORMATS,
    FROM,
    FROZEN,
    GATE,
    JUNIT,
    OLDEST_OPSET,
    PORTS,
    TRAJECTORY,
)


@dataclass(frozen=True)
class Convert(Described):
    """Converts a checkpoint to the formats in `to` and compares each with the original.

    The folder `out` holds the artifacts, the bill, its page and the golden vectors afterwards; what
    is not equal lies in ``rejected/``, and the bill's `verdict` says so.

    A network that no family knows: `model` is its module, or what returns one, and `input` what it
    takes, as tensors by name or as texts; the checkpoint's tensors are loaded into it by exact
    names.

    Raises:
        LadingError: it could not be done; nothing is written.
    """

    path: Any = field(metadata=argument(FROM, "PATH", "checkpoint or model folder"))
    out: StrPath | None = option(None, PATH, "default: NAME-lading", metavar="DIR", short="o")
    _: KW_ONLY
    accept_frozen: Sequence[str] = option((), **FROZEN)
    force: bool = option(False, FLAG, "replace an earlier result in DIR", same=False)
    to: Sequence[str] = option(
        ("coreml", "onnx"), many(one_of(*FORMATS), "FORMAT"), ", ".join(FORMATS) + "; repeat",
    )  # fmt: skip
    name: str = option("", TEXT, "of the artifacts; default: the checkpoint's", metavar="NAME")
    data: StrPath | Sequence[StrPath] = option(
        (), many(PATH, "DIR", cut=False), "probes of yours: pictures, .npz, FILE.py:FUNCTION"
    )
    gate: Mapping[str, float] | Sequence[str] = option((), **GATE)
    classifier: bool = option(
        False, FLAG, "the class by name, and probabilities by class", group=PORTS
    )
    dynamic: Sequence[str] = option(
        (), joined(one_of("batch", "size"), "AXES"), "left open in ONNX: batch,size", group=PORTS
    )
    part: Literal["network", "step"] = option(
        "network", one_of("network", "step"), "step: x_t, t and noise in, x_t-1 out",
        group=DIFFUSION,
    )  # fmt: skip
    sampler: Literal["ddpm", "ddim"] | None = option(
        None, one_of("ddpm", "ddim"), "of the step; default ddpm", group=DIFFUSION
    )
    eta: float = option(
        0.0, number(0, 1), "of ddim: 0 adds no noise, 1 as ddpm", metavar="ETA", group=DIFFUSION
    )
    trajectory: int | None = option(None, **TRAJECTORY)
    timesteps: Literal["int32", "float32"] | None = option(
        None, one_of("int32", "float32"), "their dtype; default: the network's", group=DIFFUSION
    )
    precision: Literal["fp16", "fp32", "auto"] = option(
        "fp16",
        one_of("fp16", "fp32", "auto"),
        "of Core ML; auto: fp16, fp32 where needed",
        group=FILES,
    )
    ios: str | int | None = option(
        None,
        one_of("15", "16", "17", "18"),
        "oldest that must run it, 15-18; default 16",
        metavar="N",
        group=FILES,
    )
    macos: str | int | None = option(
        None, one_of("12", "13", "14", "15"), "the same in macOS, 12-15", metavar="N", group=FILES
    )
    opset: int = option(18, whole(OLDEST_OPSET), "of ONNX, 18 or newer", group=FILES)
    route: Literal["export", "decomposed", "trace"] | None = option(
        None, one_of("export", "decomposed", "trace"), "default: each in turn", group=FILES
    )
    author: str = option("", TEXT, "who made it, into the metadata", group=FILES)
    license: str = option("", TEXT, "its licence, the same way", group=FILES)
    description: str = option("", TEXT, "what it does, the same way", group=FILES)

    def require_sense(self) -> None:
        """See `Request`."""
        if self.sampler and self.part != "step":
            raise RequestError(
                f"--sampler {self.sampler}",
                found="no step to make it of",
                expected="--part step beside it",
                remedy="add --part step, or leave --sampler out",
            )
        if self.ios and self.macos:
            raise RequestError(
                f"--ios {self.ios} --macos {self.macos}",
                found="two systems",
                expected="the oldest system that must run it; each has a twin of the other kind",
                remedy="leave one of them out",
            )


@dataclass(frozen=True)
class Verify(Proved):
    """Compares an artifact with the checkpoint, in every runtime that this computer has for it.

    With `golden` in place of `against`, with golden vectors alone. Written to `out` are the bill
    and its page; in Python nothing is written without it.

    Raises:
        LadingError: either cannot be read, or their ports do not fit.
    """

    artifact: StrPath = field(metadata=argument(PATH, "ARTIFACT", "the converted file"))
    against: Any = option(None, FROM, "checkpoint or folder; or else --golden", metavar="PATH")
    _: KW_ONLY
    golden: StrPath | None = option(
        None, PATH, "golden vectors, in place of the checkpoint", metavar="DIR", same=False
    )
    data: StrPath | Sequence[StrPath] = option(
        (), many(PATH, "DIR|FILE.csv", cut=False),
        "probes of yours, as convert takes them; or a table text,label: every row of it",
    )  # fmt: skip
    gate: Mapping[str, float] | Sequence[str] = option((), **GATE)
    out: StrPath | None = option(
        None, PATH, "of bill and page; default: NAME-verify; - for none", metavar="DIR",
        short="o", same=False,
    )  # fmt: skip
    trajectory: int | None = option(None, **TRAJECTORY)
    junit: StrPath | None = option(None, PATH, **JUNIT)

    @property
    def table(self) -> Path | None:
        """The table that `data` names, if it is one."""
        data: Any = self.data
        return data[0] if [path.suffix.lower() for path in data] == [".csv"] else None

    def require_sense(self) -> None:
        """See `Request`."""
        if not (self.against or self.golden):
            raise RequestError(
                str(self.artifact),
                found="nothing to compare it with",
                expected="--against CHECKPOINT or --golden DIR",
                remedy="add --against CHECKPOINT",
            )
        if self.golden:
            self.require_unread(f"--golden {self.golden}", "against", "data", "gate", "trajectory")


@dataclass(frozen=True)
class Compare(Proved):
    """Any two of a checkpoint and artifacts beside each other; a checkpoint is the reference.

    Raises:
        LadingError: a side cannot be read, both are checkpoints, or they do not take the same.
    """

    first: Any = field(metadata=argument(FROM, "A", "checkpoint or artifact"))
    second: Any = field(metadata=argument(FROM, "B", "checkpoint or artifact"))
    _: KW_ONLY
    data: StrPath | Sequence[StrPath] = option(
        (), many(PATH, "DIR", cut=False), "probes of yours: pictures, .npz, FILE.py:FUNCTION"
    )
    stop_at: str = option("", TEXT, "show this value, or module's output, in both", metavar="NAME")
