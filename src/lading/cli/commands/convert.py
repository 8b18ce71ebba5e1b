"""``lading convert``: carry a checkpoint to Core ML and ONNX, and compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lading.cli.commands import (  # fmt: skip
    Command,
    checkpoint_options,
    config_option,
    data,
    data_option,
    finish,
    model,
    model_options,
    settle,
    settle_option,
    trajectory_option,
    with_stages,
)
from lading.errors import RequestError

if TYPE_CHECKING:
    from lading.interface import Options
    from lading.interface.settings import Settings
    from lading.job.request import Request


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="checkpoint or model folder")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: NAME-lading")
    parser.add_argument("--force", action="store_true", help="replace an earlier result in DIR")
    parser.add_argument(
        "--to", action="append", metavar="FORMAT", help="coreml, onnx, mlmodel; repeat"
    )
    parser.add_argument("--name", default="", help="of the artifacts, without suffix")
    checkpoint_options(parser)
    config_option(parser)
    settle_option(parser)
    model_options(parser)
    _interface_options(parser)
    _diffusion_options(parser)
    _file_options(parser)
    data_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 where every artifact is equal to the original, else 1."""
    from lading.job import pipeline

    wanted = asked(arguments)
    bill = with_stages(arguments, lambda stages: pipeline.convert(wanted, stages))
    return finish(arguments, bill, wanted.out)


def asked(arguments: argparse.Namespace) -> Request:
    """What the options ask for.

    Raises:
        LadingError: they contradict one another, or a file that they name is not there.
    """
    from lading.job.request import Request

    path = arguments.path
    return Request(
        path=path,
        out=arguments.out or Path(f"{path.name.split('.')[0] or 'model'}-lading"),
        to=tuple(arguments.to or ("coreml", "onnx")),
        name=arguments.name,
        options=_options(arguments),
        settings=_settings(arguments),
        route=arguments.route,
        given=arguments.set,
        fold=arguments.fold,
        data=data(arguments),
        config=arguments.config,
        settle=settle(arguments),
        trajectory=arguments.trajectory,
        force=arguments.force,
        model=model(arguments),
    )


def _interface_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the artifact takes and gives")
    group.add_argument("--output", default="logits", choices=("logits", "probabilities", "labels"))
    group.add_argument(
        "--classifier", action="store_true", help="the class by name, and probabilities by class"
    )
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


def _diffusion_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("of a diffusion network")
    group.add_argument(
        "--part", default="network", choices=("network", "step"),
        help="step: x_t, t and noise in, x_t-1 out",
    )  # fmt: skip
    group.add_argument("--sampler", choices=("ddpm", "ddim"), help="of the step; default ddpm")
    group.add_argument("--eta", type=float, default=0.0, help="of ddim: 0 adds no noise, 1 as ddpm")
    trajectory_option(group)
    group.add_argument("--timesteps", default="", choices=("int32", "float32"), help="their dtype")


def _part(arguments: argparse.Namespace) -> Literal["network", "ddpm", "ddim"]:
    """Which part of a diffusion network.

    Raises:
        RequestError: something was said of a step that was not asked for.
    """
    if arguments.part == "step":
        return "ddim" if arguments.sampler == "ddim" else "ddpm"
    if arguments.sampler:
        raise RequestError(
            f"--sampler {arguments.sampler}",
            found="no step to make it of",
            expected="--part step beside it",
            remedy="add --part step, or leave --sampler out",
        )
    return "network"


def _file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the files")
    group.add_argument(
        "--precision",
        default="fp16",
        choices=("fp16", "fp32", "auto"),
        help="of Core ML; auto: fp32 where needed",
    )
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
        part=_part(arguments),
        eta=arguments.eta,
        timesteps=arguments.timesteps,
        classifier=arguments.classifier,
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    from lading.interface.settings import OLDEST_OPSET, Settings, deployment

    if arguments.opset < OLDEST_OPSET:
        raise RequestError(
            f"--opset {arguments.opset}",
            found=str(arguments.opset),
            expected=f"{OLDEST_OPSET} or newer",
            remedy=f"use --opset {OLDEST_OPSET}",
        )
    system = f"macOS{arguments.macos}" if arguments.macos else f"iOS{arguments.ios or 16}"
    return Settings(
        precision="fp16" if arguments.precision == "auto" else arguments.precision,
        auto=arguments.precision == "auto",
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
