"""What can be asked of each verb: every option of lading, declared.

A keyword of the Python API has the name that the option has on the command line, ``_`` for ``-``,
without exception: ``set``, ``input`` and ``open`` too, which hide no builtin where they are only
keywords. Nothing heavy is imported here: `lading --help` is read off it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lading.base import shelf
from lading.errors import RequestError
from lading.job.options import (  # fmt: skip
    FLAG,
    PAIRS,
    PATH,
    TEXT,
    WORD,
    Kind,
    Request,
    StrPath,
    argument,
    flag,
    joined,
    many,
    number,
    one_of,
    option,
    options,
    verb,
    whole,
)
from lading.record.values import show
from lading.record.wording import RUNTIMES

OLDEST_OPSET = 18


def _shapes(value: Any) -> str:
    text: str = TEXT.read(value).replace(" ", "")
    if text:
        from lading.interface import Sizes

        Sizes.parse(text)
    return text


def _code(value: Any) -> Any:
    return value if callable(value) else WORD.read(value)


def _inputs(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    several = value if isinstance(value, (tuple, list)) else [value]
    if all(isinstance(one, str) for one in several):
        return many(TEXT, cut=False).read(value)
    return tuple(several)


def _from(value: Any) -> Any:
    """A path, or the network itself."""
    return value if is_module(value) else PATH.read(value)


def is_module(value: Any) -> bool:
    """Whether it is a module of torch; torch is not imported for the question."""
    return callable(value) and hasattr(value, "state_dict") and hasattr(value, "named_modules")


def _froms(value: Any) -> Any:
    return (value,) if is_module(value) else many(FROM, cut=False).read(value)


def _fed(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = [f"{TEXT.read(name)}={_typed(one)}" for name, one in value.items()]
    return many(Kind(_typed, ""), cut=False).read(value)


def _typed(value: Any) -> str:
    """A file or a number as it would be typed."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return str(TEXT.read(show(value) if isinstance(value, (int, float)) else value))


#: Short words for kinds of measurement.
SHORT = {"agreement": "label_agreement"}


def _gates(value: Any) -> dict[str, float]:
    """The user's own gates, by kind of measurement."""
    found = {}
    for name, text in PAIRS.read(value).items():
        kind = SHORT.get(name, name)
        if kind not in GATED:
            raise ValueError(name)
        found[kind] = number(0).read(text)
    return found


#: What of an output can be gated.
GATED = ("psnr", "label_agreement", "dice", "snr", "relative_l2", "max_abs")
GATES = Kind(
    _gates, "KIND=NUMBER: psnr, or snr of the worst channel, in dB, agreement or dice from 0 to 1, "
    "relative_l2 or max_abs",
    lambda gates: [f"{name}={value!r}" for name, value in gates.items()],
    metavar="KIND=NUMBER", repeats=True,
)  # fmt: skip
GATE: Any = {
    "kind": GATES, "metavar": "KIND=NUMBER",
    "help": "your own tolerance for the outputs: psnr=30, agreement=0.99",
}  # fmt: skip
SHAPES = Kind(_shapes, "sizes such as 256x256,512x512, or ranges", metavar="SIZES")
PORT_NAMES = replace(PAIRS, expected="ARTIFACT_NAME=NAME, the port's name in either")
CODE = Kind(
    _code, "FILE.py:FACTORY; in Python also a module, or what returns one",
    lambda value: value if isinstance(value, str) else None, "FILE.py:FACTORY",
)  # fmt: skip
INPUTS = Kind(
    _inputs, "NAME:DTYPE[SHAPE] for each input; in Python also examples, by name or by place",
    lambda value: list(value) if all(isinstance(one, str) for one in value) and
    not isinstance(value, Mapping) else None, repeats=True,
)  # fmt: skip
FROM = Kind(
    _from, "a path; in Python also a module", lambda v: None if is_module(v) else PATH.spell(v),
    "FILE",
)  # fmt: skip
FROMS = Kind(_froms, "paths; in Python also modules", lambda values: [
    FROM.spell(one) for one in values], "FILE", repeats=True)  # fmt: skip
FED = Kind(_fed, "FILE or NAME=FILE for each input; in Python also files by name", repeats=True)
RUNTIME = one_of(*RUNTIMES)
OWN = "a network of your own (its code is run: trust it)"


@dataclass(frozen=True)
class Reading(Request):
    """How a checkpoint is read, whatever is then done with it."""

    _: KW_ONLY
    set: Mapping[str, Any] | Sequence[str] = option((), PAIRS, "settle a hyper-parameter")
    which: str | None = option(
        None, WORD, "of several networks: its key; or best, latest", metavar="KEY"
    )
    fold: str | int | None = option(None, WORD, "which, of an nnU-Net model folder", metavar="N")
    config: StrPath | None = option(None, PATH, "YAML or JSON that describes a diffusion network")
    settle_with: StrPath | None = option(
        None, PATH, "pictures that settle what its file leaves open", metavar="DIR"
    )
    model: str | Callable[[], Any] | None = option(
        None, CODE, "code, and what in it returns the network", group=OWN
    )
    model_arg: Mapping[str, Any] | Sequence[str] = option(
        (), PAIRS, "for what returns it: width=32", metavar="NAME=VALUE", group=OWN
    )
    input: Mapping[str, Any] | Sequence[Any] = option(
        (), INPUTS, "for each: x:float32[1,3,64,64], t:int32[1]@0..9",
        metavar="NAME:DTYPE[SHAPE]", group=OWN, also="example_inputs",
    )  # fmt: skip
    trust: bool = option(
        False, FLAG, "run the program that the file is: torch.export, TorchScript", group=OWN
    )
    ignore: Sequence[str] = option(
        (), many(TEXT), "tensors that it has no place for: loss.*", metavar="GLOB", group=OWN
    )

    def require_unread(self, found: str, *more: str) -> None:
        """Passes only where nothing is said of how a checkpoint is read, nor any of `more`.

        Args:
            found: what there is in place of a checkpoint.
            more: keywords that tell of a checkpoint too.

        Raises:
            RequestError: something is said.
        """
        known = {*options(Beside), *more}
        said = " ".join(flag(name) for name in self.said() if name in known)
        if said:
            raise RequestError(
                said, found=found, expected="a checkpoint, of which that could tell",
                remedy=f"leave {said} out",
            )  # fmt: skip


FILES = "the files"
DIFFUSION = "of a diffusion network"
PORTS = "what the artifact takes and gives"
FROZEN: Any = {
    "kind": many(TEXT),
    "metavar": "FILE.py:LINE",
    "help": "a branch on values that is meant so",
}
TRAJECTORY: Any = {
    "kind": replace(whole(0), expected="a number of moves such as 25, or 0 for no trajectory"),
    "help": "prove it over N moves; default 25, 0: none",
    "group": DIFFUSION,
}


#: What ``--to`` takes.
FORMATS = shelf.names("lading.formats", "lading.formats")


@dataclass(frozen=True)
class Described(Reading):
    """A checkpoint's network, and what an artifact of it takes and gives."""

    _: KW_ONLY
    output: Literal["logits", "probabilities", "labels"] = option(
        "logits", one_of("logits", "probabilities", "labels"), "what comes out", group=PORTS
    )
    bake: Sequence[str] = option(
        (), many(one_of("zscore")), "put nnU-Net's z-score inside", group=PORTS
    )
    input_image: Literal["grayscale", "rgb"] | None = option(
        None, one_of("grayscale", "rgb"), "Core ML takes a picture, 0-255", group=PORTS
    )
    scale: float = option(
        1.0, number(), "network sees scale·value + bias", metavar="SCALE", group=PORTS
    )
    bias: float | Sequence[float] = option(
        (0.0,), joined(number(), "B[,B,B]"), "one, or one a channel", group=PORTS
    )
    shapes: str = option("", SHAPES, "more sizes: 256x256,512x512 or 64..512x64..512", group=PORTS)


@dataclass(frozen=True)
class Beside(Described):
    """An artifact, whoever made it, beside a checkpoint.

    What is said of its ports stands in place of what lading noted in it when it made it.
    """

    _: KW_ONLY
    map: Mapping[str, str] | Sequence[str] = option(
        (), PORT_NAMES, "the network's name of a port", metavar="ARTIFACT_NAME=NAME", group=PORTS
    )


@dataclass(frozen=True)
class Proved(Beside):
    """One that a verdict is asked of."""

    _: KW_ONLY
    accept_frozen: Sequence[str] = option((), **FROZEN)


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


JUNIT: Any = {"help": "the result as JUnit XML, for a CI server", "metavar": "FILE", "same": False}


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


@dataclass(frozen=True)
class Bench(Beside):
    """Times artifacts and their checkpoint beside each other, each in every runtime of this
    computer: latency, calls a second, processor time, memory, bytes, arithmetic.

    Every runtime has a process of its own with as many threads as the others. They have their turns
    one after the other, round after round, in alternating order. A chart goes to `out`, where that
    is named.

    >>> import lading, torch
    >>> done = lading.bench(torch.nn.Linear(4, 2), input=[torch.zeros(1, 4)], rounds=1, seconds=0)
    >>> done.sizes[0].cost.macs, done.timings[0].calls
    (8, 1)

    What it gives is a `lading.record.bench.Bench`: times in seconds of a call, memory in bytes.

    Raises:
        LadingError: a file cannot be read, they are not of one network, or the chart cannot be
            written.
    """

    paths: Any = field(metadata=argument(FROMS, "ARTIFACT|CKPT", "artifacts, or a checkpoint"))
    _: KW_ONLY
    checkpoint: Any = option(None, FROM, "of the artifacts, timed as it is", metavar="CKPT")
    runtime: str | Sequence[str] = option(
        (), many(RUNTIME, "NAME"), ", ".join(RUNTIME.words) + "; default: all"
    )
    threads: int | None = option(None, whole(1), "of each runtime; default: this computer's cores")
    rounds: int = option(5, whole(1), "how often each has its turn")
    seconds: float = option(0.5, number(0, 600), "how long a turn is, at least; one call at least")
    warmup: int = option(3, whole(0), "calls before the first turn, not counted")
    profile: bool = option(False, FLAG, "time by kind of operation and by module, too")
    top: int = option(10, whole(1), "rows of a profile that are shown", same=False)
    out: StrPath | None = option(None, PATH, "the latencies as a chart, .svg", short="o",
                                 same=False)  # fmt: skip


@dataclass(frozen=True)
class Whose(Reading):
    """Which of several checkpoints an artifact was made from, if any.

    Tensors alone are looked at, unless something is said of the network: then it is rebuilt, and a
    tensor that it needs and the artifact lacks counts against the checkpoint.

    Raises:
        LadingError: a file cannot be read.
    """

    artifact: StrPath = field(metadata=argument(PATH, "ARTIFACT", "the converted file"))
    checkpoints: Any = field(metadata=argument(FROMS, "CKPT", "checkpoints or model folders"))
    _: KW_ONLY
    junit: StrPath | None = option(None, PATH, **JUNIT)


@dataclass(frozen=True)
class Diagnose(Reading):
    """What of a network's code stands in the way of a conversion, all that can be found at once.

    Nothing is written. A line that stops every route comes first; what is repaired or spelled in
    another way is named too.

    Raises:
        LadingError: the network cannot be had, or does not run on its inputs.
    """

    path: Any = field(metadata=argument(FROM, "PATH", "checkpoint or model folder"))


@dataclass(frozen=True)
class Inspect(Reading):
    """What a checkpoint, a model folder or an artifact is.

    Raises:
        LadingError: it cannot be read.
    """

    path: StrPath = field(metadata=argument(PATH, "PATH", "checkpoint, folder or artifact"))
    _: KW_ONLY
    tensors: bool = option(False, FLAG, "all of a checkpoint, or parts of a file", same=False)


@dataclass(frozen=True)
class Run(Request):
    """Feeds an artifact what the user has; one with a memory from its beginning each time.

    An input that is given several values, or a folder, is fed one after the other.

    Raises:
        LadingError: the artifact, an input or the runtime is not fit, or what is to be written
            cannot be made of what came out.
    """

    artifact: StrPath = field(metadata=argument(PATH, "ARTIFACT", "the converted file"))
    _: KW_ONLY
    input: StrPath | Sequence[StrPath] | Mapping[str, StrPath | float] = option(
        (), FED, "a picture, volume, .npy, folder, text or numbers; repeat", metavar="[NAME=]FILE"
    )  # fmt: skip
    out: StrPath | None = option(
        None, PATH, "class numbers as .png or .nii.gz; values as .npy, .npz; a folder of them",
        short="o",
    )  # fmt: skip
    output: str = option("", TEXT, "into .npy: labels, or an output's name; default: the first",
                         metavar="NAME")  # fmt: skip
    overlay: StrPath | None = option(None, PATH, "the labels drawn over the picture, with legend")
    runtime: str | None = option(
        None, RUNTIME, ", ".join(RUNTIME.words) + "; default: the first that fits", metavar="NAME"
    )


@dataclass(frozen=True)
class Classify(Reading):
    """The class of a text, or of each of several, by an artifact or a checkpoint.

    Raises:
        LadingError: the file cannot be read, is no text classifier, the runtime is not fit, or a
            text holds nothing that the network knows.
    """

    path: StrPath = field(metadata=argument(PATH, "ARTIFACT", "or a checkpoint"))
    text: str | Sequence[str] = option(
        (), many(TEXT, cut=False), "by default every line of standard input", argument=True
    )
    _: KW_ONLY
    runtime: str | None = option(
        None, RUNTIME, ", ".join(RUNTIME.words) + "; default: the first that fits", metavar="NAME"
    )


WALK, FILL, PROOF = "the walk", "completing a picture: --sampler repaint", "proof"


@dataclass(frozen=True)
class Sample(Reading):
    """Walks from noise to pictures with a diffusion network, in any runtime.

    Written to `out` are the pictures and a summary; in Python nothing is written without it.

    Raises:
        LadingError: it cannot be read or run here, it is no diffusion network, or what is asked
            contradicts itself.
    """

    path: StrPath = field(metadata=argument(PATH, "PATH", "a checkpoint, or an artifact of it"))
    out: StrPath | None = option(None, PATH, "default: NAME-samples", metavar="DIR", short="o")
    _: KW_ONLY
    force: bool = option(False, FLAG, "replace earlier samples in DIR")
    runtime: str | None = option(
        None, RUNTIME, ", ".join(RUNTIME.words) + "; default: the first that fits", metavar="NAME"
    )
    sampler: Literal["ddpm", "ddim", "repaint"] = option(
        "ddim", one_of("ddpm", "ddim", "repaint"), "ddpm, ddim or repaint", metavar="NAME",
        group=WALK,
    )  # fmt: skip
    steps: int | None = option(
        None, whole(1), "how many, evenly spread; default by sampler", group=WALK
    )
    respacing: str = option("", TEXT, 'which steps: "250", "ddim50", "10,10,20"', group=WALK)
    eta: float = option(
        0.0, number(0, 1), "of ddim: 0 adds no noise, 1 as ddpm", metavar="ETA", group=WALK
    )
    no_clip: bool = option(False, FLAG, "let estimates leave -1 to 1", group=WALK)
    seed: int = option(0, whole(0), "of the noise", metavar="S", group=WALK)
    count: int = option(1, whole(1), "how many pictures", group=WALK)
    label: int | None = option(
        None, whole(), "the class, of a class-conditional network", metavar="K", group=WALK
    )
    image: StrPath | None = option(None, PATH, "the picture to complete", group=FILL)
    mask: StrPath | None = option(None, PATH, "white: known; black: to paint", group=FILL)
    jump: int = option(10, whole(1), "steps of a stretch, to and fro", group=FILL)
    repeats: int = option(10, whole(1), "how often each stretch is walked", group=FILL)
    against: StrPath | None = option(
        None, PATH, "walk it beside PATH", metavar="CHECKPOINT", group=PROOF
    )
    digests: bool = option(False, FLAG, "of x after every move, as JSON", group=PROOF)

    def require_sense(self) -> None:
        """See `Request`."""
        if self.steps is not None and self.respacing:
            raise contradiction("--steps with --respacing", "two ways of saying one thing")
        if self.eta and self.sampler != "ddim":
            raise contradiction(f"--eta {self.eta:g}", f"sampler {self.sampler}", "ddim")
        if self.sampler != "repaint" and (self.image or self.mask):
            what = "--image" if self.image else "--mask"
            raise contradiction(what, f"sampler {self.sampler}", "repaint")
        if self.sampler == "repaint" and not (self.image and self.mask):
            there, absent = ("--mask", "--image") if self.mask else ("--image", "--mask")
            raise RequestError(
                "--sampler repaint",
                found=f"{there} without {absent}" if self.mask or self.image else "neither",
                expected="a picture to complete, --image, and a mask of what is known, --mask",
                remedy=f"add {absent} FILE",
            )


def contradiction(subject: str, found: str, sampler: str = "") -> RequestError:
    """Of two options, or of one and the sampler."""
    return RequestError(
        subject,
        found=found,
        expected=f"--sampler {sampler}" if sampler else "one of the two",
        remedy=f"add --sampler {sampler}, or leave it out" if sampler else "leave one out",
    )


@dataclass(frozen=True)
class Report(Request):
    """Draws the page of a bill again.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """

    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    out: StrPath | None = option(None, PATH, "default: report.html beside the bill", short="o")
    _: KW_ONLY
    open: bool = option(False, FLAG, "show it in the browser")


@dataclass(frozen=True)
class Diff(Request):
    """What changed between two bills; written to `out` as a page or as Markdown, if it is named.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """

    a: StrPath = field(metadata=argument(PATH, "BILL_A", "a lading.json, or its folder"))
    b: StrPath = field(metadata=argument(PATH, "BILL_B", "another"))
    out: StrPath | None = option(None, PATH, "a page, .html; or .md, Markdown", short="o")


@dataclass(frozen=True)
class Swift(Request):
    """Writes a Swift package: the model, what stands around it, and its golden vectors as tests.

    Raises:
        LadingError: there is no bill, no artifact for Core ML that passed, no golden vector, the
            name cannot be one, or the package cannot be written.
    """

    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    out: StrPath | None = option(None, PATH, "default: NAME-swift", metavar="DIR", short="o")
    _: KW_ONLY
    name: str = option("", TEXT, "of module and class; default: the artifact's", metavar="NAME")
    artifact: str = option("", TEXT, "of several for Core ML: which", metavar="FILE")


@dataclass(frozen=True)
class DeviceCheck(Request):
    """The commands that test a package on a Mac and on a device.

    Raises:
        LadingError: it is no package that lading wrote.
    """

    package: StrPath = field(metadata=argument(PATH, "PACKAGE", "what lading swift wrote"))


@dataclass(frozen=True)
class DeviceReport(Request):
    """Reads what the tests of a package printed on a device into its bill, and draws the page.

    Raises:
        LadingError: nothing of the kind was printed, or it is of another artifact.
    """

    report: StrPath = field(metadata=argument(PATH, "FILE", "what the tests printed"))
    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    _: KW_ONLY
    device: str = option("", TEXT, 'what people call it, such as "iPhone 15"', metavar="NAME")


@dataclass(frozen=True)
class Doctor(Request):
    """What this computer can and cannot do."""


def requests() -> dict[str, type[Request]]:
    """Every verb by name, with what can be asked of it."""
    kinds = (
        Convert, Verify, Compare, Bench, Whose, Inspect, Diagnose, Run, Classify, Sample, Report,
        Diff, Swift, DeviceCheck, DeviceReport, Doctor,
    )  # fmt: skip
    return {verb(kind): kind for kind in kinds}


__all__ = ["Reading", "Request", "options", "requests"]
