"""``lading convert``: carry a checkpoint to Core ML and ONNX, and compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lading.command import Command, checkpoint_options, data, data_option, finish, with_stages
from lading.errors import RequestError

if TYPE_CHECKING:
    from lading.interface import Options
    from lading.target import Settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="checkpoint or model folder")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: NAME-lading")
    parser.add_argument("--force", action="store_true", help="replace an earlier result in DIR")
    parser.add_argument("--to", action="append", metavar="FORMAT", help="coreml, onnx; repeat")
    parser.add_argument("--name", default="", help="of the artifacts, without suffix")
    checkpoint_options(parser)
    _interface_options(parser)
    _file_options(parser)
    data_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 where every artifact is equal to the original, else 1."""
    from lading import pipeline

    path = arguments.path
    out = arguments.out or Path(f"{path.name.split('.')[0] or 'model'}-lading")
    request = pipeline.Request(
        path=path,
        out=out,
        to=tuple(arguments.to or ("coreml", "onnx")),
        name=arguments.name,
        options=_options(arguments),
        settings=_settings(arguments),
        route=arguments.route,
        given=arguments.set,
        fold=arguments.fold,
        data=data(arguments),
        force=arguments.force,
    )
    bill = with_stages(arguments, lambda stages: pipeline.convert(request, stages))
    return finish(arguments, bill, out)


def _interface_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the artifact takes and gives")
    group.add_argument("--output", default="logits", choices=("logits", "probabilities", "labels"))
    group.add_argument("--bake", action="append", default=[], choices=("zscore",))
    group.add_argument("--input-image", choices=("grayscale", "rgb"))
    group.add_argument("--scale", type=float, default=1.0, help="network sees scale·value + bias")
    group.add_argument("--bias", type=_floats, default=(0.0,), metavar="B[,B,B]")
    group.add_argument(
        "--shapes", default="", metavar="SIZES", help="256x256,512x512 or 64..512x64..512"
    )
    group.add_argument(
        "--dynamic", type=_words, default=(), metavar="AXES", help="ONNX: batch,size"
    )


def _file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the files")
    group.add_argument("--precision", default="fp16", choices=("fp16", "fp32"), help="of Core ML")
    system = group.add_mutually_exclusive_group()
    system.add_argument("--ios", metavar="N", help="15-18; default 16")
    system.add_argument("--macos", metavar="N", help="12-15")
    group.add_argument("--opset", type=int, default=18, metavar="N", help="of ONNX; 18 or newer")
    group.add_argument("--route", choices=("export", "trace"), help="default: export, then trace")
    for name in ("author", "license", "description"):
        group.add_argument(f"--{name}", default="", metavar="TEXT")


def _floats(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if not set(words) <= {"batch", "size"}:
        raise argparse.ArgumentTypeError(f"expected batch, size or batch,size, found {text!r}")
    return words


def _options(arguments: argparse.Namespace) -> Options:
    from lading.interface import Options, Sizes

    return Options(
        output=arguments.output,
        bake=tuple(arguments.bake),
        image=arguments.input_image,
        scale=arguments.scale,
        bias=arguments.bias,
        sizes=Sizes.parse(arguments.shapes) if arguments.shapes else Sizes(),
        dynamic=arguments.dynamic,
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    from lading.target import OLDEST_OPSET, Settings, deployment

    if arguments.opset < OLDEST_OPSET:
        raise RequestError(
            f"--opset {arguments.opset}",
            found=str(arguments.opset),
            expected=f"{OLDEST_OPSET} or newer",
            remedy=f"use --opset {OLDEST_OPSET}",
        )
    system = f"macOS{arguments.macos}" if arguments.macos else f"iOS{arguments.ios or 16}"
    return Settings(
        precision=arguments.precision,
        deployment=deployment(system),
        opset=arguments.opset,
        author=arguments.author,
        license=arguments.license,
        description=arguments.description,
    )


COMMAND = Command(
    "carry a checkpoint to Core ML and ONNX, and compare",
    (
        "lading convert checkpoint_best.pth -o out",
        "lading convert checkpoint_best.pth --to coreml --bake zscore --output labels",
    ),
    arguments,
    run,
    rank=20,
)
