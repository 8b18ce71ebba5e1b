"""The verbs that run a network or an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from lading.errors import RequestError
from lading.job.options import (  # fmt: skip
    FLAG,
    PATH,
    TEXT,
    Request,
    StrPath,
    argument,
    many,
    number,
    one_of,
    option,
    whole,
)
from lading.job.request.network import Reading
from lading.job.request.values import FED, RUNTIME


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
