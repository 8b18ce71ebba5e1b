"""The command line: arguments and exit codes, nothing else.

Exit status: 0 verified; 1 the work was done and the result is not equal (or nothing could be
compared); 2 the request or the input was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.errors import LadingError, RequestError
from lading.version import __version__

if TYPE_CHECKING:
    from lading.evidence import Bill
    from lading.interface import Options


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except LadingError as error:
        _report(error, as_json=arguments.json)
        return error.exit_status
    except BrokenPipeError:
        return 2
    except KeyboardInterrupt:
        print("lading: stopped; nothing was written", file=sys.stderr)
        return 130
    return status


# --------------------------------------------------------------------------------------- commands
def _inspect(arguments: argparse.Namespace) -> int:
    from lading import api, terminal

    shown = api.inspect(arguments.path, settings=arguments.set, fold=arguments.fold)
    status = 0
    if isinstance(shown, api.Inspection) and shown.refused:
        status = 2
    if arguments.json:
        _print_json(shown.as_dict())
    elif isinstance(shown, api.ArtifactInspection):
        terminal.artifact(_console(), shown.artifact)
    elif not arguments.quiet:
        terminal.inspection(
            _console(), shown.checkpoint, shown.recognition, shown.summary,
            shown.shapes, shown.aliases, shown.refused,
        )  # fmt: skip
    return status


def _convert(arguments: argparse.Namespace) -> int:
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
        data=_data(arguments),
        force=arguments.force,
    )
    bill = _with_stages(arguments, lambda stages: pipeline.convert(request, stages))
    return _finish(arguments, bill, out)


def _verify(arguments: argparse.Namespace) -> int:
    from lading import pipeline

    bill = _with_stages(
        arguments,
        lambda stages: pipeline.verify(
            arguments.artifact,
            arguments.against,
            given=arguments.set,
            fold=arguments.fold,
            data=_data(arguments),
            progress=stages,
        ),
    )
    return _finish(arguments, bill, None)


def _run(arguments: argparse.Namespace) -> int:
    from lading import apply

    applied = apply.apply(arguments.artifact, arguments.input, arguments.runtime)
    if arguments.out:
        apply.save(applied, arguments.out)
    shares = apply.shares(applied)
    if arguments.json:
        return _print_json(
            {
                "runtime": applied.runtime,
                "output": applied.port.name,
                "shape": list(applied.output.shape),
                "notes": list(applied.notes),
                "shares": shares,
                "written": str(arguments.out) if arguments.out else None,
            }
        )
    if not arguments.quiet:
        console = _console()
        console.print(f"{applied.port.name} {list(applied.output.shape)} in {applied.runtime}")
        for note in applied.notes:
            console.print(f"  input {note}", highlight=False)
        for name, share in shares.items():
            console.print(f"  {100 * share:6.2f} %  {name}", highlight=False)
        if arguments.out:
            console.print(f"  written: {arguments.out}", highlight=False)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from lading import demo

    made = _with_stages(arguments, lambda stages: demo.segmentation(arguments.out, stages))
    status = _finish(arguments, made.bill, made.out)
    if not (arguments.json or arguments.quiet):
        console = _console()
        console.print("Where to look:")
        console.print(f"  {made.picture}   input, PyTorch, Core ML, ONNX, difference")
        console.print(f"  {made.out / 'lading.json'}   the bill: all of the evidence")
    return status


def _doctor(arguments: argparse.Namespace) -> int:
    from lading import doctor, terminal
    from lading.notices import Notices, gathered

    with gathered(Notices()):
        checks = doctor.examine()
    if arguments.json:
        _print_json([{"name": c.name, "state": c.state, "text": c.text} for c in checks])
    else:
        terminal.doctor(_console(), checks)
    return 1 if any(check.state == "trouble" for check in checks) else 0


# -------------------------------------------------------------------------------------- arguments
def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="lading",
        description="Carries a trained PyTorch checkpoint to Core ML and ONNX, and signs for it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lading {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    inspect = _command(
        commands, "inspect", _inspect, "what a checkpoint or an artifact is",
        "lading inspect checkpoint_best.pth", "lading inspect Model.mlpackage --json",
    )  # fmt: skip
    inspect.add_argument("path", type=Path, metavar="PATH", help="checkpoint, folder or artifact")
    _checkpoint_options(inspect)

    convert = _command(
        commands, "convert", _convert, "carry a checkpoint to Core ML and ONNX, and compare",
        "lading convert checkpoint_best.pth -o out",
        "lading convert checkpoint_best.pth --to coreml --bake zscore --output labels",
    )  # fmt: skip
    convert.add_argument("path", type=Path, metavar="PATH", help="checkpoint or model folder")
    convert.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: NAME-lading")
    convert.add_argument("--force", action="store_true", help="replace an earlier result in DIR")
    convert.add_argument("--to", action="append", metavar="FORMAT", help="coreml, onnx; repeat")
    convert.add_argument("--name", default="", help="of the artifacts, without suffix")
    _checkpoint_options(convert)
    _interface_options(convert)
    _file_options(convert)
    _data_option(convert)

    verify = _command(
        commands, "verify", _verify, "compare an artifact with the checkpoint it came from",
        "lading verify Model.mlpackage --against checkpoint_best.pth",
        "lading verify Model.onnx --against checkpoint_best.pth --data pictures",
    )  # fmt: skip
    verify.add_argument("artifact", type=Path, metavar="ARTIFACT")
    verify.add_argument("--against", type=Path, required=True, metavar="PATH")
    _checkpoint_options(verify)
    _data_option(verify)

    run = _command(
        commands, "run", _run, "run an artifact on a picture or array, anywhere",
        "lading run Model.mlpackage --input echo.png -o labels.png",
        "lading run Model.onnx --input x.npy -o y.npy",
    )  # fmt: skip
    run.add_argument("artifact", type=Path, metavar="ARTIFACT")
    run.add_argument("--input", type=Path, required=True, metavar="FILE")
    run.add_argument("-o", "--out", type=Path, metavar="FILE", help="a .png label map or a .npy")
    run.add_argument("--runtime", metavar="NAME", help="onnxruntime, mil or coreml")

    demo = _command(
        commands, "demo", _demo, "carry the embedded checkpoint and draw the result",
        "lading demo", "lading demo -o somewhere",
    )  # fmt: skip
    demo.add_argument("-o", "--out", type=Path, default=Path("lading-demo"), metavar="DIR")

    _command(
        commands, "doctor", _doctor, "what this computer can and cannot do",
        "lading doctor", "lading doctor --json",
    )  # fmt: skip
    return parser


def _command(
    commands: Any, name: str, function: Any, text: str, *examples: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {one}" for one in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _checkpoint_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action=_Pairs, default={}, metavar="NAME=VALUE", help="settle a hyper-parameter"
    )
    parser.add_argument("--fold", metavar="N", help="of an nnU-Net model folder")


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


def _data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="your own pictures, as probes too")


class _Pairs(argparse.Action):
    """Collects ``NAME=VALUE``."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        name, equals, value = str(values).partition("=")
        if not equals or not name.strip():
            raise argparse.ArgumentError(self, f"expected NAME=VALUE, found {values!r}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), name.strip(): value})


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


def _settings(arguments: argparse.Namespace) -> Any:
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


def _data(arguments: argparse.Namespace) -> tuple[Path, ...]:
    from lading.verification.probes import files_in

    return tuple(files_in(arguments.data)) if arguments.data else ()


# ----------------------------------------------------------------------------------------- output
def _with_stages(arguments: argparse.Namespace, work: Any) -> Any:
    """Runs `work(progress)`, with stages shown on standard error unless asked to be silent."""
    from lading import terminal

    if arguments.json or arguments.quiet:
        return work(lambda stage, detail: None)
    stages = terminal.Stages(_console(sys.stderr))
    made = work(stages)
    stages.finish()
    return made


def _finish(arguments: argparse.Namespace, bill: Bill, out: Path | None) -> int:
    from lading import terminal
    from lading.evidence import to_json

    if arguments.json:
        _print_json(to_json(bill))
    elif not arguments.quiet:
        terminal.bill(_console(), bill, out)
    return 0 if bill.verdict == "pass" else 1


def _console(file: Any = None) -> Any:
    from rich.console import Console

    stream = file or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 80, highlight=False)


def _print_json(value: Any) -> int:
    print(json.dumps(value, indent=1, ensure_ascii=False))
    return 0


def _report(error: LadingError, *, as_json: bool) -> None:
    if as_json:
        _print_json(error.as_dict())
        return
    from lading import terminal

    terminal.failure(_console(sys.stderr), error)


if __name__ == "__main__":
    sys.exit(main())
