"""How a network is had, and what an artifact of it takes and gives: asked alike of every verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from lading.errors import RequestError
from lading.job.options import (  # fmt: skip
    FLAG,
    PAIRS,
    PATH,
    TEXT,
    WORD,
    Request,
    StrPath,
    flag,
    joined,
    many,
    number,
    one_of,
    option,
    options,
)
from lading.job.request.values import CODE, FROZEN, INPUTS, OWN, PORT_NAMES, PORTS, SHAPES


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
